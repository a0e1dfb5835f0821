/**
 * The controller's core: what comes in changes the state and gives what is to be done. No clock,
 * no network, no store: the same inputs give the same outputs, in the controller, in its tests and in the simulation.
 *
 *   Hello, reports, results ─┐                         ┌─► saves      first, and durable
 *   requests ────────────────┼─► step(now) on state ───┼─► messages   orders to agents, only then
 *   time ────────────────────┘                         └─► events, changes for those who watch
 *
 * Invariants
 *   1. Where a VM may be running is saved before it is ordered there, and emptied only when its host has said that it ended.
 *   2. Every operation and migration under way has a timer; its last one ends it.
 *   3. A VM has at most one operation or migration under way.
 *   4. No decision here keeps a VM from running twice: leases do. Here it is only found out.
 */
import { advance, balanceByItself, onBatchDeadline, onChildEnded, takeUpBatch } from './batches';
import { Context, type Output, type Ports } from './context';
import { askListings } from './datastores';
import { index } from './endings';
import { heard, onDatastoreReport, onGone, onHello, onHostReport, onHostTimer, onMigrationSaid, onOrderResult, onVmmReport } from './hosts';
import { LISTING_ANSWER_MS, MIN_BALANCE_MS, TOMBSTONE_MS } from './limits';
import { onMigrationDeadline, onMigrationVm, onStageTime, takeUpMigration, tryQueue } from './migrations';
import { onTime, onVm, takeUp } from './operations';
import type { Stored, StoredKind } from './records';
import type { DatastoreReport, Hello, HostReport, MigrationReport, OrderResult, VmmReport } from './reports';
import { considerRestart, restart } from './restart';
import type { ClusterState } from './state';

export type Report =
  | { readonly is: 'hello'; readonly hello: Hello }
  | { readonly is: 'gone' }
  | { readonly is: 'host'; readonly host: HostReport }
  | { readonly is: 'vmm'; readonly vmm: VmmReport }
  | { readonly is: 'migration'; readonly migration: MigrationReport }
  | { readonly is: 'result'; readonly result: OrderResult }
  | { readonly is: 'datastore'; readonly datastore: DatastoreReport };

export type LoadedRecord = { [K in StoredKind]: { readonly kind: K; readonly value: Stored[K] } }[StoredKind];

/** Whether everything that cannot change without a report is looked at again. */
const SWEEP_MS = 60_000;

export class Core {
  private readonly context: Context;

  constructor(ports: Ports) {
    this.context = new Context(ports);
  }

  get state(): ClusterState {
    return this.context.state;
  }

  /** When `tick` is due next; Infinity: never. */
  get nextAt(): number {
    return this.context.timers.nextAt;
  }

  /** A leader begins: what it finds in the store, in any order. Hosts have not spoken yet: everything about them is unknown. */
  load(now: number, records: readonly LoadedRecord[]): Output {
    return this.step(now, (ctx) => {
      const { state } = ctx;
      const of = <K extends StoredKind>(kind: K): Stored[K][] =>
        records.filter((one) => one.kind === kind).map((one) => one.value as Stored[K]);
      for (const value of of('settings')) state.settings = { ...state.settings, ...value };
      for (const value of of('baseline')) state.baseline = value;
      for (const value of of('rule')) state.rules.set(value.name, value);
      for (const value of of('group')) state.groups.set(value.name, value);
      for (const { id, atMs } of of('tombstone')) state.tombstones.set(id, atMs);
      for (const value of of('host')) heard(ctx, state.addHost(value, now));
      for (const value of of('vm')) state.addVm(value);
      const byAge = <T extends { createdAtMs: number; endedAtMs: number }>(list: T[]): T[] =>
        list.sort((a, b) => (a.endedAtMs || Infinity) - (b.endedAtMs || Infinity) || a.createdAtMs - b.createdAtMs);
      const operations = byAge(of('operation'));
      for (const operation of operations) index(ctx, operation);
      for (const migration of byAge(of('migration'))) takeUpMigration(ctx, migration);
      for (const operation of operations) {
        if (operation.state !== 'running') continue;
        if (operation.kind === 'drain-host' || operation.kind === 'balance') takeUpBatch(ctx, operation);
        else takeUp(ctx, operation);
      }
      ctx.timers.set('sweep', now + SWEEP_MS);
      ctx.timers.set('listings', now + LISTING_ANSWER_MS);
      ctx.timers.set('balance', now + state.settings.balanceIntervalMs);
    }).output;
  }

  /** What a host's agent says in a session. That of an older session than the host's is not listened to. */
  report(now: number, hostId: string, sessionId: string, report: Report): Output {
    return this.step(now, (ctx) => {
      const host = ctx.state.hosts.get(hostId);
      if (!host) return;
      if (report.is === 'hello') return onHello(ctx, host, sessionId, report.hello);
      if (report.is === 'gone') return onGone(ctx, host, sessionId);
      // A Hello that came late has replaced it, or the host was silent for too long: both sides begin anew.
      if (host.sessionId !== sessionId) return ctx.dismiss(host, sessionId);
      heard(ctx, host);
      if (report.is === 'host') onHostReport(ctx, host, report.host);
      else if (report.is === 'vmm') onVmmReport(ctx, host, report.vmm);
      else if (report.is === 'migration') onMigrationSaid(ctx, host, report.migration);
      else if (report.is === 'result') onOrderResult(ctx, host, report.result);
      else onDatastoreReport(ctx, host, report.datastore);
    }).output;
  }

  tick(now: number): Output {
    return this.step(now, (ctx) => {
      for (let key = ctx.timers.take(now); key !== undefined; key = ctx.timers.take(now)) this.due(ctx, key);
    }).output;
  }

  /** A request, or a look. @throws what `work` throws; nothing is to be done then */
  ask<T>(now: number, work: (ctx: Context) => T): { readonly value: T; readonly output: Output } {
    return this.step(now, work);
  }

  private step<T>(now: number, work: (ctx: Context) => T): { value: T; output: Output } {
    const ctx = this.context;
    ctx.now = Math.max(ctx.now, now);
    const value = attempt(ctx, work);
    for (let signal = ctx.signals.shift(); signal; signal = ctx.signals.shift()) {
      if (signal.signal === 'queue') tryQueue(ctx);
      else if (signal.signal === 'childEnded') {
        const parent = ctx.state.operations.get(signal.parentId);
        if (parent) onChildEnded(ctx, parent, signal.childId);
      } else {
        const vm = ctx.state.vms.get(signal.vmId);
        if (!vm) continue;
        const operation = ctx.state.operations.get(vm.operationId);
        const migration = ctx.state.migrations.get(vm.migrationId);
        if (operation) onVm(ctx, operation);
        if (migration) onMigrationVm(ctx, migration);
        considerRestart(ctx, vm);
      }
    }
    return { value, output: ctx.take() };
  }

  private due(ctx: Context, key: string): void {
    const { state } = ctx;
    const slash = key.indexOf('/');
    const id = key.slice(slash + 1);
    const operation = state.operations.get(id);
    const migration = state.migrations.get(id);
    switch (slash < 0 ? key : key.slice(0, slash)) {
      case 'host':
        return void (state.hosts.has(id) && onHostTimer(ctx, state.hosts.get(id)!));
      case 'operation':
        if (!operation) return;
        return operation.kind === 'drain-host' || operation.kind === 'balance'
          ? advance(ctx, operation)
          : onTime(ctx, operation, 'no answer in its time');
      case 'deadline':
        return void (operation?.state === 'running' && onBatchDeadline(ctx, operation));
      case 'migration':
        return void (migration && onMigrationDeadline(ctx, migration));
      case 'stage':
        return void (migration && onStageTime(ctx, migration));
      case 'restart':
        return void (state.vms.has(id) && restart(ctx, state.vms.get(id)!));
      case 'listings':
        ctx.timers.set('listings', ctx.now + LISTING_ANSWER_MS);
        for (const host of state.hosts.values()) askListings(ctx, host);
        return;
      case 'balance':
        ctx.timers.set('balance', ctx.now + Math.max(MIN_BALANCE_MS, state.settings.balanceIntervalMs));
        return balanceByItself(ctx);
      default:
        return this.sweep(ctx);
    }
  }

  private sweep(ctx: Context): void {
    ctx.timers.set('sweep', ctx.now + SWEEP_MS);
    for (const vm of ctx.state.vms.values()) considerRestart(ctx, vm);
    for (const [id, atMs] of ctx.state.tombstones) {
      if (ctx.now - atMs < TOMBSTONE_MS) continue;
      ctx.state.tombstones.delete(id);
      ctx.erase('tombstone', id);
    }
    tryQueue(ctx);
  }
}

function attempt<T>(ctx: Context, work: (ctx: Context) => T): T {
  try {
    return work(ctx);
  } catch (error) {
    ctx.take();
    ctx.signals.length = 0;
    throw error;
  }
}
