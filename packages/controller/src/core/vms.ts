/**
 * What is observed of VMs. Reports change what is known; what was wanted follows them where nothing
 * is under way, since hosts hold the truth: a VM that its guest shut down is one that is to be
 * stopped, one that somebody started by hand is one that is to run.
 */
import type { Context } from './context';
import type { EventKind } from './event-kinds';
import type { VmRecord, WantedState } from './records';
import type { VmmReport } from './reports';
import type { VmSpec } from './spec';
import { type Host, isActive, runnerOf, type Vm } from './state';
import { tellPauses, tellTwo } from './vm-events';

interface End {
  readonly wanted?: WantedState;
  readonly suspended?: boolean;
  readonly event: EventKind;
  readonly what: string;
}

const ENDS: Readonly<Record<string, End>> = {
  'power-off': { wanted: 'stopped', event: 'vm.stopped', what: 'was shut down by its guest' },
  stopped: { wanted: 'stopped', event: 'vm.stopped', what: 'was stopped' },
  suspended: { wanted: 'suspended', suspended: true, event: 'vm.suspended', what: 'was suspended' },
  reset: { event: 'vm.stopped', what: 'has ended with a reset' },
  migrated: { event: 'vm.stopped', what: 'was moved away' },
};
const crash = (ended: string): End => ({ event: 'vm.crashed', what: `has crashed (${ended})` });

export const saveVm = (ctx: Context, vm: Vm): void => ctx.save('vm', vm.record.id, () => vm.record);

/** It looks different, and so do the hosts where it is or may be. */
export function touchVm(ctx: Context, vm: Vm): void {
  ctx.touch('vm', vm.record.id);
  for (const hostId of new Set([vm.record.hostId, ...vm.vmms.values()])) if (hostId) ctx.touch('host', hostId);
}

/** Writes down where it may be running; '' when that is known to have ended. */
export function setHost(ctx: Context, vm: Vm, hostId: string): void {
  const { record } = vm;
  if (record.hostId !== hostId) {
    ctx.state.hosts.get(record.hostId)?.vmIds.delete(record.id);
    ctx.state.hosts.get(hostId)?.vmIds.add(record.id);
    for (const id of [record.hostId, hostId]) if (id) ctx.touch('host', id);
    record.hostId = hostId;
  }
  saveVm(ctx, vm);
}

export function observeVmm(ctx: Context, host: Host, report: VmmReport): void {
  const { state } = ctx;
  const vm = state.vms.get(report.vmId) ?? (isActive(report) && !report.ended ? adoptRunning(ctx, host, report) : undefined);
  if (report.ended) return endVmm(ctx, host, report);
  const before = host.vmms.get(report.vmmId);
  host.vmms.set(report.vmmId, report);
  if (!vm) return;
  tellPauses(ctx, host, vm, before, report);
  if (!before) tellTwo(ctx, host, vm, report);
  vm.vmms.set(report.vmmId, host.record.id);
  vm.seenAtMs = ctx.now;
  if (isActive(report) && report.epoch > 0) own(ctx, host, vm, report);
  // Its figures change all the time, and are not shown with its host.
  if (before?.state === report.state && before.epoch === report.epoch) ctx.touch('vm', vm.record.id);
  else touchVm(ctx, vm);
  ctx.signals.push({ signal: 'vmSeen', vmId: vm.record.id });
}

/** `report.ended` says how; a process that is simply no longer there has ended as 'gone'. */
export function endVmm(ctx: Context, host: Host, report: VmmReport): void {
  const vm = ctx.state.vms.get(report.vmId);
  const was = vm && runnerOf(ctx.state, vm);
  host.vmms.delete(report.vmmId);
  // A drain may wait for the last one.
  if (host.operationId && host.vmms.size === 0) ctx.signals.push({ signal: 'childEnded', parentId: host.operationId, childId: host.record.id });
  ctx.touch('host', host.record.id);
  if (!vm) return;
  touchVm(ctx, vm);
  vm.vmms.delete(report.vmmId);
  ctx.signals.push({ signal: 'vmSeen', vmId: vm.record.id });
  const mine = vm.record.hostId === host.record.id && (!was || was.report.vmmId === report.vmmId);
  if (mine && report.state !== 'incoming') hasEnded(ctx, host, vm, report.ended, report.line);
}

/** The VM is known to run no longer where it was. */
export function hasEnded(ctx: Context, host: Host, vm: Vm, ended: string, line: string): void {
  const { record } = vm;
  const end = ENDS[ended] ?? crash(ended);
  // What the source's process was when it ended does not tell where the VM is: the lease does, and the migration finds out.
  if (vm.migrationId && !end.wanted) return;
  if (end.suspended) record.suspended = true;
  const asked = vm.operationId !== '';
  if (!asked && end.wanted) record.wanted = end.wanted;
  record.line = end.event === 'vm.crashed' ? line || end.what : '';
  setHost(ctx, vm, '');
  if (!asked || end.event === 'vm.crashed') {
    const text = `${record.spec.name} ${end.what} on ${host.record.name}${line ? `: ${line}` : ''}`;
    ctx.tell({ kind: end.event, vmId: record.id, hostId: host.record.id, line: text, cause: 'report' });
  }
  ctx.signals.push({ signal: 'vmFree', vmId: record.id });
}

function own(ctx: Context, host: Host, vm: Vm, report: VmmReport): void {
  const { record } = vm;
  const hostId = host.record.id;
  if (report.epoch < record.epoch && record.hostId !== hostId) return;
  if (report.epoch > record.epoch || record.hostId !== hostId || record.suspended || record.creating) {
    const other = record.hostId && record.hostId !== hostId ? ctx.state.hosts.get(record.hostId) : undefined;
    record.epoch = Math.max(report.epoch, record.epoch);
    if (!report.incomingMigrationId) record.begunAtMs = report.startedAtMs;
    record.suspended = false;
    record.creating = false;
    record.cpu = report.facts?.cpu ?? record.cpu;
    record.machineVersion = report.facts?.machineVersion ?? record.machineVersion;
    if (record.hostId !== hostId && !vm.migrationId && !vm.operationId) {
      const line = `${record.spec.name} runs on ${host.record.name}${other ? `, no longer on ${other.record.name}` : ''}`;
      ctx.tell({ kind: 'vm.started', vmId: record.id, hostId, line, cause: 'report' });
    }
    setHost(ctx, vm, hostId);
  }
  if (!vm.operationId && !vm.migrationId) follow(ctx, vm, report);
}

/** Nothing is under way: what is wanted is what is. */
export function follow(ctx: Context, vm: Vm, report: VmmReport): void {
  const { record } = vm;
  if (report.state !== 'running' && report.state !== 'paused') return;
  const is: WantedState = report.pauses.includes('operator') ? 'paused' : 'running';
  if (record.wanted === is) return;
  record.wanted = is;
  saveVm(ctx, vm);
}

/** A VM that runs and is not known here; its folder's listing completes it later. */
function adoptRunning(ctx: Context, host: Host, report: VmmReport): Vm | undefined {
  if (!report.vmId || report.epoch === 0 || !report.place) return undefined;
  const { facts } = report;
  const spec: VmSpec = {
    vmId: report.vmId,
    name: report.name || report.vmId,
    memoryBytes: facts?.memoryBytes ?? 0,
    vcpus: facts?.vcpus ?? 1,
    cpuFeatures: facts?.cpu.features ?? [],
    disks: [],
    networks: [],
    labels: {},
    restart: 'always',
    migration: { manualOnly: false },
    reservedMemoryBytes: 0,
    machineVersion: facts?.machineVersion ?? 0,
    priority: 0,
  };
  const vm = ctx.state.addVm(newRecord(ctx, spec, report.place, { wanted: 'running', adopted: true }));
  ctx.state.tombstones.delete(report.vmId);
  saveVm(ctx, vm);
  const line = `${spec.name} runs on ${host.record.name} and was not known: adopted`;
  ctx.tell({ kind: 'vm.adopted', vmId: report.vmId, hostId: host.record.id, line, cause: 'report' });
  return vm;
}

export function newRecord(ctx: Context, spec: VmSpec, place: VmRecord['place'], rest: Partial<VmRecord>): VmRecord {
  return {
    id: spec.vmId,
    spec,
    place,
    wanted: 'stopped',
    hostId: '',
    epoch: 0,
    cpu: undefined,
    machineVersion: 0,
    movedAtMs: 0,
    suspended: false,
    creating: false,
    adopted: false,
    line: '',
    createdAtMs: ctx.now,
    restarts: 0,
    restartedAtMs: 0,
    revision: 1,
    ...rest,
  };
}
