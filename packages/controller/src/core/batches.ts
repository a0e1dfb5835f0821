/**
 * Drains and balancing: many VMs, one operation. Each item is a migration (or a suspend and resume, or a
 * stop) of its own; one that fails does not keep the others from going on, and is named in the end.
 */
import type { Context } from './context';
import { end, index, tellStarted } from './endings';
import { BATCH_MS, DRAIN_PASSES, LEAVE_MS, MAX_BATCH_ITEMS, MIGRATION_MS, QUICK_ORDER_MS } from './limits';
import { beginMigration, cancelMigration } from './migrations';
import { begin, blank, cancel, saveOperation } from './operations';
import type { OperationItem, OperationRecord } from './records';
import type { PlannedMove } from './planner';
import { type Host, hasVmmAt, isActive, runnerOf, stateOf, type Vm } from './state';

const POLL_MS = 5_000;

export interface BatchDraft {
  readonly actor: string;
  readonly key: string;
  readonly timeMs?: number;
  readonly otherwise?: 'suspend' | 'stop' | 'leave';
  readonly settings?: OperationRecord['arguments']['settings'];
  readonly concurrent?: number;
}

export function beginDrain(ctx: Context, host: Host, draft: BatchDraft): OperationRecord {
  const operation = beginBatch(ctx, 'drain-host', draft);
  operation.hostId = host.record.id;
  setMaintenance(ctx, host, 'draining');
  host.operationId = operation.id;
  ctx.tell({
    kind: 'host.draining',
    hostId: host.record.id,
    operationId: operation.id,
    actor: draft.actor,
    line: `${host.record.name} is being emptied`,
  });
  plan(ctx, operation, host);
  advance(ctx, operation);
  return operation;
}

export function beginBalance(ctx: Context, moves: readonly PlannedMove[], draft: BatchDraft): OperationRecord {
  const operation = beginBatch(ctx, 'balance', draft);
  for (const move of moves) add(ctx, operation, move.vmId, { toHostId: move.toHostId, line: move.line });
  advance(ctx, operation);
  return operation;
}

/** As the cluster's settings say: not at all, as a proposal, or done. */
export function balanceByItself(ctx: Context): void {
  const { balanceMode } = ctx.state.settings;
  const busy = [...ctx.state.running].some((id) => ctx.state.operations.get(id)?.kind === 'balance');
  if (balanceMode === 'off' || busy || ctx.state.moving.size > 0) return;
  const { moves, line } = ctx.ports.planner.balance(ctx.state, ctx.now);
  if (moves.length === 0) return;
  if (balanceMode === 'automatic') beginBalance(ctx, moves, { actor: 'controller', key: '' });
  else ctx.tell({ kind: 'balance.proposed', line: `${line}: ${moves.map((move) => move.line).join('; ')}`, cause: 'policy' });
}

function beginBatch(ctx: Context, kind: 'drain-host' | 'balance', draft: BatchDraft): OperationRecord {
  const { otherwise = 'leave', settings = {}, concurrent = 0 } = draft;
  const operation = {
    ...blank(ctx, kind, { ...draft, cause: draft.actor === 'controller' ? 'policy' : 'operator', timeMs: draft.timeMs ?? BATCH_MS }),
    arguments: { otherwise, settings, concurrent, pass: 1 },
  };
  index(ctx, operation);
  tellStarted(ctx, operation);
  ctx.timers.set(`deadline/${operation.id}`, operation.deadlineAtMs);
  return operation;
}

export function takeUpBatch(ctx: Context, operation: OperationRecord): void {
  const host = ctx.state.hosts.get(operation.hostId);
  if (host && operation.kind === 'drain-host') host.operationId = operation.id;
  ctx.timers.set(`deadline/${operation.id}`, operation.deadlineAtMs);
  ctx.timers.set(`operation/${operation.id}`, ctx.now + POLL_MS);
}

export function setMaintenance(ctx: Context, host: Host, maintenance: Host['record']['maintenance']): void {
  host.record.maintenance = maintenance;
  ctx.save('host', host.record.id, () => host.record);
  // Its facts say so from then on; the planner goes by the record.
  ctx.order(host.record.id, 'host', host.record.id, {
    vmId: '',
    timeMs: QUICK_ORDER_MS,
    body: { kind: 'setMaintenance', maintenance: maintenance !== 'no' },
  });
}

/** VMs that are on the host, or may be. */
export function vmsOn(ctx: Context, host: Host): Vm[] {
  const ids = new Set(host.vmIds);
  for (const report of host.vmms.values()) if (isActive(report)) ids.add(report.vmId);
  return [...ids].map((id) => ctx.state.vms.get(id)).filter((vm): vm is Vm => vm !== undefined && isOn(ctx, vm, host));
}

function isOn(ctx: Context, vm: Vm, host: Host): boolean {
  const runner = runnerOf(ctx.state, vm);
  if (runner) return runner.host === host;
  return vm.record.hostId === host.record.id && (!host.sessionId || hasVmmAt(ctx.state, vm, host.record.id) || vm.operationId !== '');
}

function plan(ctx: Context, operation: OperationRecord, host: Host): void {
  const { otherwise = 'leave' } = operation.arguments;
  const { moves, blockers } = ctx.ports.planner.drain(ctx.state, host, ctx.now, otherwise);
  for (const { vmId, line } of blockers) add(ctx, operation, vmId, { how: otherwise, line });
  for (const { vmId, toHostId, line, how = 'live' } of moves) add(ctx, operation, vmId, { toHostId, line, how });
  // One that is on its way here, or about which nothing is known yet, is looked at when its turn comes.
  for (const vm of vmsOn(ctx, host)) add(ctx, operation, vm.record.id, {});
}

function add(ctx: Context, operation: OperationRecord, vmId: string, rest: Partial<OperationItem>): void {
  if (operation.items.length >= MAX_BATCH_ITEMS || operation.items.some((item) => item.vmId === vmId)) return;
  const vmName = ctx.state.vms.get(vmId)?.record.spec.name ?? vmId;
  const toHostName = rest.toHostId ? ctx.state.hostName(rest.toHostId) : '';
  operation.items.push({
    vmId,
    vmName,
    state: '',
    line: '',
    errorCode: '',
    migrationId: '',
    operationId: '',
    toHostId: '',
    toHostName,
    how: 'live',
    ...rest,
  });
}

/** Begins what may begin, and ends when nothing is left to do. */
export function advance(ctx: Context, operation: OperationRecord): void {
  if (operation.state !== 'running') return;
  const limit = operation.arguments.concurrent || Infinity;
  let under = operation.items.filter(({ state }) => state === 'running').length;
  for (const item of operation.items) {
    if (item.state !== '') continue;
    if (operation.cancelWanted) close(item, 'cancelled', 'not begun', 'cancelled');
    else if (under < limit && start(ctx, operation, item)) under++;
  }
  const open = operation.items.filter(({ state }) => state === '' || state === 'running').length;
  const total = operation.items.length;
  operation.progress = Math.max(operation.progress, total > 0 ? (total - open) / total : 0);
  operation.line = `${total - open} of ${total} done`;
  // A VM may still be on its way to a host that is being emptied.
  const coming =
    operation.kind === 'drain-host' && !operation.cancelWanted && (ctx.state.hosts.get(operation.hostId)?.migrationIds.size ?? 0) > 0;
  if (open === 0 && !coming && !isBeingLeft(ctx, operation)) return finish(ctx, operation);
  ctx.timers.set(`operation/${operation.id}`, ctx.now + POLL_MS);
  saveOperation(ctx, operation);
}

/** Processes of VMs that have moved away end a moment later: only then nothing runs there. For one that does not, nobody waits long. */
function isBeingLeft(ctx: Context, operation: OperationRecord): boolean {
  const host = ctx.state.hosts.get(operation.hostId);
  if (operation.kind !== 'drain-host' || operation.cancelWanted || !host?.sessionId || host.vmms.size === 0 || vmsOn(ctx, host).length > 0) return false;
  const { leftAtMs = ctx.now } = operation.arguments;
  operation.arguments = { ...operation.arguments, leftAtMs };
  return ctx.now - leftAtMs < LEAVE_MS;
}

/** True: it is under way. */
function start(ctx: Context, operation: OperationRecord, item: OperationItem): boolean {
  const vm = ctx.state.vms.get(item.vmId);
  const host = operation.kind === 'drain-host' ? ctx.state.hosts.get(operation.hostId) : vm && runnerOf(ctx.state, vm)?.host;
  if (!vm || !host || !isOn(ctx, vm, host)) close(item, 'succeeded', 'it is no longer there', '');
  else if (vm.operationId || vm.migrationId) item.line = 'waits for what is under way';
  else if (stateOf(ctx.state, vm) === 'unknown') item.line = `waits for ${host.record.name} to speak`;
  else if (item.how === 'leave') close(item, 'failed', item.line || 'it cannot be moved', 'blocked');
  else begin1(ctx, operation, item, vm, host);
  return item.state === 'running';
}

function begin1(ctx: Context, operation: OperationRecord, item: OperationItem, vm: Vm, host: Host): void {
  const { actor, kind, id } = operation;
  const cause = kind === 'balance' ? 'balance' : 'drain';
  const common = { vm, actor, cause, parentId: id };
  item.state = 'running';
  if (item.how === 'live') {
    const settings = operation.arguments.settings ?? {};
    const draft = {
      ...common,
      sourceHostId: host.record.id,
      targetHostId: item.toHostId,
      hostWanted: false,
      settings,
      key: '',
      force: false,
      timeMs: MIGRATION_MS,
    };
    item.migrationId = beginMigration(ctx, draft).id;
  } else {
    const what =
      item.how === 'suspend' ? ({ kind: 'suspend-vm' } as const) : ({ kind: 'stop-vm', arguments: { killAfterMs: 120_000 } } as const);
    item.operationId = begin(ctx, { ...common, ...what, hostId: host.record.id, timeMs: ctx.state.settings.operationMs }).id;
  }
}

/** A migration or operation of one of its items has ended. */
export function onChildEnded(ctx: Context, operation: OperationRecord, childId: string): void {
  const item = operation.items.find(({ migrationId, operationId }) => migrationId === childId || operationId === childId);
  if (!item && childId === operation.hostId) return advance(ctx, operation);
  if (item?.state !== 'running') return;
  const migration = ctx.state.migrations.get(childId);
  const child = ctx.state.operations.get(childId);
  if (migration) {
    const { outcome, line, errorCode, targetHostId } = migration;
    Object.assign(item, { toHostId: targetHostId, toHostName: targetHostId && ctx.state.hostName(targetHostId) });
    close(
      item,
      outcome === 'completed' ? 'succeeded' : outcome === 'cancelled' || outcome === 'unknown' ? outcome : 'failed',
      line,
      errorCode,
    );
  } else if (child?.kind === 'suspend-vm' && child.state === 'succeeded' && !operation.cancelWanted) resumeElsewhere(ctx, operation, item);
  else if (child) close(item, child.state, child.line, child.errorCode);
  advance(ctx, operation);
}

function resumeElsewhere(ctx: Context, operation: OperationRecord, item: OperationItem): void {
  const vm = ctx.state.vms.get(item.vmId);
  const placement =
    vm &&
    ctx.ports.planner.place(ctx.state, { vm, move: 'resume', hostId: '', exclude: new Set([operation.hostId]), force: false }, ctx.now);
  if (!vm || !placement?.hostId)
    return close(item, 'failed', `it is suspended, and no host can resume it: ${placement?.line ?? ''}`, 'blocked');
  Object.assign(item, { how: 'live', toHostId: placement.hostId, toHostName: ctx.state.hostName(placement.hostId) });
  const { actor, id } = operation;
  item.operationId = begin(ctx, {
    kind: 'resume-vm',
    vm,
    hostId: placement.hostId,
    actor,
    cause: 'drain',
    parentId: id,
    timeMs: ctx.state.settings.operationMs,
  }).id;
}

export function cancelBatch(ctx: Context, operation: OperationRecord, why: string): void {
  if (operation.cancelWanted) return;
  operation.cancelWanted = true;
  const host = ctx.state.hosts.get(operation.hostId);
  if (host && operation.kind === 'drain-host') setMaintenance(ctx, host, 'no');
  for (const item of operation.items) {
    if (item.state !== 'running') continue;
    const migration = ctx.state.migrations.get(item.migrationId);
    const child = ctx.state.operations.get(item.operationId);
    if (migration) cancelMigration(ctx, migration, why);
    else if (child) cancel(ctx, child, why);
  }
  advance(ctx, operation);
}

/** Its time is over: what has not ended is told to, and named. */
export function onBatchDeadline(ctx: Context, operation: OperationRecord): void {
  for (const item of operation.items) {
    const migration = ctx.state.migrations.get(item.migrationId);
    if (item.state === 'running' && migration) cancelMigration(ctx, migration, 'the batch has taken its time');
    if (item.state === '' || item.state === 'running')
      close(item, item.state === '' ? 'failed' : 'unknown', 'not done in the time of the whole', 'cancelled');
  }
  finish(ctx, operation);
}

function finish(ctx: Context, operation: OperationRecord): void {
  const host = ctx.state.hosts.get(operation.hostId);
  const draining = operation.kind === 'drain-host' && host !== undefined;
  const { pass = 1 } = operation.arguments;
  const left = draining ? vmsOn(ctx, host) : [];
  const fresh = left.filter(({ record }) => !operation.items.some(({ vmId, state }) => vmId === record.id && state !== 'succeeded'));
  if (draining && !operation.cancelWanted && fresh.length > 0 && pass < DRAIN_PASSES && ctx.now < operation.deadlineAtMs) {
    operation.arguments = { ...operation.arguments, pass: pass + 1 };
    const again = new Set(fresh.map(({ record }) => record.id));
    operation.items = operation.items.filter(({ vmId }) => !again.has(vmId));
    plan(ctx, operation, host);
    return advance(ctx, operation);
  }
  for (const timer of ['operation', 'deadline']) ctx.timers.clear(`${timer}/${operation.id}`);
  if (draining) {
    host.operationId = '';
    ctx.touch('host', host.record.id);
    if (!operation.cancelWanted) {
      setMaintenance(ctx, host, 'yes');
      if (left.length === 0 && host.sessionId)
        ctx.tell({
          kind: 'host.maintenance',
          hostId: host.record.id,
          operationId: operation.id,
          line: emptyLine(host),
        });
    }
  }
  const failed = operation.items.filter(({ state }) => state !== 'succeeded');
  if (operation.cancelWanted) return end(ctx, operation, { state: 'cancelled', code: 'cancelled', line: summary(operation) });
  if (draining && !host.sessionId)
    return end(ctx, operation, {
      state: 'unknown',
      code: 'host-unreachable',
      line: `${host.record.name} is silent: what runs there is not known`,
    });
  if (failed.length === 0 && left.length === 0)
    return end(ctx, operation, {
      state: 'succeeded',
      line: draining ? emptyLine(host) : summary(operation),
    });
  const state =
    failed.length < operation.items.length ? 'partial' : failed.every((item) => item.state === 'unknown') ? 'unknown' : 'failed';
  const names = left.map(({ record }) => record.spec.name);
  const line = draining
    ? `${names.length > 0 ? `still on ${host.record.name}: ${names.join(', ')}` : summary(operation)}${failed[0] ? `; ${failed[0].vmName}: ${failed[0].line}` : ''}`
    : summary(operation);
  end(ctx, operation, { state, code: failed[0]?.errorCode || 'blocked', line });
}

const emptyLine = ({ record, vmms }: Host): string =>
  vmms.size === 0 ? `${record.name} is empty: safe to power off` : `${record.name} runs no VMs; a process of one that left has not ended yet`;

const summary = ({ items }: OperationRecord): string => {
  const done = items.filter(({ state }) => state === 'succeeded').length;
  const first = items.find(({ state }) => state !== 'succeeded');
  return `${done} of ${items.length} VMs done${first ? `; ${first.vmName}: ${first.line}` : ''}`;
};

function close(item: OperationItem, state: OperationItem['state'], line: string, errorCode: string): void {
  Object.assign(item, { state, line, errorCode });
}
