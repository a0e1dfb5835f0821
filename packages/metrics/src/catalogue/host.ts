/** What an agent tells of its host: migrations that began here, capacity, datastores, its session. */
import { agentCounter, agentGauge, agentHistogram } from './row';
import { MIGRATION_OUTCOMES, ORDER_STATES, PAUSE_PARTS, VM_STATES } from './values';

/** Around the default budget of 50 ms, and up to where a guest's own time-outs begin. */
const PAUSE_BUCKETS = [0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 3, 10];
const PART_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 3];

export const HOST = {
  godwit_migrations_total: agentCounter({
    labels: { outcome: MIGRATION_OUTCOMES },
    help: 'Live migrations from this host that have ended. Lost: neither side could tell where the VM is.',
  }),
  godwit_migrations_active: agentGauge({ labels: { direction: ['in', 'out'] }, help: 'Live migrations under way to and from this host.' }),
  godwit_migration_pause_seconds: agentHistogram({
    unit: 'seconds',
    help: 'Time that the guest stood still at the switch, of completed migrations from this host.',
    buckets: PAUSE_BUCKETS,
  }),
  godwit_migration_pause_part_seconds: agentHistogram({
    unit: 'seconds',
    labels: { part: PAUSE_PARTS },
    help: 'The pause by its parts: stopping the vCPU, the last pages, machine state, passing the lease, starting on the target.',
    buckets: PART_BUCKETS,
  }),
  godwit_migration_pauses_over_budget_total: agentCounter({
    help: 'Completed migrations whose pause was longer than their settings asked for.',
  }),
  godwit_migration_pause_retreats_total: agentCounter({
    help: 'Pauses taken back before the commit because they would have been too long.',
  }),
  godwit_migration_stalls_total: agentCounter({ help: 'Times that rounds stopped shrinking and a policy had to decide.' }),
  godwit_migration_duration_seconds: agentHistogram({
    unit: 'seconds',
    labels: { outcome: MIGRATION_OUTCOMES },
    help: "Time from a migration's start to its end.",
    buckets: [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600],
  }),
  godwit_migration_rounds: agentHistogram({
    help: 'Rounds of precopy that completed migrations took.',
    buckets: [1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 200],
  }),
  godwit_migration_pages_total: agentCounter({
    labels: { kind: ['zero', 'fill', 'delta', 'raw', 'packed', 'unchanged', 'skipped'] },
    help: 'Pages that migrations dealt with: sent as zero, as one repeated word, as a delta, plain, packed by lz4; found unchanged; left to the next round.',
  }),
  godwit_migration_bytes_total: agentCounter({
    unit: 'bytes',
    labels: { kind: ['fill', 'delta', 'raw', 'packed', 'state', 'overhead'] },
    help: 'Bytes sent by migrations, by what they were; overhead is headers and control. The sum is what went over the wire.',
  }),

  godwit_host_cpus: agentGauge({ help: 'CPUs that the host has for VMs.' }),
  godwit_host_cpu_used_ratio: agentGauge({ unit: 'ratio', help: 'Share of all CPUs of the host in use, by whomever.' }),
  godwit_host_memory_bytes: agentGauge({ unit: 'bytes', help: 'Memory of the host.' }),
  godwit_host_memory_available_bytes: agentGauge({ unit: 'bytes', help: 'Memory of the host that new VMs could have.' }),
  godwit_host_pressure_ratio: agentGauge({
    unit: 'ratio',
    labels: { resource: ['cpu', 'memory'] },
    help: 'Share of time that some process waited for the resource (PSI, some, 10 s).',
  }),
  godwit_host_network_bytes_per_second: agentGauge({
    unit: 'bytes_per_second',
    labels: { direction: ['receive', 'transmit'] },
    help: "Traffic of the host's interfaces.",
  }),
  godwit_host_vms: agentGauge({ labels: { state: VM_STATES }, help: 'VM processes on the host by state.' }),
  godwit_host_maintenance: agentGauge({ help: '1 while the host is in maintenance or is being drained.' }),
  godwit_datastore_reachable: agentGauge({ labels: { datastore: null }, help: '1 while the datastore answers this host.' }),
  godwit_datastore_size_bytes: agentGauge({ unit: 'bytes', labels: { datastore: null }, help: 'Size of the datastore.' }),
  godwit_datastore_free_bytes: agentGauge({ unit: 'bytes', labels: { datastore: null }, help: 'Room left in the datastore.' }),

  godwit_agent_connected: agentGauge({ help: '1 while the agent has a session with the leading controller.' }),
  godwit_agent_sessions_total: agentCounter({ help: 'Sessions with a controller that were begun.' }),
  godwit_agent_orders_total: agentCounter({ labels: { state: ORDER_STATES }, help: 'Orders of the controller by how they ended.' }),
} as const;
