/**
 * The planner that asks @godwit/scheduler. Its index is kept up to date entry by entry: what was
 * touched since the last question is put in before the next one, so that a question costs what it looks at.
 */
import type { VmFacts } from '@godwit/migration';
import {
  choose,
  ClusterIndex,
  DEFAULT_SETTINGS,
  type HostEntry,
  hostEntry,
  type HostState,
  NO_CPU,
  type Verdict as Found,
  place,
  planBalance,
  planDrain,
  type VmEntry,
  vmEntry,
} from '@godwit/scheduler';
import type { BalancePlan, DrainPlan, Placement, PlaceRequest, Planner, Verdict } from './planner';
import { type ClusterState, type Host, runnerOf, stateOf, type Vm } from './state';

/** Hosts that are explained without having been asked for: about a millisecond each. */
const MAX_EXPLAINED = 128;
/** CPUs that a VM is expected to keep busy before it has run: it boots. Without it all that are started at once would go to the host that measured a little less. */
const STARTING_CPUS = 1;

export class SchedulerPlanner implements Planner {
  readonly index = new ClusterIndex();
  private readonly vms = new Set<string>();
  private readonly hosts = new Set<string>();
  /** Names of the groups that the index has. */
  private groups: ReadonlySet<string> = new Set();
  private cluster = true;
  private whole = true;
  private state: ClusterState | undefined;

  touched(what: 'vm' | 'host' | 'cluster', id: string): void {
    if (what === 'vm') this.vms.add(id);
    else if (what === 'host') this.hosts.add(id);
    else this.cluster = true;
  }

  place(state: ClusterState, { vm, move, hostId, exclude, force, explain = false, purpose = 'operator' }: PlaceRequest): Placement {
    this.refresh(state);
    const request = { vm: entryOf(state, vm), move, ...(hostId ? { hostId } : {}), force, exclude, purpose };
    const chosen = explain ? undefined : choose(this.index, request);
    if (chosen) return { hostId: chosen.host.id, line: `${chosen.host.name} suits it best`, hosts: [] };
    // None can: every reason, unless there are so many hosts that finding them would hold up everything else.
    if (!explain && this.index.hosts().length > MAX_EXPLAINED)
      return {
        hostId: '',
        line: `none of the cluster's hosts can take ${vm.record.spec.name}: a dry run tells why, host by host`,
        hosts: [],
      };
    const placed = place(this.index, request);
    return {
      hostId: placed.hostId ?? '',
      line: placed.line,
      hosts: placed.hosts.filter(({ hostId: id }) => !exclude.has(id)).map(verdictOf),
    };
  }

  drain(state: ClusterState, host: Host, _now: number, otherwise: 'suspend' | 'stop' | 'leave' = 'leave'): DrainPlan {
    this.refresh(state);
    const { blockers, moves } = planDrain(this.index, host.record.id, { otherwise });
    return {
      blockers: blockers.map(({ vmId, hosts, line }) => ({ vmId, line, hosts: hosts.map(verdictOf) })),
      moves: moves.map(({ vmId, targetId, line, how }) => ({ vmId, toHostId: targetId, line, how })),
    };
  }

  balance(state: ClusterState, now: number): BalancePlan {
    this.refresh(state);
    const { moves, before, after, line } = planBalance(this.index, now);
    return { before, after, line, moves: moves.map(({ vmId, targetId, line: why }) => ({ vmId, toHostId: targetId, line: why })) };
  }

  /** The scheduler's own view of it, as of now. */
  view(state: ClusterState): ClusterIndex {
    this.refresh(state);
    return this.index;
  }

  private refresh(state: ClusterState): void {
    if (this.state !== state || this.whole) {
      this.state = state;
      this.whole = false;
      for (const id of state.hosts.keys()) this.hosts.add(id);
      for (const id of state.vms.keys()) this.vms.add(id);
    }
    for (const id of this.hosts) {
      const host = state.hosts.get(id);
      if (host) this.index.putHost(hostOf(host));
      else this.index.removeHost(id);
    }
    for (const id of this.vms) this.refreshVm(state, id);
    this.hosts.clear();
    this.vms.clear();
    if (this.cluster) this.refreshCluster(state);
  }

  private refreshVm(state: ClusterState, id: string): void {
    const { index } = this;
    const vm = state.vms.get(id);
    const old = index.moveOf(id);
    if (!vm) {
      if (old) index.removeMove(old.id);
      return index.removeVm(id);
    }
    index.putVm(entryOf(state, vm));
    const migration = state.migrations.get(vm.migrationId);
    const moves = migration !== undefined && migration.stage !== 'queued';
    if (old && old.id !== migration?.id) index.removeMove(old.id);
    if (!moves) return old && old.id === migration?.id ? index.removeMove(old.id) : undefined;
    const { id: moveId, vmId, sourceHostId: sourceId, targetHostId: targetId, parentId, actor, settings } = migration;
    index.putMove({
      id: moveId,
      vmId,
      kind: 'live',
      sourceId,
      targetId,
      owner: parentId || actor,
      bytesPerSecond: settings.bandwidthBytesPerSecond || null,
    });
  }

  private refreshCluster(state: ClusterState): void {
    const { index } = this;
    this.cluster = false;
    const names = new Set(index.allRules().map(({ rule }) => rule.name));
    for (const name of names) if (!state.rules.has(name)) index.removeRule(name);
    for (const name of this.groups) if (!state.groups.has(name)) index.removeGroup(name);
    this.groups = new Set(state.groups.keys());
    for (const group of state.groups.values()) index.putGroup(group);
    for (const rule of state.rules.values()) index.putRule(rule);
    index.baseline = state.baseline.features.length > 0 ? state.baseline : null;
    const { hostReserveBytes, hostFailures, migrationsPerHost, migrationsInCluster } = state.settings;
    const moves = {
      ...DEFAULT_SETTINGS.moves,
      outPerHost: migrationsPerHost,
      inPerHost: migrationsPerHost,
      inCluster: migrationsInCluster,
    };
    index.settings = { ...DEFAULT_SETTINGS, hostReserveBytes, hostFailures, moves };
  }
}

const STATES: Readonly<Record<Host['status'], HostState>> = {
  waiting: 'unreachable',
  ready: 'ready',
  unreachable: 'unreachable',
  dead: 'dead',
};

function hostOf({ record, status, sessionId, report, reportedAtMs }: Host): HostEntry {
  const spoken = sessionId === undefined && status === 'ready' ? 'unreachable' : STATES[status];
  const state = spoken !== 'ready' || record.maintenance === 'no' ? spoken : record.maintenance === 'draining' ? 'draining' : 'maintenance';
  return hostEntry({
    id: record.id,
    name: record.name,
    state,
    facts: report?.facts ?? null,
    factsReadMs: reportedAtMs,
    memoryBytes: report?.totalMemoryBytes ?? 0,
    load: report?.load ?? null,
  });
}

function entryOf(state: ClusterState, vm: Vm): VmEntry {
  const { record } = vm;
  const { spec } = record;
  const runner = runnerOf(state, vm);
  const is = stateOf(state, vm);
  const facts: VmFacts = {
    vmId: record.id,
    name: spec.name,
    state: is === 'paused' || is === 'suspended' || is === 'stopped' ? is : 'running',
    cpu: runner?.report.facts?.cpu ?? record.cpu ?? NO_CPU,
    usedFeatures: runner?.report.facts?.usedFeatures ?? null,
    vcpus: spec.vcpus,
    memoryBytes: spec.memoryBytes,
    machineVersion: record.machineVersion || spec.machineVersion,
    datastores: [record.place.datastoreId],
    networks: spec.networks.map(({ network }) => network),
    localDevices: runner?.report.facts?.localDevices ?? [],
  };
  const hostId = runner?.host.record.id ?? (record.hostId || willStartOn(state, vm));
  return vmEntry({
    facts,
    hostId,
    wanted: record.wanted,
    labels: spec.labels,
    priority: spec.priority,
    reservedMemoryBytes: spec.reservedMemoryBytes,
    cpuFeatures: spec.cpuFeatures.length > 0 ? spec.cpuFeatures : null,
    restart: spec.restart,
    manualOnly: spec.migration.manualOnly,
    cpuUsed: runner?.report.cpuUsed ?? (record.hostId ? 0 : STARTING_CPUS),
    cpuMeasured: runner !== undefined || record.hostId !== '',
    dirtyBytesPerSecond: runner?.report.dirtyBytesPerSecond || null,
    lastHostId: hostId,
    movedAtMs: record.movedAtMs || null,
  });
}

/** A VM that is being made and then starts is promised its host's memory from the beginning, or all that are made at once would go to one. */
function willStartOn(state: ClusterState, vm: Vm): string | null {
  const operation = state.operations.get(vm.operationId);
  return operation?.vmId === vm.record.id && operation.arguments.start && operation.hostId ? operation.hostId : null;
}

function verdictOf({ hostId, name, blockers, instead, missingFeatures, missingUsedFeatures, broken, score, parts }: Found): Verdict {
  return {
    hostId,
    name,
    blockers,
    instead,
    missingFeatures,
    missingUsedFeatures,
    score,
    reasons: [...parts.map(({ line }) => line), ...broken],
  };
}
