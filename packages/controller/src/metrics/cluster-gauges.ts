/** What the leader knows of the cluster, as gauges: read at a scrape, from memory. Who does not lead has no such series. */
import type { AnyRegistry, MetricName, Metrics } from '@godwit/metrics';
import { type ClusterState, type Host, stateOf } from '../core/state';

const OF_LEADER: readonly MetricName[] = [
  'godwit_hosts',
  'godwit_host_reachable',
  'godwit_host_heard_timestamp_seconds',
  'godwit_host_certificate_expiry_timestamp_seconds',
  'godwit_vms',
  'godwit_orders_pending',
  'godwit_cluster_migrations_active',
  'godwit_operations_active',
];

/** @param state undefined: another one leads */
export function readCluster(registry: AnyRegistry, metrics: Metrics<'controller'>, state: ClusterState | undefined): void {
  for (const name of OF_LEADER) registry.family(name).forget({});
  if (!state) return;
  readHosts(metrics, state);
  const vms = new Tally();
  for (const vm of state.vms.values()) vms.add(`${stateOf(state, vm)} ${vm.record.wanted}`);
  for (const [key, count] of vms.counts) {
    const [is, wanted] = key.split(' ');
    metrics.vms.set({ state: is as 'running', wanted: wanted as 'running' }, count);
  }
  metrics.ordersPending.set(state.orders.size);
  const stages = new Tally(['queued', 'preparing', 'sending', 'settling']);
  for (const ids of [state.queue, state.moving]) for (const id of ids) stages.add(state.migrations.get(id)?.stage ?? 'ended');
  for (const [stage, count] of stages.counts)
    if (stage !== 'ended') metrics.clusterMigrationsActive.set({ stage: stage as 'queued' }, count);
  const kinds = new Tally(registry.family('godwit_operations_active').row.labels.kind!);
  for (const id of state.running) kinds.add(state.operations.get(id)?.kind ?? 'other');
  for (const [kind, count] of kinds.counts) metrics.operationsActive.set({ kind }, count);
}

function readHosts(metrics: Metrics<'controller'>, state: ClusterState): void {
  const states = new Tally(['waiting', 'ready', 'unreachable', 'dead', 'draining', 'maintenance']);
  for (const host of state.hosts.values()) {
    const { name, certificateEndsAtMs } = host.record;
    states.add(stateWord(host));
    metrics.hostReachable.set({ host: name }, host.sessionId ? 1 : 0);
    metrics.hostHeardTimestampSeconds.set({ host: name }, host.heardAtMs / 1e3);
    metrics.hostCertificateExpiryTimestampSeconds.set({ host: name }, certificateEndsAtMs ? certificateEndsAtMs / 1e3 : undefined);
  }
  for (const [is, count] of states.counts) metrics.hosts.set({ state: is as 'ready' }, count);
}

const stateWord = ({ status, record }: Host): string => {
  if (status !== 'ready' || record.maintenance === 'no') return status;
  return record.maintenance === 'draining' ? 'draining' : 'maintenance';
};

class Tally {
  readonly counts: Map<string, number>;

  constructor(from: readonly string[] = []) {
    this.counts = new Map(from.map((key) => [key, 0]));
  }

  add(key: string): void {
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
}
