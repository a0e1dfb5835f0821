/**
 * What this page knows of the cluster, and who is told when a part of it changes.
 *
 * Topics: `vm:ID`, `host:ID`, `migration:ID` one thing · `on:HOST` which VMs are on a host · `vms`, `hosts`, `migrations`
 * anything of that kind · `hosts.names` which hosts there are · `events`, `status`, `link`, `identity`.
 */
import { Samples } from './samples';
import type { Batch, ClusterStatus, Event, Host, Identity, MigrationView, Vm } from './types';

const KEPT_EVENTS = 1_000;

export interface Link {
  readonly state: 'connecting' | 'live' | 'lost';
  /** Since when it is so, ms. */
  readonly sinceMs: number;
  readonly line: string;
  /** When it is tried again, ms. */
  readonly retryAtMs: number;
}

type Listener = () => void;

export class Store {
  readonly vms = new Map<string, Vm>();
  readonly hosts = new Map<string, Host>();
  readonly migrations = new Map<string, MigrationView>();
  readonly vmSamples = new Samples();
  readonly hostSamples = new Samples();
  readonly migrationSamples = new Samples();
  events: readonly Event[] = [];
  status: ClusterStatus | undefined;
  identity: Identity | undefined;
  link: Link = { state: 'connecting', sinceMs: Date.now(), line: '', retryAtMs: 0 };
  /** Called with VMs that are about to change their host, while they are still shown on the old one. */
  beforeMove: (vmIds: readonly string[]) => void = () => {};
  /** Counts up with everything that is told: whoever begins to listen sees whether something was told since it drew. */
  changes = 0;
  private readonly onHost = new Map<string, Set<string>>();
  private readonly listeners = new Map<string, Set<Listener>>();

  subscribe(topic: string, listener: Listener): () => void {
    let those = this.listeners.get(topic);
    if (!those) this.listeners.set(topic, (those = new Set()));
    those.add(listener);
    return () => those.delete(listener);
  }

  vmsOn(hostId: string): Vm[] {
    const ids = [...(this.onHost.get(hostId) ?? [])];
    return ids.flatMap((id) => this.vms.get(id) ?? []).sort((a, b) => nameOf(a).localeCompare(nameOf(b), 'en', { numeric: true }));
  }

  findVm(name: string): Vm | undefined {
    return this.vms.get(name) ?? [...this.vms.values()].find((vm) => nameOf(vm) === name);
  }

  findHost(name: string): Host | undefined {
    return this.hosts.get(name) ?? [...this.hosts.values()].find((host) => host.name === name);
  }

  apply(batch: Batch): void {
    const changed = new Set<string>();
    const moving = (batch.vms ?? []).filter((vm) => {
      const before = this.vms.get(idOf(vm));
      return before !== undefined && before.hostId !== vm.hostId && before.hostId !== '' && vm.hostId !== '';
    });
    if (moving.length > 0 && !batch.synced) this.beforeMove(moving.map(idOf));
    if (batch.synced) this.keepOnly(batch, changed);
    for (const host of batch.hosts ?? []) {
      if (!this.hosts.has(host.hostId)) changed.add('hosts.names');
      this.hosts.set(host.hostId, host);
      if (host.load) this.hostSamples.add(host.hostId, Date.now(), [host.load.cpuUsed, host.load.memoryUsedBytes]);
      changed.add(`host:${host.hostId}`).add('hosts');
    }
    for (const vm of batch.vms ?? []) this.putVm(vm, changed);
    for (const one of batch.migrations ?? []) {
      this.migrations.set(one.migrationId, one);
      const { record } = one;
      if (record && one.stage !== 'ended')
        this.migrationSamples.add(one.migrationId, record.startedAtMs + record.totalMs, [record.dirtyBytesPerSecond, this.sendingRate(one), record.counts?.wireBytes ?? 0]);
      changed.add(`migration:${one.migrationId}`).add('migrations');
      // The VM's chip and both hosts show it.
      changed.add(`vm:${one.vmId}`).add(`on:${one.targetHostId}`).add(`on:${one.sourceHostId}`);
    }
    this.remove(batch.removed ?? {}, changed);
    if (batch.events && batch.events.length > 0) {
      const known = new Set(this.events.slice(-batch.events.length * 2).map(({ eventId }) => eventId));
      this.events = [...(batch.synced ? [] : this.events), ...batch.events.filter(({ eventId }) => batch.synced || !known.has(eventId))].slice(-KEPT_EVENTS);
      changed.add('events');
    }
    if (batch.status) {
      this.status = batch.status;
      changed.add('status');
    }
    this.tell(changed);
  }

  /** As it was measured here: bytes that have left since a second ago. The record's own rate is what the source reckons with. */
  sendingRate({ migrationId, record }: MigrationView): number {
    const seen = this.migrationSamples.of(migrationId);
    if (!record || !seen) return 0;
    const now = (record.startedAtMs + record.totalMs) / 1_000;
    const from = seen.times.findLastIndex((time) => time <= now - 1);
    const at = Math.max(0, from);
    const seconds = now - seen.times[at];
    return seconds > 0 ? Math.max(0, (record.counts?.wireBytes ?? 0) - seen.rows[2][at]) / seconds : (seen.rows[1].at(-1) ?? 0);
  }

  setLink(link: Link): void {
    this.link = link;
    this.tell(new Set(['link']));
  }

  setIdentity(identity: Identity | undefined): void {
    this.identity = identity;
    this.tell(new Set(['identity']));
  }

  private putVm(vm: Vm, changed: Set<string>): void {
    const id = idOf(vm);
    const before = this.vms.get(id);
    this.vms.set(id, vm);
    this.vmSamples.add(id, vm.seenAtMs || Date.now(), [vm.cpuUsed, vm.dirtyBytesPerSecond]);
    if (before?.hostId !== vm.hostId || !before) {
      this.place(before?.hostId, id, false, changed);
      this.place(vm.hostId, id, true, changed);
    }
    changed.add(`vm:${id}`).add('vms');
  }

  private place(hostId: string | undefined, vmId: string, isThere: boolean, changed: Set<string>): void {
    if (hostId === undefined) return;
    let those = this.onHost.get(hostId);
    if (!those) this.onHost.set(hostId, (those = new Set()));
    if (isThere) those.add(vmId);
    else those.delete(vmId);
    changed.add(`on:${hostId}`);
  }

  /** A new beginning: what is not in it has gone meanwhile. */
  private keepOnly(batch: Batch, changed: Set<string>): void {
    const gone = (has: ReadonlyMap<string, unknown>, now: readonly string[]): string[] => {
      const there = new Set(now);
      return [...has.keys()].filter((id) => !there.has(id));
    };
    const removed = {
      vms: gone(this.vms, (batch.vms ?? []).map(idOf)),
      hosts: gone(this.hosts, (batch.hosts ?? []).map(({ hostId }) => hostId)),
      migrations: gone(this.migrations, (batch.migrations ?? []).map(({ migrationId }) => migrationId)),
    };
    this.remove(removed, changed);
    for (const topic of ['vms', 'hosts', 'hosts.names', 'migrations', 'events']) changed.add(topic);
  }

  private remove({ vms = [], hosts = [], migrations = [] }: NonNullable<Batch['removed']>, changed: Set<string>): void {
    for (const id of vms) {
      this.place(this.vms.get(id)?.hostId, id, false, changed);
      this.vms.delete(id);
      this.vmSamples.forget(id);
      changed.add(`vm:${id}`).add('vms');
    }
    for (const id of hosts) {
      this.hosts.delete(id);
      this.hostSamples.forget(id);
      changed.add(`host:${id}`).add('hosts').add('hosts.names');
    }
    for (const id of migrations) {
      this.migrations.delete(id);
      this.migrationSamples.forget(id);
      changed.add(`migration:${id}`).add('migrations');
    }
  }

  private tell(topics: ReadonlySet<string>): void {
    this.changes++;
    const told = new Set<Listener>();
    for (const topic of topics) for (const listener of this.listeners.get(topic) ?? []) told.add(listener);
    for (const listener of told) listener();
  }
}

export const idOf = (vm: Vm): string => vm.spec?.vmId ?? '';
export const nameOf = (vm: Vm): string => vm.spec?.name ?? '';
export const store = new Store();
