/** What operators ask of migrations, hosts and the cluster. */
import { beginBalance, beginDrain, cancelBatch, setMaintenance, vmsOn } from './batches';
import type { Context } from './context';
import { Refusal } from './errors';
import { bury, heard } from './hosts';
import { BATCH_MS, MAX_HOSTS, MIGRATION_MS, QUICK_ORDER_MS } from './limits';
import { beginMigration, cancelMigration } from './migrations';
import { cancel } from './operations';
import type { SettingsChange } from './orders';
import type { BalancePlan, DrainPlan, Placement } from './planner';
import type { GroupRecord, HostRecord, MigrationRecord, OperationRecord, RuleRecord, Settings } from './records';
import { checkName } from './spec-checks';
import { type Host, runnerOf, stateOf, whereabouts } from './state';
import { type Asked, begunBefore, checkFree, findHost, findVm, keyOf, timeOf } from './vm-requests';

export interface MigrateAsked extends Asked {
  readonly vm: string;
  readonly toHost: string;
  readonly settings: SettingsChange;
  readonly dryRun: boolean;
  readonly force: boolean;
}

/** Every host with what speaks against it; and unless it is only looked at, the migration. */
export function migrate(ctx: Context, asked: MigrateAsked): { placement: Placement; migration: MigrationRecord | undefined } {
  const before = ctx.state.migrations.get((asked.dryRun ? undefined : begunBefore(ctx, asked, 'migrate-vm')) ?? '');
  const vm = findVm(ctx, asked.vm);
  const { name, migration: defaults } = vm.record.spec;
  const source = runnerOf(ctx.state, vm)?.host;
  const target = asked.toHost ? findHost(ctx, asked.toHost) : undefined;
  const request = {
    vm,
    hostId: '',
    exclude: new Set(source ? [source.record.id] : []),
    force: asked.force,
    move: 'live' as const,
    explain: true,
  };
  if (before) return { placement: { hosts: [], hostId: before.targetHostId, line: before.line }, migration: before };
  const all = ctx.ports.planner.place(ctx.state, request, ctx.now);
  const chosen = target ? ctx.ports.planner.place(ctx.state, { ...request, hostId: target.record.id }, ctx.now) : all;
  const placement = { ...chosen, hosts: all.hosts };
  if (asked.dryRun) return { placement, migration: undefined };
  checkFree(ctx, vm);
  const state = stateOf(ctx.state, vm);
  if (state === 'unknown')
    throw new Refusal('host-unreachable', `${whereabouts(ctx.state, vm, name)}: it cannot be moved before that host speaks`);
  if (!source || (state !== 'running' && state !== 'paused'))
    throw new Refusal(
      'wrong-state',
      `${whereabouts(ctx.state, vm, name)}: only a running or paused VM moves; this one can be started on any host that sees its disks`,
    );
  if (target === source) throw new Refusal('wrong-state', `${name} runs on ${source.record.name} already`);
  if (!placement.hostId) throw new Refusal('blocked', `${placement.line}; ${whereabouts(ctx.state, vm, name)}`);
  const { manualOnly: _, ...own } = defaults;
  const migration = beginMigration(ctx, {
    vm,
    sourceHostId: source.record.id,
    targetHostId: placement.hostId,
    hostWanted: target !== undefined,
    settings: { ...ctx.state.settings.migration, ...set(own), ...set(asked.settings) },
    actor: asked.actor,
    cause: 'operator',
    key: keyOf(asked),
    parentId: '',
    force: asked.force,
    timeMs: timeOf(ctx, asked, MIGRATION_MS),
  });
  return { placement, migration };
}

const set = (change: SettingsChange): SettingsChange =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)));

export function findMigration(ctx: Context, id: string): MigrationRecord {
  const migration = ctx.state.migrations.get(id);
  if (!migration) throw new Refusal('no-migration', `there is no migration ${id}`);
  return migration;
}

export function changeMigration(ctx: Context, id: string, settings: SettingsChange): MigrationRecord {
  const migration = findMigration(ctx, id);
  if (migration.stage === 'ended' || migration.stage === 'settling') throw new Refusal('wrong-state', `it has ended: ${migration.line}`);
  const change = set(settings);
  migration.settings = { ...migration.settings, ...change };
  if (migration.stage === 'sending')
    ctx.order(migration.sourceHostId, 'host', migration.id, {
      vmId: migration.vmId,
      timeMs: QUICK_ORDER_MS,
      body: { kind: 'changeMigration', migrationId: id, settings: change },
    });
  ctx.save('migration', id, () => migration);
  return migration;
}

export function askCancelMigration(ctx: Context, id: string, why: string): MigrationRecord {
  const migration = findMigration(ctx, id);
  const late = cancelMigration(ctx, migration, why || 'asked for');
  if (late) throw new Refusal('wrong-state', `${migration.vmName}: ${late}`);
  return migration;
}

export function cancelOperation(ctx: Context, id: string, why: string): void {
  const reason = why || 'asked for';
  if (ctx.state.migrations.has(id)) return void askCancelMigration(ctx, id, reason);
  const operation = ctx.state.operations.get(id);
  if (!operation) throw new Refusal('no-operation', `there is no operation ${id}`);
  if (operation.state !== 'running') throw new Refusal('wrong-state', `it has ended (${operation.state}): ${operation.line}`);
  if (operation.kind === 'drain-host' || operation.kind === 'balance') return cancelBatch(ctx, operation, reason);
  const late = cancel(ctx, operation, reason);
  if (late) throw new Refusal('wrong-state', late);
}

// ── hosts ────────────────────────────────────────────────────────────────

/** A host that has joined, or joins again. */
export function addHost(ctx: Context, given: Pick<HostRecord, 'id' | 'name' | 'certificateEndsAtMs'>): Host {
  const { state } = ctx;
  checkName(given.name, 'host');
  const known = state.hosts.get(given.id);
  const named = state.findHost(given.name);
  if (named && named !== known)
    throw new Refusal('host-exists', `there is a host named ${given.name} already: remove it, or give the new one another name`);
  if (state.hosts.size >= MAX_HOSTS) throw new Refusal('limit', `a cluster holds at most ${MAX_HOSTS} hosts`);
  const host = known ?? state.addHost({ ...given, maintenance: 'no', bootId: '', joinedAtMs: ctx.now }, ctx.now);
  host.record.certificateEndsAtMs = given.certificateEndsAtMs;
  if (!known) heard(ctx, host);
  ctx.save('host', given.id, () => host.record);
  ctx.tell({ kind: 'host.joined', hostId: given.id, line: `${given.name} has joined` });
  return host;
}

export interface DrainAsked extends Asked {
  readonly host: string;
  readonly dryRun: boolean;
  readonly otherwise: 'suspend' | 'stop' | 'leave';
  readonly settings: SettingsChange;
  readonly concurrent: number;
}

export function drainHost(ctx: Context, asked: DrainAsked): { plan: DrainPlan; operation: OperationRecord | undefined } {
  const host = findHost(ctx, asked.host);
  const plan = ctx.ports.planner.drain(ctx.state, host, ctx.now, asked.otherwise);
  if (asked.dryRun) return { plan, operation: undefined };
  const before = begunBefore(ctx, asked, 'drain-host') ?? host.operationId;
  if (before) return { plan, operation: ctx.state.operations.get(before) };
  const { otherwise, concurrent, actor } = asked;
  const operation = beginDrain(ctx, host, {
    actor,
    key: keyOf(asked),
    timeMs: timeOf(ctx, asked, BATCH_MS),
    otherwise,
    concurrent,
    settings: set(asked.settings),
  });
  return { plan, operation };
}

export function resumeHost(ctx: Context, name: string, actor: string): Host {
  const host = findHost(ctx, name);
  const drain = ctx.state.operations.get(host.operationId);
  if (drain) cancelBatch(ctx, drain, `${actor} has ended the maintenance`);
  if (host.record.maintenance !== 'no') setMaintenance(ctx, host, 'no');
  ctx.tell({ kind: 'host.resumed', hostId: host.record.id, actor, line: `${host.record.name} takes VMs again` });
  ctx.signals.push({ signal: 'queue' });
  return host;
}

export function removeHost(ctx: Context, name: string, force: boolean, actor: string): void {
  const host = findHost(ctx, name);
  const { record } = host;
  const here = vmsOn(ctx, host);
  if (here.length > 0 && !(force && host.status === 'dead'))
    throw new Refusal(
      'not-drained',
      `${here[0].record.spec.name} and ${here.length - 1} more are, or may be, on ${record.name}: drain it first${host.status === 'dead' ? ', or force it' : ''}`,
    );
  const drain = ctx.state.operations.get(host.operationId);
  if (drain) cancelBatch(ctx, drain, 'the host is removed');
  bury(ctx, host);
  ctx.say(host, { say: 'end', line: 'the host was removed from the cluster' });
  for (const orderId of [...host.orderIds]) ctx.forgetOrder(orderId);
  for (const [vmmId, report] of host.vmms) ctx.state.vms.get(report.vmId)?.vmms.delete(vmmId);
  ctx.timers.clear(`host/${record.id}`);
  ctx.state.dropHost(host);
  ctx.erase('host', record.id);
  ctx.tell({ kind: 'host.removed', hostId: record.id, actor, line: `${record.name} was removed` });
}

/** In maintenance, and nothing is left here; else why not. */
export function whyNotPowerOff(ctx: Context, host: Host): string {
  if (host.record.maintenance === 'no') return 'it is not in maintenance';
  if (!host.sessionId) return 'it is silent: what runs there is not known';
  const here = vmsOn(ctx, host);
  if (here.length > 0)
    return `${here.length} VMs are there: ${here
      .slice(0, 5)
      .map(({ record }) => record.spec.name)
      .join(', ')}`;
  if (host.migrationIds.size > 0) return 'a migration is under way';
  return host.vmms.size > 0 ? 'a process waits there for a VM' : '';
}

// ── cluster ──────────────────────────────────────────────────────────────

export function balance(ctx: Context, asked: Asked & { dryRun: boolean }): { plan: BalancePlan; operation: OperationRecord | undefined } {
  const plan = ctx.ports.planner.balance(ctx.state, ctx.now);
  if (asked.dryRun) return { plan, operation: undefined };
  const before = begunBefore(ctx, asked, 'balance');
  if (before) return { plan, operation: ctx.state.operations.get(before) };
  return { plan, operation: plan.moves.length > 0 ? beginBalance(ctx, plan.moves, { actor: asked.actor, key: keyOf(asked) }) : undefined };
}

export function changeSettings(ctx: Context, settings: Settings, actor: string): Settings {
  if (settings.revision && settings.revision !== ctx.state.settings.revision)
    throw new Refusal('changed', 'the settings were changed meanwhile: read them again');
  const { hostUnreachableMs, hostDeadMs, migrationsPerHost, migrationsInCluster, operationMs } = settings;
  const check = (holds: boolean, line: string): void => {
    if (!holds) throw new Refusal('bad-settings', line);
  };
  check(
    hostUnreachableMs >= 5_000 && hostDeadMs >= 2 * hostUnreachableMs,
    'a host is unreachable after 5 s at the earliest, and dead after twice that time',
  );
  check(migrationsPerHost >= 1 && migrationsInCluster >= 1, 'at least one migration must be allowed a host and in the cluster');
  check(operationMs >= 60_000, 'operations need a minute at least');
  ctx.state.settings = { ...settings, revision: ctx.state.settings.revision + 1 };
  changed(ctx, 'settings', actor);
  ctx.save('settings', 'settings', () => ctx.state.settings);
  return ctx.state.settings;
}

export function putRule(ctx: Context, rule: RuleRecord, actor: string): void {
  checkName(rule.name, 'rule');
  if ((rule.kind === 'on' || rule.kind === 'off') && !ctx.state.groups.has(rule.group))
    throw new Refusal('no-group', `there is no host group ${rule.group}`);
  if (rule.vms.length + rule.labels.length === 0) throw new Refusal('invalid', 'a rule names VMs or labels');
  ctx.state.rules.set(rule.name, rule);
  ctx.save('rule', rule.name, () => rule);
  changed(ctx, `rule ${rule.name}`, actor);
}

export function removeRule(ctx: Context, name: string, actor: string): void {
  if (!ctx.state.rules.delete(name)) throw new Refusal('no-rule', `there is no rule ${name}`);
  ctx.erase('rule', name);
  changed(ctx, `rule ${name}`, actor);
}

export function putGroup(ctx: Context, group: GroupRecord, actor: string): void {
  checkName(group.name, 'host group');
  for (const host of group.hosts) findHost(ctx, host);
  ctx.state.groups.set(group.name, group);
  ctx.save('group', group.name, () => group);
  changed(ctx, `host group ${group.name}`, actor);
}

export function removeGroup(ctx: Context, name: string, actor: string): void {
  const rule = [...ctx.state.rules.values()].find(({ group }) => group === name);
  if (rule) throw new Refusal('in-use', `the rule ${rule.name} uses the host group ${name}`);
  if (!ctx.state.groups.delete(name)) throw new Refusal('no-group', `there is no host group ${name}`);
  ctx.erase('group', name);
  changed(ctx, `host group ${name}`, actor);
}

export function applyBaseline(ctx: Context, vendor: string, features: readonly string[], actor: string): void {
  ctx.state.baseline = { vendor, features: [...new Set(features)].sort() };
  ctx.save('baseline', 'baseline', () => ctx.state.baseline);
  changed(ctx, 'CPU baseline', actor);
}

const changed = (ctx: Context, what: string, actor: string): void => ctx.tell({ kind: 'cluster.changed', actor, line: `${what} changed` });
