/**
 * Operations on one VM: a row of kinds.ts, played. Each ends: by an answer, by what is observed, by a
 * cancel, or at its deadline.
 *
 *   begin ─► phase: order written down, then sent ─► done ─► next phase … ─► succeeded
 *                │        again with each Hello             │
 *                │                                          ├─ failed, refused ─► another host, another phase, or failed
 *                └─ observed to be so (lost answer) ─►      └─ unknown, no answer ─► unknown
 *
 * "failed" is only said of what is known not to have happened.
 */
import type { Context } from './context';
import { end, index, tellStarted, type Ending } from './endings';
import { KINDS, type Kind, type Phase } from './kinds';
import { QUICK_ORDER_MS, SETTLE_MS, SLOW_ORDER_MS, START_ATTEMPTS } from './limits';
import type { OrderBody } from './orders';
import type { OperationArguments, OperationKind, OperationRecord } from './records';
import type { OrderResult } from './reports';
import { runnerOf, type Vm, whereabouts } from './state';
import { follow, saveVm, setHost, touchVm } from './vms';

export interface Draft {
  readonly kind: keyof typeof KINDS;
  readonly vm: Vm;
  /** For phases at the chosen host. */
  readonly hostId: string;
  readonly actor: string;
  readonly cause: string;
  readonly key?: string;
  readonly parentId?: string;
  readonly timeMs: number;
  readonly arguments?: OperationArguments;
}

const kindOf = ({ kind }: OperationRecord): Kind => KINDS[kind as keyof typeof KINDS];
export const phaseOf = (operation: OperationRecord): Phase | undefined => kindOf(operation)?.phases[operation.phase];
export const saveOperation = (ctx: Context, operation: OperationRecord): void => ctx.save('operation', operation.id, () => operation);

export function begin(ctx: Context, draft: Draft): OperationRecord {
  const { vm, kind } = draft;
  const { record } = vm;
  const operation: OperationRecord = {
    ...blank(ctx, kind, draft),
    vmId: record.id,
    vmName: record.spec.name,
    hostId: draft.hostId || record.hostId,
    arguments: { ...draft.arguments, epoch: record.epoch, wantedBefore: record.wanted, hostBefore: record.hostId },
  };
  index(ctx, operation);
  tellStarted(ctx, operation);
  vm.operationId = operation.id;
  touchVm(ctx, vm);
  const source = ctx.state.vms.get(operation.arguments.sourceVmId ?? '');
  if (source) {
    source.operationId = operation.id;
    touchVm(ctx, source);
  }
  const row = KINDS[kind];
  if (row.wanted) record.wanted = row.wanted(operation);
  saveVm(ctx, vm);
  enter(ctx, operation, vm, typeof row.first === 'string' ? row.first : row.first(operation, vm));
  return operation;
}

export function blank(
  ctx: Context,
  kind: OperationKind,
  draft: Pick<Draft, 'actor' | 'cause' | 'key' | 'parentId' | 'timeMs'>,
): OperationRecord {
  return {
    id: ctx.ports.newId(),
    kind,
    state: 'running',
    vmId: '',
    vmName: '',
    hostId: '',
    line: '',
    errorCode: '',
    items: [],
    createdAtMs: ctx.now,
    endedAtMs: 0,
    deadlineAtMs: ctx.now + draft.timeMs,
    actor: draft.actor,
    cause: draft.cause,
    key: draft.key ?? '',
    progress: 0,
    cancelWanted: false,
    phase: '',
    orderId: '',
    parentId: draft.parentId ?? '',
    arguments: {},
  };
}

/** A leader that has just begun takes them up: orders keep their ids, so that a host does each once. */
export function takeUp(ctx: Context, operation: OperationRecord): void {
  const vm = ctx.state.vms.get(operation.vmId);
  const phase = phaseOf(operation);
  if (!vm || !phase)
    return finish(ctx, operation, { state: 'unknown', code: 'internal', line: 'it was cut short by a change of controller' });
  vm.operationId = operation.id;
  touchVm(ctx, vm);
  const source = ctx.state.vms.get(operation.arguments.sourceVmId ?? '');
  if (source) {
    source.operationId = operation.id;
    touchVm(ctx, source);
  }
  ctx.timers.set(`operation/${operation.id}`, Math.min(ctx.now + SLOW_ORDER_MS, operation.deadlineAtMs));
  if (operation.cancelWanted) return undo(ctx, operation, vm, phase);
  // Without an order it waits for what its host reports.
  if (!operation.orderId) return;
  order(ctx, operation, vm, phase);
  const pending = ctx.state.orders.get(operation.orderId);
  if (pending) pending.sent = true;
}

function enter(ctx: Context, operation: OperationRecord, vm: Vm, name: string): void {
  operation.phase = name;
  operation.orderId = '';
  const phase = phaseOf(operation)!;
  if (phase.at === 'runner') operation.hostId = runnerOf(ctx.state, vm)?.host.record.id || vm.record.hostId || operation.hostId;
  if (!ctx.state.hosts.get(operation.hostId))
    return finish(ctx, operation, {
      state: 'failed',
      code: 'no-host',
      line: `there is no host for it: ${whereabouts(ctx.state, vm, operation.vmName)}`,
    });
  if (phase.starts) setHost(ctx, vm, operation.hostId);
  order(ctx, operation, vm, phase);
}

function order(ctx: Context, operation: OperationRecord, vm: Vm, phase: Phase): void {
  const wanted = typeof phase.timeMs === 'number' ? phase.timeMs : phase.timeMs(operation);
  const timeMs = Math.max(1_000, Math.min(wanted, operation.deadlineAtMs - ctx.now));
  operation.line = `${operation.phase}: waits for ${ctx.state.hostName(operation.hostId)}`;
  operation.orderId = ctx.order(operation.hostId, 'operation', operation.id, {
    id: operation.orderId,
    vmId: operation.vmId,
    timeMs,
    body: withBaseline(ctx, phase.body(operation, vm)),
  });
  ctx.timers.set(`operation/${operation.id}`, Math.min(ctx.now + timeMs + SETTLE_MS, operation.deadlineAtMs));
  saveOperation(ctx, operation);
}

/** A VM that begins anew and asked for no features of its own is given the cluster's. */
function withBaseline(ctx: Context, body: OrderBody): OrderBody {
  const { features } = ctx.state.baseline;
  if (body.kind !== 'start' || body.spec.cpuFeatures.length > 0 || features.length === 0) return body;
  return { ...body, spec: { ...body.spec, cpuFeatures: features } };
}

export function onResult(ctx: Context, operation: OperationRecord, result: OrderResult): void {
  const vm = ctx.state.vms.get(operation.vmId);
  const phase = phaseOf(operation);
  if (!vm || !phase || result.orderId !== operation.orderId) return;
  if (result.state === 'working') {
    operation.progress = Math.max(operation.progress, Math.min(1, result.progress));
    if (result.line) operation.line = result.line;
    return ctx.touch('operation', operation.id);
  }
  ctx.forgetOrder(operation.orderId);
  // The order that undoes this one is on its way, and its answer ends the operation.
  if (operation.cancelWanted) return;
  if (result.state === 'done') return advance(ctx, operation, vm, phase, result);
  if (phase.reached?.(ctx, operation, vm)) return advance(ctx, operation, vm, phase, undefined);
  if (result.state === 'unknown') {
    // Its host reports what there is: that may yet tell.
    operation.line = result.line || 'the host cannot tell what became of it';
    operation.orderId = '';
    ctx.timers.set(`operation/${operation.id}`, Math.min(ctx.now + SETTLE_MS, operation.deadlineAtMs));
    return saveOperation(ctx, operation);
  }
  const other = phase.instead?.(operation, result.code);
  if (other) return enter(ctx, operation, vm, other);
  if (phase.elsewhere?.includes(result.code) && tryElsewhere(ctx, operation, vm)) return;
  const state = result.code === 'cancelled' ? 'cancelled' : 'failed';
  finish(ctx, operation, {
    state,
    code: result.code || 'internal',
    line: result.line || `${ctx.state.hostName(operation.hostId)} refused it`,
  });
}

function advance(ctx: Context, operation: OperationRecord, vm: Vm, phase: Phase, result: OrderResult | undefined): void {
  phase.done?.(vm, result, operation);
  if (result?.folder?.spec && operation.phase === 'change') {
    vm.record.place = { ...vm.record.place, folder: result.folder.folder };
    ctx.state.renameVm(vm, operation.arguments.spec!.name);
    vm.record.spec = { ...operation.arguments.spec!, vmId: vm.record.id };
    vm.record.revision++;
  }
  saveVm(ctx, vm);
  const next = typeof phase.next === 'function' ? phase.next(operation) : phase.next;
  if (next) return enter(ctx, operation, vm, next);
  finish(ctx, operation, {
    state: 'succeeded',
    line: `${operation.vmName} ${kindOf(operation).past}${phase.starts ? ` on ${ctx.state.hostName(operation.hostId)}` : ''}`,
  });
}

function tryElsewhere(ctx: Context, operation: OperationRecord, vm: Vm): boolean {
  const tried = [...(operation.arguments.triedHosts ?? []), operation.hostId];
  if (operation.arguments.hostWanted || tried.length >= START_ATTEMPTS) return false;
  const move = vm.record.suspended ? 'resume' : 'start';
  const { hostId } = ctx.ports.planner.place(ctx.state, { vm, move, hostId: '', exclude: new Set(tried), force: false }, ctx.now);
  if (!hostId) return false;
  operation.arguments = { ...operation.arguments, triedHosts: tried };
  operation.hostId = hostId;
  ctx.touch('vm', vm.record.id);
  enter(ctx, operation, vm, operation.phase);
  return true;
}

/** Something was reported of its VM: is that what it was to come to? */
export function onVm(ctx: Context, operation: OperationRecord): void {
  const vm = ctx.state.vms.get(operation.vmId);
  const phase = phaseOf(operation);
  if (!vm || !phase?.reached || operation.state !== 'running' || operation.cancelWanted) return;
  if (!phase.reached(ctx, operation, vm)) return;
  // The answer says more than what is seen, and comes soon if its host is there.
  const pending = ctx.state.orders.get(operation.orderId);
  if (pending && ctx.state.hosts.get(pending.hostId)?.sessionId) return;
  ctx.forgetOrder(operation.orderId);
  advance(ctx, operation, vm, phase, undefined);
}

/** No answer in its time, or its host is dead. */
export function onTime(ctx: Context, operation: OperationRecord, why: string): void {
  if (operation.state !== 'running') return;
  const vm = ctx.state.vms.get(operation.vmId);
  const phase = phaseOf(operation);
  if (vm && phase?.reached?.(ctx, operation, vm) && !operation.cancelWanted) {
    ctx.forgetOrder(operation.orderId);
    return advance(ctx, operation, vm, phase, undefined);
  }
  const pending = ctx.state.orders.get(operation.orderId);
  const host = ctx.state.hostName(operation.hostId);
  if (pending && !pending.sent)
    return finish(ctx, operation, {
      state: 'failed',
      code: 'host-unreachable',
      line: `${host} was not reached, so nothing was done (${why})`,
    });
  finish(ctx, operation, {
    state: 'unknown',
    code: 'host-unreachable',
    line: `${why}: it may have happened, or may yet; ${whereabouts(ctx.state, vm, operation.vmName)}`,
  });
}

/** Undefined: it is being cancelled; else why it cannot be. */
export function cancel(ctx: Context, operation: OperationRecord, why: string): string | undefined {
  const vm = ctx.state.vms.get(operation.vmId);
  const phase = phaseOf(operation);
  const pending = ctx.state.orders.get(operation.orderId);
  if (pending && !pending.sent) {
    finish(ctx, operation, {
      state: 'cancelled',
      code: 'cancelled',
      line: `cancelled before ${ctx.state.hostName(operation.hostId)} heard of it: ${why}`,
    });
    return undefined;
  }
  if (!phase?.undo || !vm) return `it is with ${ctx.state.hostName(operation.hostId)} already, and ends by itself shortly`;
  if (operation.cancelWanted) return undefined;
  operation.cancelWanted = true;
  operation.line = `being cancelled: ${why}`;
  undo(ctx, operation, vm, phase);
  saveOperation(ctx, operation);
  return undefined;
}

/** The first order's answer may still come; this one makes sure of what it left. */
function undo(ctx: Context, operation: OperationRecord, vm: Vm, phase: Phase): void {
  const kill = phase.undo === 'kill';
  const body = kill ? ({ kind: 'stop', how: 'kill' } as const) : ({ kind: 'remove', place: vm.record.place } as const);
  ctx.order(operation.hostId, 'host', `cancel/${operation.id}`, {
    vmId: operation.vmId,
    timeMs: kill ? QUICK_ORDER_MS : SLOW_ORDER_MS,
    body,
  });
}

/** The answer to the order that undoes a cancelled operation's. */
export function onUndone(ctx: Context, operation: OperationRecord, result: OrderResult): void {
  if (operation.state !== 'running' || result.state === 'working') return;
  const certain = result.state === 'done' || result.code === 'not-here';
  finish(
    ctx,
    operation,
    certain
      ? { state: 'cancelled', code: 'cancelled', line: 'cancelled, and nothing is left of it' }
      : { state: 'unknown', code: result.code, line: result.line },
  );
}

function finish(ctx: Context, operation: OperationRecord, ending: Ending): void {
  ctx.forgetOrder(operation.orderId);
  ctx.timers.clear(`operation/${operation.id}`);
  settleVm(ctx, operation, ending);
  end(ctx, operation, ending);
}

/** What the end means for the VM: nothing that is certain not to be stays written down. */
function settleVm(ctx: Context, operation: OperationRecord, { state, line, code }: Ending): void {
  const { state: known } = ctx;
  const { arguments: given, kind, phase } = operation;
  for (const id of [operation.vmId, given.sourceVmId ?? '']) {
    const vm = known.vms.get(id);
    if (vm?.operationId !== operation.id) continue;
    vm.operationId = '';
    touchVm(ctx, vm);
    ctx.signals.push({ signal: 'vmFree', vmId: id });
  }
  const vm = known.vms.get(operation.vmId);
  if (!vm) return;
  const { record } = vm;
  const runner = runnerOf(known, vm);
  const here = runner?.host.sessionId ? runner : undefined;
  const row = KINDS[kind as keyof typeof KINDS];
  if (state === 'succeeded') {
    record.line = '';
    if (kind === 'remove-vm') return removed(ctx, operation, vm);
    if (row.phases[phase]?.starts) record.wanted = given.paused ? 'paused' : 'running';
    if ((phase === 'kill' || phase === 'button' || phase === 'suspend') && !here) setHost(ctx, vm, '');
  } else if (state !== 'unknown') {
    if (row.wanted) record.wanted = given.wantedBefore ?? record.wanted;
    // A start that was refused leaves the VM where it was; one whose lease is held runs there.
    if (row.phases[phase]?.starts) setHost(ctx, vm, here?.host.record.id ?? (code === 'lease-held' ? (given.hostBefore ?? '') : ''));
    if (kind === 'restart-vm') record.line = line;
    if (record.creating) {
      known.dropVm(vm);
      return ctx.erase('vm', record.id);
    }
  } else {
    record.line = line;
    if (kind === 'remove-vm' && phase === 'remove') record.removing = true;
    if (here) follow(ctx, vm, here.report);
  }
  saveVm(ctx, vm);
}

function removed(ctx: Context, operation: OperationRecord, vm: Vm): void {
  const { id } = vm.record;
  ctx.state.dropVm(vm);
  ctx.erase('vm', id);
  ctx.state.tombstones.set(id, ctx.now);
  ctx.save('tombstone', id, () => ({ id, atMs: ctx.state.tombstones.get(id) ?? 0 }));
  ctx.tell({
    kind: 'vm.removed',
    vmId: id,
    operationId: operation.id,
    actor: operation.actor,
    line: `${operation.vmName} was removed with its disks`,
  });
}
