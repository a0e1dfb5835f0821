/** The cluster, its settings, baseline, rules, people, and events. */
import type {
  Baseline,
  BaselineHost,
  ClusterSettings,
  ClusterStatus,
  Event,
  HostGroup,
  Identity,
  PlacementRule,
  Token,
  User,
} from '@godwit/wire';
import type { Kind } from '../output/output';
import type { Tone } from '../output/style';
import { bytesText, durationText, localTime, plural, rateText, timeText, wordOfEnum } from '../output/units';

export const STATUS_KIND: Kind<ClusterStatus> = {
  name: ({ name }) => name,
  columns: [],
  details: (one) => [
    ['cluster', one.name],
    ['health', one.health],
    ['problems', [...one.problems]],
    ['hosts', `${one.hostsReady} of ${one.hosts} ready, ${plural(one.cpus, 'CPU')}`],
    ['VMs', `${one.vmsRunning} of ${one.vms} run${one.vmsUnknown > 0 ? `, of ${one.vmsUnknown} it is not known` : ''}`],
    ['memory', `${bytesText(one.memoryPromisedBytes)} promised of ${bytesText(one.memoryBytes)}`],
    ['migrations', `${one.migrationsRunning} under way`],
    ['controllers', one.controllers.map(({ address, leads, version }) => [`${address}${leads ? ' leads' : ''}`, version].filter(Boolean).join(', '))],
    ['store', `${one.store}${one.storeReachable ? '' : ', cannot be reached'}`],
    ['term', String(one.term)],
    ['id', one.clusterId],
  ],
};

export const BASELINE_HOST_KIND: Kind<BaselineHost> = {
  name: ({ name }) => name,
  columns: [
    { title: 'HOST', cell: ({ name }) => name },
    { title: 'MASKED THERE', cell: ({ maskedFeatures }) => maskedFeatures.join(' ') },
    { title: 'MISSING THERE', cell: ({ missingFeatures }) => missingFeatures.join(' '), tone: () => 'bad' },
  ],
};

export const BASELINE_KIND: Kind<Baseline> = {
  name: ({ vendor }) => vendor,
  columns: [],
  details: (one) => [
    ['baseline', one.applied ? 'applied' : one.features.length > 0 ? 'computed, not applied' : 'none'],
    ['vendor', one.vendor],
    ['features', one.features.join(' ')],
    ['restart for it', one.vmsToRestart.join(', ')],
    ['remarks', [...one.lines]],
  ],
};

export const RULE_KIND: Kind<PlacementRule> = {
  name: ({ name }) => name,
  columns: [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'VMS', cell: ({ vms, labels }) => [...vms, ...labels].join(',') },
    { title: 'GROUP', cell: ({ group }) => group },
    { title: 'BINDS', cell: ({ soft }) => (soft ? 'if possible' : 'always') },
  ],
};

export const GROUP_KIND: Kind<HostGroup> = {
  name: ({ name }) => name,
  columns: [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'HOSTS', cell: ({ hosts }) => hosts.join(',') },
  ],
};

const roleText = ({ role }: { role: string }): string => wordOfEnum(role, 'ROLE_');

export const USER_KIND: Kind<User> = {
  name: ({ name }) => name,
  columns: [
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'ROLE', cell: roleText },
    { title: 'MADE', cell: ({ createdAtMs }) => timeText(createdAtMs) },
  ],
};

export const TOKEN_KIND: Kind<Token> = {
  name: ({ tokenId }) => tokenId,
  columns: [
    { title: 'ID', cell: ({ tokenId }) => tokenId.slice(0, 12) },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'ROLE', cell: roleText },
    { title: 'OF', cell: ({ user }) => user },
    { title: 'ENDS', cell: ({ endsAtMs }) => timeText(endsAtMs) },
    { title: 'MADE', wide: true, cell: ({ createdAtMs }) => timeText(createdAtMs) },
  ],
};

export const IDENTITY_KIND: Kind<Identity> = {
  name: ({ user }) => user,
  columns: [],
  details: (one) => [
    ['user', one.user || 'nobody: godwit login'],
    ['role', roleText(one)],
    ['by', one.by],
    ['until', timeText(one.endsAtMs)],
    ['cluster', one.clusterName],
    ['cluster id', one.clusterId],
  ],
};

const SEVERITIES: Readonly<Record<string, Tone>> = { SEVERITY_WARNING: 'warn', SEVERITY_ERROR: 'bad' };
export const severityText = ({ severity }: Pick<Event, 'severity'>): string => wordOfEnum(severity, 'SEVERITY_');

export const EVENT_KIND: Kind<Event> = {
  name: ({ cursor }) => cursor,
  columns: [
    { title: 'WHEN', cell: ({ atMs }) => localTime(atMs) },
    { title: 'SEVERITY', cell: severityText, tone: ({ severity }) => SEVERITIES[severity] },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'OF', cell: ({ vmName, hostName, vmId, hostId }) => vmName || vmId || hostName || hostId },
    { title: 'BY', wide: true, cell: ({ actor, cause }) => (cause && cause !== actor ? `${actor} (${cause})` : actor) },
    { title: 'MIGRATION', wide: true, cell: ({ migrationId }) => migrationId },
    { title: 'CURSOR', wide: true, cell: ({ cursor }) => cursor },
    { title: 'WHAT', cell: ({ line }) => line },
  ],
};

/** Not set: as docs/migration.md says. */
const USUAL = 'as usual';

export const SETTINGS_KIND: Kind<ClusterSettings> = {
  name: ({ revision }) => String(revision),
  columns: [],
  details: (one) => [
    ['max-pause', one.migration?.pauseBudgetMs ? durationText(one.migration.pauseBudgetMs) : USUAL],
    ['longest-pause', one.migration?.maxPauseMs ? durationText(one.migration.maxPauseMs) : USUAL],
    ['bandwidth', one.migration?.bandwidthBytesPerSecond ? rateText(one.migration.bandwidthBytesPerSecond) : 'unlimited'],
    ['policy', one.migration?.policies.join(', ') || USUAL],
    ['max-rounds', one.migration?.maxRounds ? String(one.migration.maxRounds) : USUAL],
    ['migrations-per-host', String(one.migrationsPerHost)],
    ['migrations-in-cluster', String(one.migrationsInCluster)],
    ['host-unreachable', durationText(one.hostUnreachableMs)],
    ['host-dead', durationText(one.hostDeadMs)],
    ['restart-vms', one.restartVms ? 'yes' : 'no'],
    ['host-reserve', bytesText(one.hostReserveBytes)],
    ['host-failures', String(one.hostFailures)],
    ['balance', one.balanceMode],
    ['balance-interval', durationText(one.balanceIntervalMs)],
    ['operation-time', durationText(one.operationMs)],
  ],
};
