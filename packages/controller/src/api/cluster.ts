/** Service Cluster. */
import { baselineEffect, computeBaseline } from '@godwit/scheduler';
import { applyBaseline, balance, changeSettings, putGroup, putRule, removeGroup, removeRule } from '../core/cluster-requests';
import { Refusal } from '../core/errors';
import type { RuleRecord, Settings } from '../core/records';
import { stateOf } from '../core/state';
import { brokenBy } from '../core/rules';
import type { Leadership } from '../leader/leadership';
import { flag, inner, number, text, texts } from '../rpc/fields';
import type { Message } from '../rpc/rpc';
import { readSettings } from '../rpc/spec-codec';
import type { ApiPorts, ApiService } from './ports';
import { asked } from './requests';
import { moveView, operationView } from './views';

export function clusterService(ports: ApiPorts): ApiService {
  const name = (request: Message): string => text(request, 'name');
  return {
    GetStatus: async () => statusOf(ports),
    GetSettings: async () => ports.leadership().state.settings,
    ChangeSettings: (request, { identity }) =>
      ports
        .leadership()
        .ask((ctx) => changeSettings(ctx, readClusterSettings(inner(request, 'settings'), ctx.state.settings), identity.user)),
    ComputeBaseline: async (request) => {
      const view = viewOf(ports.leadership());
      const wanted = texts(request, 'hosts');
      const hosts = view.hosts().filter((host) => wanted.length === 0 || wanted.includes(host.id) || wanted.includes(host.name));
      const { vendor, features, hosts: beside, lines, suggestions } = computeBaseline(hosts);
      return {
        vendor,
        features,
        applied: false,
        hosts: beside.map(besideView),
        vmsToRestart: [],
        lines: [...lines, ...suggestions.map(({ line }) => line)],
      };
    },
    ApplyBaseline: async (request, { identity }) => {
      const leadership = ports.leadership();
      await leadership.ask((ctx) => applyBaseline(ctx, text(request, 'vendor'), texts(request, 'features'), identity.user));
      return appliedBaseline(leadership);
    },
    GetBaseline: async () => appliedBaseline(ports.leadership()),
    ListRules: async () => ({ rules: [...ports.leadership().state.rules.values()] }),
    PutRule: (request, { identity }) =>
      ports.leadership().ask((ctx) => {
        const rule = readRule(request);
        putRule(ctx, rule, identity.user);
        return { rule, brokenBy: brokenBy(ctx.state, rule) };
      }),
    RemoveRule: async (request, { identity }) => {
      await ports.leadership().ask((ctx) => removeRule(ctx, name(request), identity.user));
      return {};
    },
    ListGroups: async () => ({ groups: [...ports.leadership().state.groups.values()] }),
    PutGroup: (request, { identity }) =>
      ports.leadership().ask((ctx) => {
        const group = { name: name(request), hosts: texts(request, 'hosts') };
        putGroup(ctx, group, identity.user);
        return group;
      }),
    RemoveGroup: async (request, { identity }) => {
      await ports.leadership().ask((ctx) => removeGroup(ctx, name(request), identity.user));
      return {};
    },
    Balance: (request, { identity }) =>
      ports.leadership().ask((ctx) => {
        const { plan, operation } = balance(ctx, { ...asked(request, identity.user), dryRun: flag(request, 'dryRun') });
        const { before, after, line, moves } = plan;
        return {
          before,
          after,
          line,
          moves: moves.map((move) => moveView(ctx.state, move)),
          operation: operation ? operationView(ctx.state, operation) : null,
        };
      }),
  };
}

const viewOf = (leadership: Leadership) => leadership.planner.view(leadership.state);
const besideView = ({
  hostId,
  name,
  masked,
  missing,
}: {
  hostId: string;
  name: string;
  masked: readonly string[];
  missing: readonly string[];
}): object => ({
  hostId,
  name,
  maskedFeatures: masked,
  missingFeatures: missing,
});

function appliedBaseline(leadership: Leadership): object {
  const { vendor, features } = leadership.state.baseline;
  if (features.length === 0)
    return {
      vendor: '',
      features: [],
      applied: false,
      hosts: [],
      vmsToRestart: [],
      lines: ['no baseline is applied: each VM is given what its first host has'],
    };
  const effect = baselineEffect(viewOf(leadership), { vendor, features });
  return {
    vendor,
    features,
    applied: true,
    hosts: effect.hosts.map(besideView),
    vmsToRestart: effect.vmsToRestart.map(({ name }) => name),
    lines: effect.lines,
  };
}

function readRule(request: Message): RuleRecord {
  const kind = text(request, 'kind');
  if (kind !== 'together' && kind !== 'apart' && kind !== 'on' && kind !== 'off')
    throw new Refusal('invalid', 'a rule is of kind together, apart, on or off');
  return {
    name: text(request, 'name'),
    kind,
    soft: flag(request, 'soft'),
    vms: texts(request, 'vms'),
    labels: texts(request, 'labels'),
    group: text(request, 'group'),
  };
}

function readClusterSettings(given: Message | undefined, now: Settings): Settings {
  const mode = text(given, 'balanceMode') || now.balanceMode;
  if (mode !== 'off' && mode !== 'propose' && mode !== 'automatic')
    throw new Refusal('bad-settings', 'the balance mode is off, propose or automatic');
  const names = [
    'migrationsPerHost',
    'migrationsInCluster',
    'hostUnreachableMs',
    'hostDeadMs',
    'balanceIntervalMs',
    'operationMs',
  ] as const;
  return {
    ...now,
    ...Object.fromEntries(names.map((field) => [field, number(given, field) || now[field]])),
    hostReserveBytes: number(given, 'hostReserveBytes'),
    hostFailures: number(given, 'hostFailures'),
    restartVms: flag(given, 'restartVms'),
    balanceMode: mode,
    migration: set(readSettings(inner(given, 'migration'))),
    revision: number(given, 'revision'),
  };
}

/** In MigrationSettings 0 says: as usual. */
const set = (settings: ReturnType<typeof readSettings>): ReturnType<typeof readSettings> =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== 0));

function statusOf(ports: ApiPorts): object {
  const { state, term } = ports.leadership();
  const hosts = [...state.hosts.values()];
  const vms = [...state.vms.values()].map((vm) => stateOf(state, vm));
  const spoken = hosts.filter(({ report }) => report !== undefined);
  const away = hosts.filter(({ sessionId }) => !sessionId);
  const unknown = vms.filter((is) => is === 'unknown').length;
  const problems = [
    ...away.map(({ record, status }) => `${record.name} is ${status === 'dead' ? 'dead' : 'silent'}`),
    ...(unknown > 0 ? [`the state of ${unknown} VMs is not known`] : []),
    ...hosts.flatMap(({ record, report }) => (report?.warnings ?? []).map((line) => `${record.name}: ${line}`)),
    ...[...state.vms.values()].filter(({ record }) => record.line).map(({ record }) => `${record.spec.name}: ${record.line}`),
  ];
  const controllers = ports.controllers();
  return {
    clusterId: ports.cluster.id,
    name: ports.cluster.name,
    leader: controllers.find(({ leads }) => leads)?.address ?? '',
    term,
    controllers,
    store: ports.cluster.store,
    storeReachable: true,
    hosts: hosts.length,
    hostsReady: hosts.length - away.length,
    vms: vms.length,
    vmsRunning: vms.filter((is) => is === 'running').length,
    vmsUnknown: unknown,
    migrationsRunning: state.moving.size,
    memoryBytes: spoken.reduce((sum, { report }) => sum + report!.totalMemoryBytes, 0),
    memoryPromisedBytes: [...state.vms.values()]
      .filter(({ record }) => record.hostId)
      .reduce((sum, { record: { spec } }) => sum + (spec.reservedMemoryBytes || spec.memoryBytes), 0),
    cpus: spoken.reduce((sum, { report }) => sum + report!.facts.cpus, 0),
    health: problems.length === 0 ? 'ok' : hosts.length > 0 && away.length === hosts.length ? 'failing' : 'degraded',
    problems: problems.slice(0, 100),
    atMs: ports.now(),
  };
}
