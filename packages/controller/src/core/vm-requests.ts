/** What operators ask of VMs: checked against what is known, then begun as an operation. Refused at once where it cannot succeed. */
import type { Context } from './context';
import { Refusal } from './errors';
import { KEY_KEPT_MS, MAX_OPERATION_MS, MAX_VMS } from './limits';
import { begin, type Draft } from './operations';
import type { OperationRecord } from './records';
import type { VmState } from './reports';
import type { VmPlace, VmSpec } from './spec';
import { checkSpec } from './spec-checks';
import { type Host, runnerOf, stateOf, type Vm, whereabouts } from './state';
import { newRecord, saveVm } from './vms';

export interface Asked {
  readonly actor: string;
  /** Empty: none. */
  readonly key: string;
  /** 0: the cluster's setting. */
  readonly timeMs: number;
}

export const findVm = (ctx: Context, name: string): Vm => {
  const vm = ctx.state.findVm(name);
  if (vm) return vm;
  throw new Refusal('no-vm', ctx.state.hasVmNamed(name) ? `several VMs are named ${name}: use the id` : `there is no VM ${name}`);
};
export const findHost = (ctx: Context, name: string): Host => {
  const host = ctx.state.findHost(name);
  if (host) return host;
  throw new Refusal('no-host', `there is no host ${name}`);
};

export function timeOf(ctx: Context, asked: Asked, otherwise = ctx.state.settings.operationMs): number {
  if (!(asked.timeMs >= 0 && asked.timeMs <= MAX_OPERATION_MS)) throw new Refusal('invalid', 'the time must be from 0 to 7 days');
  return asked.timeMs || otherwise;
}

/** The user's key, by which a request that comes twice is known. */
export const keyOf = ({ actor, key }: Asked): string => (key ? `${actor}\n${key}` : '');

/** The id of what the same key has begun before. */
export function begunBefore(ctx: Context, asked: Asked, kind: string): string | undefined {
  const id = asked.key ? ctx.state.keys.get(keyOf(asked)) : undefined;
  const before = id ? (ctx.state.operations.get(id) ?? ctx.state.migrations.get(id)) : undefined;
  if (!before || ctx.now - before.createdAtMs > KEY_KEPT_MS) return undefined;
  const was = 'kind' in before ? before.kind : 'migrate-vm';
  if (was !== kind) throw new Refusal('key-reused', `that idempotency key has begun another operation (${was})`);
  return before.id;
}

/** @throws Refusal 'busy' */
export function checkFree(ctx: Context, vm: Vm): void {
  const { name } = vm.record.spec;
  const operation = ctx.state.operations.get(vm.operationId);
  if (operation) throw new Refusal('busy', `${name} is busy with ${operation.kind} (${operation.id}): wait for it, or cancel it`);
  if (vm.migrationId) throw new Refusal('busy', `${name} is being moved by migration ${vm.migrationId}: wait for it, or cancel it`);
}

function checkState(ctx: Context, vm: Vm, may: readonly VmState[], what: string): void {
  const state = stateOf(ctx.state, vm);
  if (may.includes(state)) return;
  const where = whereabouts(ctx.state, vm, vm.record.spec.name);
  if (state === 'unknown')
    throw new Refusal('host-unreachable', `${where}: it cannot be ${what} before that host speaks or is known to be dead`);
  throw new Refusal('wrong-state', `${where}: only a VM that is ${may.join(' or ')} can be ${what}`);
}

function go(ctx: Context, asked: Asked, kind: Draft['kind'], vm: Vm, hostId: string, rest: Draft['arguments'] = {}): OperationRecord {
  return begin(ctx, {
    kind,
    vm,
    hostId,
    actor: asked.actor,
    cause: 'operator',
    key: keyOf(asked),
    timeMs: timeOf(ctx, asked),
    arguments: rest,
  });
}

const again = (ctx: Context, asked: Asked, kind: string): OperationRecord | undefined =>
  ctx.state.operations.get(begunBefore(ctx, asked, kind) ?? '');

/** Where a VM that does not run may start. @throws Refusal 'blocked' with the first reason of each host */
function choose(ctx: Context, vm: Vm, move: 'start' | 'resume', wanted: string): string {
  const hostId = wanted && findHost(ctx, wanted).record.id;
  const placement = ctx.ports.planner.place(ctx.state, { vm, move, hostId, exclude: new Set(), force: false }, ctx.now);
  if (!placement.hostId) throw new Refusal('blocked', placement.line);
  return placement.hostId;
}

/** Any host that reaches its datastore: for what needs only its files. */
function hostWith(ctx: Context, place: VmPlace): string {
  for (const host of ctx.state.hosts.values())
    if (host.sessionId && host.datastores.get(place.datastoreId)?.reachable) return host.record.id;
  throw new Refusal('host-unreachable', `no host that is connected reaches the datastore ${place.datastoreId}`);
}

export function createVm(ctx: Context, asked: Asked & { spec: VmSpec; datastore: string; host: string; start: boolean }): OperationRecord {
  const before = again(ctx, asked, 'create-vm');
  if (before) return before;
  const vm = newVm(ctx, { ...asked.spec, vmId: ctx.ports.newId() }, asked.datastore);
  return making(ctx, vm, () => {
    const hostId = choose(ctx, vm, 'start', asked.host);
    return go(ctx, asked, 'create-vm', vm, hostId, { start: asked.start, hostWanted: asked.host !== '' });
  });
}

export function cloneVm(
  ctx: Context,
  asked: Asked & { vm: string; name: string; datastore: string; linked: boolean; start: boolean },
): OperationRecord {
  const before = again(ctx, asked, 'clone-vm');
  if (before) return before;
  const source = findVm(ctx, asked.vm);
  checkFree(ctx, source);
  checkState(ctx, source, ['stopped', 'suspended'], 'copied');
  const { spec, place } = source.record;
  if (asked.linked && asked.datastore && asked.datastore !== place.datastoreId)
    throw new Refusal('invalid', 'a linked copy lies in the datastore of its original');
  const disks = spec.disks.map((disk) => ({ ...disk, origin: { copy: { place, file: disk.file, linked: asked.linked } } }));
  const networks = spec.networks.map((network) => ({ ...network, mac: '' }));
  const vm = newVm(ctx, { ...spec, vmId: ctx.ports.newId(), name: asked.name, disks, networks }, asked.datastore || place.datastoreId);
  return making(ctx, vm, () =>
    go(ctx, asked, 'clone-vm', vm, choose(ctx, vm, 'start', ''), { start: asked.start, sourceVmId: source.record.id }),
  );
}

function newVm(ctx: Context, given: VmSpec, datastore: string): Vm {
  const spec = checkSpec(given, ctx.ports.newId);
  if (ctx.state.hasVmNamed(spec.name)) throw new Refusal('vm-exists', `there is a VM named ${spec.name} already`);
  if (ctx.state.vms.size >= MAX_VMS) throw new Refusal('limit', `a cluster holds at most ${MAX_VMS} VMs`);
  const place = { datastoreId: chooseDatastore(ctx, datastore), folder: spec.name };
  return ctx.state.addVm(newRecord(ctx, spec, place, { creating: true }));
}

/** Takes the record back if the operation cannot begin. */
function making(ctx: Context, vm: Vm, start: () => OperationRecord): OperationRecord {
  try {
    const operation = start();
    ctx.tell({
      kind: 'vm.created',
      vmId: vm.record.id,
      operationId: operation.id,
      actor: operation.actor,
      line: `${vm.record.spec.name} is being made`,
    });
    return operation;
  } catch (error) {
    ctx.state.dropVm(vm);
    throw error;
  }
}

/** By id or name; empty: the one with the most room that a connected host reaches. */
function chooseDatastore(ctx: Context, wanted: string): string {
  let best: { id: string; freeBytes: number } | undefined;
  for (const host of ctx.state.hosts.values()) {
    if (!host.sessionId) continue;
    for (const { datastoreId, name, reachable, freeBytes } of host.datastores.values()) {
      if (wanted && (wanted === datastoreId || wanted === name)) return datastoreId;
      if (!wanted && reachable && freeBytes > (best?.freeBytes ?? -1)) best = { id: datastoreId, freeBytes };
    }
  }
  if (best) return best.id;
  throw new Refusal('storage', wanted ? `no connected host has a datastore ${wanted}` : 'no connected host reaches a datastore');
}

export function startVm(
  ctx: Context,
  asked: Asked & { vm: string; host: string; paused: boolean; discardSavedState: boolean },
): OperationRecord {
  const before = again(ctx, asked, 'start-vm');
  if (before) return before;
  const vm = findVm(ctx, asked.vm);
  checkFree(ctx, vm);
  const dead = ctx.state.hosts.get(vm.record.hostId)?.status === 'dead';
  if (!dead) checkState(ctx, vm, ['stopped', 'suspended'], 'started');
  const { paused, discardSavedState } = asked;
  const move = vm.record.suspended && !discardSavedState ? 'resume' : 'start';
  return go(ctx, asked, 'start-vm', vm, choose(ctx, vm, move, asked.host), {
    paused,
    discardSavedState,
    takeOver: dead,
    hostWanted: asked.host !== '',
  });
}

export function stopVm(ctx: Context, asked: Asked & { vm: string; kill: boolean; killAfterMs: number | undefined }): OperationRecord {
  const { kill, killAfterMs } = asked;
  return running(ctx, asked, 'stop-vm', 'stopped', { kill, ...(killAfterMs === undefined ? {} : { killAfterMs }) });
}

export const suspendVm = (ctx: Context, asked: Asked & { vm: string }): OperationRecord => running(ctx, asked, 'suspend-vm', 'suspended');
export const pauseVm = (ctx: Context, asked: Asked & { vm: string }): OperationRecord => running(ctx, asked, 'pause-vm', 'paused');
export const resetVm = (ctx: Context, asked: Asked & { vm: string }): OperationRecord => running(ctx, asked, 'reset-vm', 'reset');

function running(
  ctx: Context,
  asked: Asked & { vm: string },
  kind: Draft['kind'],
  what: string,
  rest: Draft['arguments'] = {},
): OperationRecord {
  const before = again(ctx, asked, kind);
  if (before) return before;
  const vm = findVm(ctx, asked.vm);
  checkFree(ctx, vm);
  checkState(ctx, vm, ['running', 'paused', 'starting'], what);
  return go(ctx, asked, kind, vm, runnerOf(ctx.state, vm)!.host.record.id, rest);
}

export function resumeVm(ctx: Context, asked: Asked & { vm: string }): OperationRecord {
  const before = again(ctx, asked, 'resume-vm');
  if (before) return before;
  const vm = findVm(ctx, asked.vm);
  checkFree(ctx, vm);
  checkState(ctx, vm, ['suspended', 'paused', 'running'], 'resumed');
  const runner = runnerOf(ctx.state, vm);
  return go(ctx, asked, 'resume-vm', vm, runner?.host.record.id ?? choose(ctx, vm, 'resume', ''));
}

/** What may change while it runs. */
const LIVE: readonly (keyof VmSpec)[] = ['labels', 'restart', 'migration', 'priority', 'reservedMemoryBytes'];

/** The operation; or undefined when it is done already, since nothing of it concerns a host. */
export function changeVm(ctx: Context, asked: Asked & { vm: string; spec: VmSpec; revision: number }): OperationRecord | undefined {
  const before = again(ctx, asked, 'change-vm');
  if (before) return before;
  const vm = findVm(ctx, asked.vm);
  const { record } = vm;
  const spec = checkSpec({ ...asked.spec, vmId: record.id }, ctx.ports.newId);
  if (asked.revision && asked.revision !== record.revision)
    throw new Refusal('changed', `${record.spec.name} was changed meanwhile: read it again`);
  if (spec.name !== record.spec.name && ctx.state.hasVmNamed(spec.name))
    throw new Refusal('vm-exists', `there is a VM named ${spec.name} already`);
  const fixed = (of: VmSpec): string =>
    JSON.stringify(
      Object.entries(of)
        .filter(([field]) => !LIVE.includes(field as keyof VmSpec))
        .sort(),
    );
  if (fixed(spec) === fixed(record.spec)) {
    record.spec = spec;
    record.revision++;
    saveVm(ctx, vm);
    ctx.tell({ kind: 'vm.changed', vmId: record.id, actor: asked.actor, line: `${spec.name} was changed` });
    return undefined;
  }
  checkFree(ctx, vm);
  checkState(ctx, vm, ['stopped'], 'changed in this way');
  return go(ctx, asked, 'change-vm', vm, hostWith(ctx, record.place), { spec });
}

export function removeVm(ctx: Context, asked: Asked & { vm: string; force: boolean }): OperationRecord {
  const before = again(ctx, asked, 'remove-vm');
  if (before) return before;
  const vm = findVm(ctx, asked.vm);
  checkFree(ctx, vm);
  const state = stateOf(ctx.state, vm);
  if (state !== 'stopped' && state !== 'suspended' && !asked.force)
    throw new Refusal('wrong-state', `${whereabouts(ctx.state, vm, vm.record.spec.name)}: stop it first, or force it`);
  if (state === 'unknown') checkState(ctx, vm, ['stopped'], 'removed');
  return go(ctx, asked, 'remove-vm', vm, runnerOf(ctx.state, vm)?.host.record.id ?? hostWith(ctx, vm.record.place));
}
