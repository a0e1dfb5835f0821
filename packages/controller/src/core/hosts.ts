/**
 * Hosts: their sessions, what they report, and their silence.
 *
 *   waiting ──Hello──► ready ──no sign of life──► unreachable ──longer──► dead
 *                        ▲                            │                    │
 *                        └────────── Hello ───────────┴────────────────────┘
 *
 * A Hello replaces all that was known of the host's VMMs. What it does not name is gone; what a silent host has, is unknown.
 */
import type { Context } from './context';
import { askListings, observeDatastore } from './datastores';
import { CLEAN_MS } from './limits';
import { onMigrationHostDead, onMigrationReport, onMigrationResult, onSourceHello } from './migrations';
import { onResult, onTime, onUndone } from './operations';
import type { DatastoreReport, Hello, HostReport, MigrationReport, OrderResult, VmmReport } from './reports';
import type { Host } from './state';
import { hasVmmAt } from './state';
import { endVmm, hasEnded, observeVmm } from './vms';

const FINAL: ReadonlySet<string> = new Set(['done', 'failed', 'refused', 'unknown']);

export function onHello(ctx: Context, host: Host, sessionId: string, hello: Hello): void {
  const { record } = host;
  const rebooted = record.bootId !== '' && record.bootId !== hello.bootId;
  const first = host.status !== 'ready';
  if (host.sessionId && host.sessionId !== sessionId) ctx.dismiss(host, host.sessionId);
  host.sessionId = sessionId;
  host.status = 'ready';
  host.agentVersion = hello.agentVersion;
  heard(ctx, host);
  if (record.bootId !== hello.bootId) {
    record.bootId = hello.bootId;
    ctx.save('host', record.id, () => record);
  }
  if (rebooted)
    ctx.tell({
      kind: 'host.rebooted',
      hostId: record.id,
      line: `${record.name} has started anew; what ran there has ended`,
      cause: 'report',
    });
  else if (first) ctx.tell({ kind: 'host.connected', hostId: record.id, line: `${record.name} is connected`, cause: 'report' });
  onHostReport(ctx, host, hello.host);
  host.datastores.clear();
  for (const one of hello.datastores) observeDatastore(ctx, host, one);
  replaceVmms(ctx, host, hello.vmms, rebooted ? 'its host has started anew' : 'its process is gone');
  for (const one of hello.migrations) onMigrationReport(ctx, record.id, one);
  acknowledgeMigrations(ctx, host, hello.migrations);
  for (const one of hello.results) onOrderResult(ctx, host, one);
  dropAbsent(ctx, host, rebooted);
  const known = new Set([...hello.migrations.map(({ migrationId }) => migrationId), ...hello.vmms.map(({ migrationId }) => migrationId)]);
  for (const orderId of [...host.orderIds]) ctx.send(host, ctx.state.orders.get(orderId)!);
  for (const id of [...host.migrationIds]) {
    const migration = ctx.state.migrations.get(id);
    if (migration?.sourceHostId === record.id) onSourceHello(ctx, migration, known.has(id));
  }
  askListings(ctx, host);
  // What was unknown of its VMs is known now.
  touchAll(ctx, host);
  ctx.signals.push({ signal: 'queue' });
}

function replaceVmms(ctx: Context, host: Host, vmms: readonly VmmReport[], line: string): void {
  const there = new Set(vmms.map(({ vmmId }) => vmmId));
  for (const old of [...host.vmms.values()]) if (!there.has(old.vmmId)) endVmm(ctx, host, { ...old, ended: 'gone', line });
  for (const one of vmms) {
    observeVmm(ctx, host, one);
    reap(ctx, host, one);
  }
}

/** VMs that were written down to be here, and are not. Those that something is under way for are looked at by that. */
function dropAbsent(ctx: Context, host: Host, rebooted: boolean): void {
  for (const id of [...host.vmIds]) {
    const vm = ctx.state.vms.get(id);
    if (!vm || vm.operationId || vm.migrationId || hasVmmAt(ctx.state, vm, host.record.id)) continue;
    hasEnded(ctx, host, vm, 'gone', rebooted ? 'its host has started anew' : 'its process is gone');
  }
}

/** A process that waits for a migration that is over. */
function reap(ctx: Context, host: Host, report: VmmReport): void {
  const migration = ctx.state.migrations.get(report.incomingMigrationId);
  if (report.state !== 'incoming' || report.ended || migration?.stage !== 'ended') return;
  const body = { kind: 'dropIncoming', migrationId: migration.id } as const;
  ctx.order(host.record.id, 'reaper', migration.id, { vmId: report.vmId, timeMs: CLEAN_MS, body });
  const line = `${host.record.name} had a process left that waited for ${migration.vmName}: it is being removed`;
  ctx.tell({ kind: 'target.cleaned', hostId: host.record.id, vmId: report.vmId, migrationId: migration.id, line, cause: 'policy' });
}

export function onGone(ctx: Context, host: Host, sessionId: string): void {
  if (host.sessionId !== sessionId) return;
  host.sessionId = undefined;
  touchAll(ctx, host);
}

export function onHostReport(ctx: Context, host: Host, report: HostReport): void {
  for (const line of report.warnings)
    if (!host.report?.warnings.includes(line))
      ctx.tell({ kind: 'host.warning', hostId: host.record.id, line: `${host.record.name}: ${line}`, cause: 'report' });
  host.report = report;
  host.reportedAtMs = ctx.now;
  ctx.touch('host', host.record.id);
}

export function onVmmReport(ctx: Context, host: Host, report: VmmReport): void {
  observeVmm(ctx, host, report);
  reap(ctx, host, report);
}

export function onMigrationSaid(ctx: Context, host: Host, report: MigrationReport): void {
  onMigrationReport(ctx, host.record.id, report);
  acknowledgeMigrations(ctx, host, [report]);
}

export function onDatastoreReport(ctx: Context, host: Host, report: DatastoreReport): void {
  observeDatastore(ctx, host, report);
  askListings(ctx, host);
}

/** Ended ones, whose end is in a record here; agents keep the others. */
function acknowledgeMigrations(ctx: Context, host: Host, reports: readonly MigrationReport[]): void {
  const ended = reports.filter(({ record, targetOutcome }) => record?.outcome || targetOutcome).map(({ migrationId }) => migrationId);
  if (ended.length > 0) ctx.say(host, { say: 'acknowledge', orderIds: [], migrationIds: ended });
}

export function onOrderResult(ctx: Context, host: Host, result: OrderResult): void {
  const pending = ctx.state.orders.get(result.orderId);
  if (result.code === 'old-term') return pending && ctx.stepDown();
  // The VMM in a result is not looked at: a result may come again long after its VMM has ended. Its report came before.
  if (FINAL.has(result.state)) ctx.say(host, { say: 'acknowledge', orderIds: [result.orderId], migrationIds: [] });
  if (!pending) return tellLate(ctx, host, result);
  if (pending.owner === 'operation') {
    const operation = ctx.state.operations.get(pending.ownerId);
    if (operation) onResult(ctx, operation, result);
  } else if (pending.owner === 'migration') {
    const migration = ctx.state.migrations.get(pending.ownerId);
    if (migration) onMigrationResult(ctx, migration, result);
  } else if (FINAL.has(result.state)) {
    ctx.forgetOrder(result.orderId);
    const operation = ctx.state.operations.get(pending.ownerId.replace(/^cancel\//, ''));
    if (operation) onUndone(ctx, operation, result);
  }
}

/** Whoever gave the order has ended meanwhile, or was another leader's; one that was refused has changed nothing. */
function tellLate(ctx: Context, host: Host, { orderId, state, line }: OrderResult): void {
  if (state !== 'done' && state !== 'failed' && state !== 'unknown') return;
  const what = `${host.record.name} answered an order after it was waited for: ${state}${line ? `, ${line}` : ''}`;
  ctx.tell({ kind: 'order.late', hostId: host.record.id, line: what, cause: 'report', attributes: { order: orderId } });
}

export function heard(ctx: Context, host: Host): void {
  host.heardAtMs = ctx.now;
  const key = `host/${host.record.id}`;
  if (!ctx.timers.has(key)) ctx.timers.set(key, ctx.now + ctx.state.settings.hostUnreachableMs);
}

/** Looks how long it has been silent. */
export function onHostTimer(ctx: Context, host: Host): void {
  const { settings } = ctx.state;
  const { record } = host;
  const silentMs = ctx.now - host.heardAtMs;
  const key = `host/${record.id}`;
  if (silentMs < settings.hostUnreachableMs) return ctx.timers.set(key, host.heardAtMs + settings.hostUnreachableMs);
  const seconds = Math.round(silentMs / 1000);
  if (silentMs < settings.hostDeadMs) {
    ctx.timers.set(key, host.heardAtMs + settings.hostDeadMs);
    if (host.sessionId) ctx.say(host, { say: 'end', line: 'no sign of life' });
    host.sessionId = undefined;
    host.status = 'unreachable';
    ctx.tell({
      kind: 'host.unreachable',
      hostId: record.id,
      line: `${record.name} has been silent for ${seconds} s; its VMs may well run`,
      cause: 'policy',
    });
    return touchAll(ctx, host);
  }
  host.sessionId = undefined;
  host.status = 'dead';
  const line = `${record.name} has been silent for ${seconds} s: its VMs are restarted elsewhere as their leases run out`;
  ctx.tell({ kind: 'host.dead', hostId: record.id, line, cause: 'policy' });
  bury(ctx, host);
}

/** Nothing more is waited for from it. */
export function bury(ctx: Context, host: Host): void {
  const { state } = ctx;
  for (const orderId of [...host.orderIds]) {
    const pending = state.orders.get(orderId);
    const operation = pending?.owner === 'operation' ? state.operations.get(pending.ownerId) : undefined;
    if (operation) onTime(ctx, operation, `${host.record.name} is dead`);
  }
  for (const id of [...host.migrationIds]) {
    const migration = state.migrations.get(id);
    if (migration) onMigrationHostDead(ctx, migration, host.record.id);
  }
  for (const vmId of host.vmIds) ctx.signals.push({ signal: 'vmFree', vmId });
  touchAll(ctx, host);
}

function touchAll(ctx: Context, host: Host): void {
  ctx.touch('host', host.record.id);
  for (const vmId of host.vmIds) ctx.touch('vm', vmId);
  // Those that are on their way have a process here, too.
  for (const { vmId } of host.vmms.values()) ctx.touch('vm', vmId);
}
