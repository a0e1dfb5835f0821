/**
 * Migrations, as the controller sees them. The two VMMs move the VM and the lease decides who has
 * it; the controller brings them together, follows, and finds out where the VM is.
 *
 *   queued ──► preparing ──► sending ──► settling ──► ended
 *     │      a process at    the source    it is known, or being found out, where the VM is;
 *     │      the target      moves it      the waiting process is removed if the VM did not come
 *     └─ cancel: ended at once │
 *        cancel, no answer, target dead: settling    cancel: the source is told, and its record says how it ended
 *
 * What is sent to whom is written down first. The target's address and token are not: a leader that begins in the
 * midst asks the target for them again, and the source again, once it is known that the source has not begun.
 *
 * `judge` (settle.ts) tells from records, reports and what runs where how it ended.
 */
import type { Context } from './context';
import { CANCEL_MS, CLEAN_MS, INCOMING_WAIT_MS, MIGRATION_ATTEMPTS, PREPARE_MS, QUICK_ORDER_MS, SETTLE_MS } from './limits';
import type { MigrationOutcome, MigrationRecord, VmIs } from './records';
import type { MigrationReport, OrderResult } from './reports';
import { retire } from './endings';
import { judge } from './settle';
import type { Vm } from './state';
import { hasVmmAt, runnerOf, whereabouts } from './state';
import { saveVm, setHost, touchVm } from './vms';

export const saveMigration = (ctx: Context, migration: MigrationRecord): void => ctx.save('migration', migration.id, () => migration);
const nameOf = (ctx: Context, hostId: string): string => ctx.state.hostName(hostId);

export interface MigrationDraft {
  readonly vm: Vm;
  readonly sourceHostId: string;
  readonly targetHostId: string;
  readonly hostWanted: boolean;
  readonly settings: MigrationRecord['settings'];
  readonly actor: string;
  readonly cause: string;
  readonly key: string;
  readonly parentId: string;
  readonly force: boolean;
  readonly timeMs: number;
}

export function beginMigration(ctx: Context, draft: MigrationDraft): MigrationRecord {
  const { vm, timeMs, ...rest } = draft;
  const migration: MigrationRecord = {
    id: ctx.ports.newId(),
    vmId: vm.record.id,
    vmName: vm.record.spec.name,
    stage: 'queued',
    outcome: '',
    vmIs: 'source',
    line: 'waits for its turn',
    errorCode: '',
    record: undefined,
    targetPhase: '',
    targetOutcome: '',
    createdAtMs: ctx.now,
    endedAtMs: 0,
    deadlineAtMs: ctx.now + timeMs,
    cancelWanted: false,
    attempt: 0,
    epoch: vm.record.epoch,
    prepareOrderId: '',
    sendOrderId: '',
    dropOrderId: '',
    cancelOrderId: '',
    ...rest,
  };
  takeUpMigration(ctx, migration);
  saveMigration(ctx, migration);
  if (mustWait(ctx, migration)) tell(ctx, migration, 'migration.queued', `${migration.vmName} waits for its turn to move from ${nameOf(ctx, migration.sourceHostId)}`);
  ctx.signals.push({ signal: 'queue' });
  return migration;
}

/** Puts a migration under way into the indexes: a new one, or one that a new leader finds. */
export function takeUpMigration(ctx: Context, migration: MigrationRecord): void {
  const { state } = ctx;
  state.migrations.set(migration.id, migration);
  if (migration.key) state.keys.set(migration.key, migration.id);
  if (migration.stage === 'ended') return void state.ended.add(migration.id);
  const vm = state.vms.get(migration.vmId);
  if (vm) {
    vm.migrationId = migration.id;
    touchVm(ctx, vm);
  }
  ctx.timers.set(`migration/${migration.id}`, migration.deadlineAtMs);
  if (migration.stage === 'queued') state.queue.add(migration.id);
  else occupy(ctx, migration);
  if (migration.stage === 'preparing') prepare(ctx, migration);
  if (migration.stage === 'settling') settling(ctx, migration, migration.line);
  // 'sending': the source's Hello tells whether it has begun (onSourceHello).
}

/** Begins those whose turn it is: both hosts have room for one more. */
export function tryQueue(ctx: Context): void {
  const { state } = ctx;
  for (const id of state.queue) {
    if (state.moving.size >= state.settings.migrationsInCluster) return;
    const migration = state.migrations.get(id)!;
    const vm = state.vms.get(migration.vmId);
    const source = state.hosts.get(migration.sourceHostId);
    if (!vm) decide(ctx, migration, 'failed', 'nowhere', 'the VM was removed', 'no-vm');
    else if (!source || source.status === 'dead' || (source.sessionId && !hasVmmAt(state, vm, source.record.id)))
      decide(
        ctx,
        migration,
        'failed',
        'unknown',
        `it is no longer on ${nameOf(ctx, migration.sourceHostId)}: ${whereabouts(state, vm, migration.vmName)}`,
        'wrong-state',
      );
    else if (source.sessionId && hasRoom(ctx, migration.sourceHostId) && chooseTarget(ctx, migration, vm)) {
      state.queue.delete(id);
      occupy(ctx, migration);
      prepare(ctx, migration);
    }
  }
}

const mustWait = (ctx: Context, { sourceHostId, targetHostId }: MigrationRecord): boolean =>
  ctx.state.moving.size >= ctx.state.settings.migrationsInCluster || !hasRoom(ctx, sourceHostId) || (targetHostId !== '' && !hasRoom(ctx, targetHostId));

function hasRoom(ctx: Context, hostId: string): boolean {
  const host = ctx.state.hosts.get(hostId);
  return host !== undefined && host.migrationIds.size < ctx.state.settings.migrationsPerHost;
}

function occupy(ctx: Context, migration: MigrationRecord): void {
  ctx.state.moving.add(migration.id);
  for (const id of [migration.sourceHostId, migration.targetHostId]) ctx.state.hosts.get(id)?.migrationIds.add(migration.id);
}

/** What was true when it was queued may no longer be: hosts are compared again. */
function chooseTarget(ctx: Context, migration: MigrationRecord, vm: Vm): boolean {
  const exclude = new Set([migration.sourceHostId]);
  const request = {
    vm,
    move: 'live' as const,
    hostId: migration.targetHostId,
    exclude,
    force: migration.force,
    purpose: purposeOf(migration),
  };
  let placement = ctx.ports.planner.place(ctx.state, request, ctx.now);
  if (!placement.hostId && !migration.hostWanted) placement = ctx.ports.planner.place(ctx.state, { ...request, hostId: '' }, ctx.now);
  if (!placement.hostId) {
    decide(ctx, migration, 'failed', 'source', `${placement.line}; ${whereabouts(ctx.state, vm, migration.vmName)}`, 'blocked');
    return false;
  }
  if (!hasRoom(ctx, placement.hostId)) return false;
  migration.targetHostId = placement.hostId;
  return true;
}

const purposeOf = ({ cause }: MigrationRecord): 'operator' | 'drain' | 'balance' =>
  cause === 'drain' || cause === 'balance' ? cause : 'operator';

function prepare(ctx: Context, migration: MigrationRecord): void {
  const vm = ctx.state.vms.get(migration.vmId)!;
  const { place } = vm.record;
  // With what the guest was given where it runs, so that the target's process is ready for it before it comes.
  const given = runnerOf(ctx.state, vm)?.report.facts?.cpu.features ?? [];
  const spec = given.length > 0 ? { ...vm.record.spec, cpuFeatures: given } : vm.record.spec;
  migration.stage = 'preparing';
  migration.line = `${nameOf(ctx, migration.targetHostId)} starts a process for it`;
  migration.epoch = vm.record.epoch;
  migration.prepareOrderId = ctx.order(migration.targetHostId, 'migration', migration.id, {
    id: migration.prepareOrderId,
    vmId: migration.vmId,
    timeMs: PREPARE_MS,
    body: { kind: 'prepareIncoming', migrationId: migration.id, place, spec, waitMs: INCOMING_WAIT_MS },
  });
  ctx.timers.set(`stage/${migration.id}`, ctx.now + PREPARE_MS);
  saveMigration(ctx, migration);
  tell(
    ctx,
    migration,
    'migration.started',
    `${migration.vmName} is to move from ${nameOf(ctx, migration.sourceHostId)} to ${nameOf(ctx, migration.targetHostId)}`,
  );
}

function send(ctx: Context, migration: MigrationRecord): void {
  const secret = ctx.state.secrets.get(migration.id)!;
  migration.stage = 'sending';
  migration.line = `${nameOf(ctx, migration.sourceHostId)} sends it to ${nameOf(ctx, migration.targetHostId)}`;
  migration.sendOrderId = ctx.order(migration.sourceHostId, 'migration', migration.id, {
    vmId: migration.vmId,
    timeMs: QUICK_ORDER_MS,
    body: {
      kind: 'migrateOut',
      migrationId: migration.id,
      targetAddress: secret.address,
      token: secret.token,
      settings: migration.settings,
      targetHost: nameOf(ctx, migration.targetHostId),
    },
  });
  ctx.timers.set(`stage/${migration.id}`, ctx.now + QUICK_ORDER_MS);
  saveMigration(ctx, migration);
}

export function onMigrationResult(ctx: Context, migration: MigrationRecord, result: OrderResult): void {
  if (result.state === 'working') return;
  ctx.forgetOrder(result.orderId);
  if (result.orderId === migration.prepareOrderId) onPrepared(ctx, migration, result);
  else if (result.orderId === migration.sendOrderId) onSent(ctx, migration, result);
  else if (result.orderId === migration.dropOrderId) finishMigration(ctx, migration);
  else if (result.orderId === migration.cancelOrderId) onCancelled(ctx, migration, result);
}

function onPrepared(ctx: Context, migration: MigrationRecord, result: OrderResult): void {
  if (migration.stage !== 'preparing') return;
  const target = nameOf(ctx, migration.targetHostId);
  if (result.state !== 'done' || !result.waiting) {
    const line = `${target} cannot take ${migration.vmName}: ${result.line || result.code}`;
    return decide(ctx, migration, 'failed', 'source', line, result.code || 'internal');
  }
  ctx.state.secrets.set(migration.id, { address: result.waiting.address, token: result.waiting.token });
  send(ctx, migration);
}

function onSent(ctx: Context, migration: MigrationRecord, result: OrderResult): void {
  if (migration.stage !== 'sending') return;
  if (result.migration) onMigrationReport(ctx, migration.sourceHostId, sourceReport(migration, result.migration));
  if (result.state === 'done' || migration.stage !== 'sending') {
    if (migration.stage === 'sending') ctx.timers.clear(`stage/${migration.id}`);
    return;
  }
  if (result.state === 'unknown') return settle(ctx, migration);
  decide(
    ctx,
    migration,
    'failed',
    'source',
    `${nameOf(ctx, migration.sourceHostId)} did not begin: ${result.line || result.code}`,
    result.code || 'internal',
  );
}

function onCancelled(ctx: Context, migration: MigrationRecord, result: OrderResult): void {
  if (result.migration) onMigrationReport(ctx, migration.sourceHostId, sourceReport(migration, result.migration));
  else if (result.code === 'not-here' && migration.stage === 'sending' && !migration.record)
    decide(ctx, migration, 'cancelled', 'source', 'cancelled before the source began', 'cancelled');
  else settle(ctx, migration);
}

const sourceReport = (migration: MigrationRecord, record: NonNullable<MigrationReport['record']>): MigrationReport => ({
  migrationId: migration.id,
  vmId: migration.vmId,
  side: 'source',
  record,
  targetPhase: '',
  targetOutcome: '',
  line: record.line,
});

export function onMigrationReport(ctx: Context, hostId: string, report: MigrationReport): void {
  const migration = ctx.state.migrations.get(report.migrationId);
  if (!migration) return;
  const late = migration.stage === 'ended';
  if (report.side === 'source' && report.record && hostId === migration.sourceHostId) {
    // The last record is kept, also if an older one comes by another way.
    if (migration.record?.outcome && !report.record.outcome) return;
    migration.record = report.record;
    if (migration.stage === 'sending') {
      ctx.timers.clear(`stage/${migration.id}`);
      if (report.record.line) migration.line = report.record.line;
    }
    if (late && report.record.outcome) saveMigration(ctx, migration);
  } else if (report.side === 'target' && hostId === migration.targetHostId) {
    migration.targetPhase = report.targetPhase;
    migration.targetOutcome = report.targetOutcome || migration.targetOutcome;
  }
  ctx.touch('migration', migration.id);
  if (!late) settle(ctx, migration);
}

/** The source's Hello: a migration it has not begun, and was not told of, is begun anew; no older order can reach it any more. */
export function onSourceHello(ctx: Context, migration: MigrationRecord, known: boolean): void {
  if (migration.stage !== 'sending' || known) return;
  const pending = ctx.state.orders.get(migration.sendOrderId);
  if (pending || migration.record) return settle(ctx, migration);
  if (migration.cancelWanted) return decide(ctx, migration, 'cancelled', 'source', 'cancelled before the source began', 'cancelled');
  if (++migration.attempt >= MIGRATION_ATTEMPTS)
    return decide(ctx, migration, 'failed', 'source', 'it was not begun before the controller changed', 'internal');
  migration.prepareOrderId = '';
  prepare(ctx, migration);
}

/** Undefined: it is being cancelled, or is; else why it cannot be. */
export function cancelMigration(ctx: Context, migration: MigrationRecord, why: string): string | undefined {
  const where = whereabouts(ctx.state, ctx.state.vms.get(migration.vmId), migration.vmName);
  if (migration.stage === 'ended') return `it has ended (${migration.outcome}): ${where}`;
  if (migration.stage === 'settling') return `it is too late: ${migration.line}; ${where}`;
  if (migration.cancelWanted) return undefined;
  migration.cancelWanted = true;
  if (migration.stage !== 'sending') {
    decide(ctx, migration, 'cancelled', 'source', `cancelled: ${why}; ${where}`, 'cancelled');
    return undefined;
  }
  migration.line = `being cancelled: ${why}`;
  orderCancel(ctx, migration, why);
  return undefined;
}

function orderCancel(ctx: Context, migration: MigrationRecord, why: string): void {
  migration.cancelOrderId = ctx.order(migration.sourceHostId, 'migration', migration.id, {
    id: migration.cancelOrderId,
    vmId: migration.vmId,
    timeMs: QUICK_ORDER_MS,
    body: { kind: 'cancelMigration', migrationId: migration.id, why },
  });
  ctx.timers.set(`stage/${migration.id}`, ctx.now + CANCEL_MS);
  saveMigration(ctx, migration);
}

/** Looks whether it is known by now how it ends. */
export function settle(ctx: Context, migration: MigrationRecord, timeIsUp = false): void {
  if ((migration.stage !== 'sending' && migration.stage !== 'settling') || migration.outcome) return;
  const verdict = judge(ctx.state, migration, timeIsUp);
  if (verdict.is === 'decided') decide(ctx, migration, verdict.outcome, verdict.vmIs, verdict.line, verdict.code);
  else if (verdict.is === 'ending' && (migration.stage === 'sending' || (verdict.waitMs !== undefined && migration.line !== verdict.line)))
    settling(ctx, migration, verdict.line, verdict.waitMs);
}

/** Something was reported of its VM. */
export function onMigrationVm(ctx: Context, migration: MigrationRecord): void {
  if (migration.stage === 'sending' || migration.stage === 'settling') return settle(ctx, migration);
  const source = ctx.state.hosts.get(migration.sourceHostId);
  const vm = ctx.state.vms.get(migration.vmId);
  if (migration.stage === 'ended' || (vm && (!source?.sessionId || hasVmmAt(ctx.state, vm, migration.sourceHostId)))) return;
  const vmIs = vm && runnerOf(ctx.state, vm) ? 'elsewhere' : 'nowhere';
  decide(ctx, migration, 'failed', vmIs, `${whereabouts(ctx.state, vm, migration.vmName)}: it ended before it was moved`, 'wrong-state');
}

/** One of its hosts is dead. */
export function onMigrationHostDead(ctx: Context, migration: MigrationRecord, hostId: string): void {
  const line = `${nameOf(ctx, hostId)} is dead`;
  if (migration.stage === 'queued' || migration.stage === 'preparing') decide(ctx, migration, 'failed', 'source', line, 'host-unreachable');
  else if (migration.stage === 'sending' && hostId === migration.sourceHostId) settling(ctx, migration, line);
}

/** The stage has taken its time. */
export function onStageTime(ctx: Context, migration: MigrationRecord): void {
  if (migration.stage === 'preparing')
    decide(ctx, migration, 'failed', 'source', `${nameOf(ctx, migration.targetHostId)} has not answered`, 'host-unreachable');
  else if (migration.stage === 'sending') {
    const pending = ctx.state.orders.get(migration.sendOrderId);
    if (pending && !pending.sent)
      decide(ctx, migration, 'failed', 'source', `${nameOf(ctx, migration.sourceHostId)} was not reached`, 'host-unreachable');
    else if (migration.cancelWanted || pending) settle(ctx, migration, true);
  } else if (migration.stage === 'settling') {
    if (migration.outcome) finishMigration(ctx, migration);
    else settle(ctx, migration, true);
  }
}

/** The whole has taken its time: it is cancelled, and if that does not help either, its outcome is unknown. */
export function onMigrationDeadline(ctx: Context, migration: MigrationRecord): void {
  if (migration.stage === 'ended' || migration.stage === 'settling') return;
  cancelMigration(ctx, migration, 'it took longer than it may');
}

/** How it ends is known. What waits on the target is removed first, unless it has become the VM. */
export function decide(ctx: Context, migration: MigrationRecord, outcome: MigrationOutcome, vmIs: VmIs, line: string, code = ''): void {
  Object.assign(migration, { outcome, vmIs, line, errorCode: outcome === 'completed' ? '' : code });
  for (const id of [migration.prepareOrderId, migration.sendOrderId, migration.cancelOrderId]) ctx.forgetOrder(id);
  ctx.timers.clear(`migration/${migration.id}`);
  if (outcome === 'completed' || !migration.prepareOrderId) return finishMigration(ctx, migration);
  settling(ctx, migration, line);
}

/** Without an outcome: it is being found out. */
export function settling(ctx: Context, migration: MigrationRecord, line: string, waitMs = SETTLE_MS): void {
  migration.stage = 'settling';
  migration.line = line;
  if (migration.outcome)
    migration.dropOrderId = ctx.order(migration.targetHostId, 'migration', migration.id, {
      id: migration.dropOrderId,
      vmId: migration.vmId,
      timeMs: CLEAN_MS,
      body: { kind: 'dropIncoming', migrationId: migration.id },
    });
  ctx.timers.set(`stage/${migration.id}`, ctx.now + (migration.outcome ? CLEAN_MS : waitMs));
  saveMigration(ctx, migration);
}

function finishMigration(ctx: Context, migration: MigrationRecord): void {
  const { state } = ctx;
  const { id } = migration;
  const wasMoving = state.moving.delete(id);
  migration.stage = 'ended';
  migration.endedAtMs = ctx.now;
  for (const hostId of [migration.sourceHostId, migration.targetHostId]) {
    state.hosts.get(hostId)?.migrationIds.delete(id);
    if (hostId) ctx.touch('host', hostId);
  }
  state.queue.delete(id);
  state.secrets.delete(id);
  for (const orderId of [migration.prepareOrderId, migration.sendOrderId, migration.dropOrderId, migration.cancelOrderId])
    ctx.forgetOrder(orderId);
  ctx.timers.clear(`stage/${id}`);
  ctx.timers.clear(`migration/${id}`);
  const vm = state.vms.get(migration.vmId);
  if (vm?.migrationId === id) {
    vm.migrationId = '';
    if (migration.outcome === 'completed') vm.record.movedAtMs = ctx.now;
    if (migration.outcome === 'completed') vm.record.epoch = Math.max(vm.record.epoch, migration.epoch + 1);
    if (migration.outcome === 'completed' && vm.record.hostId === migration.sourceHostId) setHost(ctx, vm, migration.targetHostId);
    else if (migration.vmIs === 'nowhere') setHost(ctx, vm, runnerOf(state, vm)?.host.record.id ?? '');
    // It has moved, or at least moves no more: whoever watches the VM is to see it, too.
    saveVm(ctx, vm);
    touchVm(ctx, vm);
    ctx.signals.push({ signal: 'vmFree', vmId: vm.record.id });
  }
  saveMigration(ctx, migration);
  const kind =
    migration.outcome === 'completed' || migration.outcome === 'cancelled' || migration.outcome === 'unknown'
      ? migration.outcome
      : 'failed';
  tell(ctx, migration, `migration.${kind}`, `${migration.vmName}: ${migration.line}`);
  if (migration.parentId) ctx.signals.push({ signal: 'childEnded', parentId: migration.parentId, childId: id });
  if (wasMoving) ctx.signals.push({ signal: 'queue' });
  retire(ctx, id);
}

function tell(
  ctx: Context,
  { id, vmId, actor, cause, sourceHostId }: MigrationRecord,
  kind: 'migration.queued' | 'migration.started' | `migration.${'completed' | 'cancelled' | 'failed' | 'unknown'}`,
  line: string,
): void {
  ctx.tell({ kind, line, vmId, hostId: sourceHostId, migrationId: id, operationId: id, actor, cause });
}
