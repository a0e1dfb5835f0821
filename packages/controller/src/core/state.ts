/**
 * Everything a leading controller knows: what it keeps (records), what agents have reported, and the indexes over both.
 *
 * Hosts hold the truth about what runs: a host's VMMs are those of its last Hello and the
 * reports after it. While a host is silent they stay as they were, and count as unknown.
 */
import type { BaselineRecord, GroupRecord, HostRecord, MigrationRecord, OperationRecord, RuleRecord, Settings, VmRecord } from './records';
import { DEFAULT_SETTINGS } from './records';
import type { DatastoreReport, HostReport, VmmReport, VmState } from './reports';
import type { Order } from './orders';

export type HostStatus = 'waiting' | 'ready' | 'unreachable' | 'dead';

export interface Host {
  readonly record: HostRecord;
  /** 'waiting': this controller has not heard of it yet. */
  status: HostStatus;
  /** Undefined: no session. */
  sessionId: string | undefined;
  heardAtMs: number;
  reportedAtMs: number;
  report: HostReport | undefined;
  agentVersion: string;
  readonly vmms: Map<string, VmmReport>;
  readonly datastores: Map<string, DatastoreReport>;
  /** VMs whose record names this host. */
  readonly vmIds: Set<string>;
  /** Migrations under way from or to it. */
  readonly migrationIds: Set<string>;
  /** Orders without a result. */
  readonly orderIds: Set<string>;
  /** The drain under way. */
  operationId: string;
}

export interface Vm {
  readonly record: VmRecord;
  /** Host of each of its VMMs. */
  readonly vmms: Map<string, string>;
  /** The operation under way; empty: none. */
  operationId: string;
  migrationId: string;
  /** Folder's lease as last read by somebody. */
  seenAtMs: number;
}

export interface PendingOrder {
  readonly order: Order;
  readonly hostId: string;
  readonly owner: 'operation' | 'migration' | 'reaper' | 'host' | 'console';
  readonly ownerId: string;
  /** It may have reached the host. */
  sent: boolean;
}

export interface Listing {
  hostId: string;
  askedAtMs: number;
  /** 0: never. */
  doneAtMs: number;
  readonly seen: Set<string>;
}

export class ClusterState {
  readonly hosts = new Map<string, Host>();
  readonly vms = new Map<string, Vm>();
  readonly operations = new Map<string, OperationRecord>();
  readonly migrations = new Map<string, MigrationRecord>();
  readonly rules = new Map<string, RuleRecord>();
  readonly groups = new Map<string, GroupRecord>();
  readonly tombstones = new Map<string, number>();
  baseline: BaselineRecord = { vendor: '', features: [] };
  settings: Settings = DEFAULT_SETTINGS;

  /** Who was asked what lies in a datastore, and what has been listed of it so far. */
  readonly listings = new Map<string, Listing>();
  readonly orders = new Map<string, PendingOrder>();
  /** Addresses and tokens of waiting targets, by migration: never stored. */
  readonly secrets = new Map<string, { readonly address: string; readonly token: string }>();
  /** Migrations that wait for their turn, the oldest first. */
  readonly queue = new Set<string>();
  /** Migrations that have left the queue and not ended. */
  readonly moving = new Set<string>();
  readonly running = new Set<string>();
  /** Ended operations and migrations, the oldest first. */
  readonly ended = new Set<string>();
  /** User and key → operation or migration. */
  readonly keys = new Map<string, string>();
  private readonly vmNames = new Map<string, Set<string>>();
  private readonly hostNames = new Map<string, string>();

  addVm(record: VmRecord): Vm {
    const vm: Vm = { record, vmms: new Map(), operationId: '', migrationId: '', seenAtMs: 0 };
    this.vms.set(record.id, vm);
    this.nameVm(record.spec.name, record.id);
    if (record.hostId) this.hosts.get(record.hostId)?.vmIds.add(record.id);
    return vm;
  }

  dropVm(vm: Vm): void {
    this.vms.delete(vm.record.id);
    this.unnameVm(vm.record.spec.name, vm.record.id);
    this.hosts.get(vm.record.hostId)?.vmIds.delete(vm.record.id);
  }

  renameVm(vm: Vm, name: string): void {
    this.unnameVm(vm.record.spec.name, vm.record.id);
    vm.record.spec = { ...vm.record.spec, name };
    this.nameVm(name, vm.record.id);
  }

  /** By id, or by a name that only one has. */
  findVm(idOrName: string): Vm | undefined {
    const ids = this.vmNames.get(idOrName);
    return this.vms.get(idOrName) ?? (ids?.size === 1 ? this.vms.get([...ids][0]) : undefined);
  }

  hasVmNamed(name: string): boolean {
    return this.vmNames.has(name);
  }

  addHost(record: HostRecord, now: number): Host {
    const host: Host = {
      record,
      status: 'waiting',
      sessionId: undefined,
      heardAtMs: now,
      reportedAtMs: now,
      report: undefined,
      agentVersion: '',
      vmms: new Map(),
      datastores: new Map(),
      vmIds: new Set(),
      migrationIds: new Set(),
      orderIds: new Set(),
      operationId: '',
    };
    this.hosts.set(record.id, host);
    this.hostNames.set(record.name, record.id);
    return host;
  }

  dropHost(host: Host): void {
    this.hosts.delete(host.record.id);
    if (this.hostNames.get(host.record.name) === host.record.id) this.hostNames.delete(host.record.name);
  }

  findHost(idOrName: string): Host | undefined {
    return this.hosts.get(idOrName) ?? this.hosts.get(this.hostNames.get(idOrName) ?? '');
  }

  hostName(id: string): string {
    return this.hosts.get(id)?.record.name ?? (id || 'no host');
  }

  private nameVm(name: string, id: string): void {
    const ids = this.vmNames.get(name);
    if (ids) ids.add(id);
    else this.vmNames.set(name, new Set([id]));
  }

  private unnameVm(name: string, id: string): void {
    const ids = this.vmNames.get(name);
    ids?.delete(id);
    if (ids?.size === 0) this.vmNames.delete(name);
  }
}

export interface Runner {
  readonly host: Host;
  readonly report: VmmReport;
}

export const isActive = (report: VmmReport): boolean => !report.ended && report.state !== 'incoming' && report.state !== 'stopped';

/** The VMM that has the VM, as far as reports tell: of several the one with the highest epoch. */
export function runnerOf(state: ClusterState, vm: Vm): Runner | undefined {
  let best: Runner | undefined;
  for (const [vmmId, hostId] of vm.vmms) {
    const host = state.hosts.get(hostId);
    const report = host?.vmms.get(vmmId);
    // One that has lost the lease since is no longer the VM, whatever its host last said.
    if (!host || !report || !isActive(report) || (report.epoch > 0 && report.epoch < vm.record.epoch)) continue;
    if (!best || report.epoch > best.report.epoch) best = { host, report };
  }
  return best;
}

/** Whether a process that has the VM was last reported from there. */
export const hasVmmAt = (state: ClusterState, vm: Vm, hostId: string): boolean =>
  [...vm.vmms].some(([vmmId, at]) => {
    const report = at === hostId ? state.hosts.get(at)?.vmms.get(vmmId) : undefined;
    return report !== undefined && isActive(report);
  });

/** What can be said of a VM now. Silent hosts make it unknown, never absent. */
export function stateOf(state: ClusterState, vm: Vm): VmState {
  const runner = runnerOf(state, vm);
  if (runner) return runner.host.sessionId && !runner.report.silent ? runner.report.state : 'unknown';
  const { record } = vm;
  if (record.hostId && !state.hosts.get(record.hostId)?.sessionId) return 'unknown';
  const kind = state.operations.get(vm.operationId)?.kind;
  if (kind === 'start-vm' || kind === 'restart-vm') return 'starting';
  return record.suspended ? 'suspended' : 'stopped';
}

/** "runs on host-a", "may run on host-a, which is silent": for every message about a migration. */
export function whereabouts(state: ClusterState, vm: Vm | undefined, name: string): string {
  if (!vm) return `${name} is no longer there`;
  const runner = runnerOf(state, vm);
  const hostId = runner?.host.record.id ?? vm.record.hostId;
  const host = state.hostName(hostId);
  const is = stateOf(state, vm);
  if (is === 'unknown') return `${name} may run on ${host}, which is silent`;
  if (is === 'stopped' || is === 'suspended') return `${name} is ${is}`;
  return is === 'paused'
    ? `${name} is paused on ${host}`
    : is === 'starting'
      ? `${name} is starting on ${host}`
      : `${name} runs on ${host}`;
}
