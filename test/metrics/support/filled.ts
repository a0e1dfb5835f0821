/** Registries in which every series of the catalogue is there and moves: an agent with a VM, and a controller. */
import {
  type AnyRegistry,
  CATALOGUE,
  createRegistry,
  MigrationFeed,
  type MetricName,
  type Row,
  rowsOf,
  VmFeed,
} from '../../../packages/metrics/src';

const VM = { vmId: '7a52c6f0-2a35-4d0a-9c8a-6e2f5f1f0001', name: 'web-1', vmmId: '7a52c6f0-2a35-4d0a-9c8a-6e2f5f1f0002' };
const NAMES: Readonly<Record<string, string>> = {
  vm: VM.name,
  vm_id: VM.vmId,
  host: 'host-a',
  datastore: 'fast',
  disk: '0',
  nic: '0',
  method: 'GetVm',
  version: '1.0.0',
  vmm_id: VM.vmmId,
};

export function filledAgent(): { readonly registry: AnyRegistry; step(): void } {
  const registry = createRegistry('agent', { host: 'host-a', version: '1.0.0' });
  const vms = new VmFeed(registry);
  const migrations = new MigrationFeed(registry);
  let turn = 0;
  return {
    registry,
    step() {
      turn++;
      vms.counters(VM, counters(turn), Date.now());
      vms.status(
        VM,
        {
          running: true,
          pauses: turn % 2 === 0 ? ['operator', 'storage', 'lease', 'save', 'restore', 'migration'] : [],
          silent: false,
          memoryBytes: 1 << 29,
          vcpus: 1,
          leaseEpoch: 4,
        },
        Date.now(),
      );
      vms.usage(VM, { userSeconds: turn, systemSeconds: turn / 10, residentBytes: 1 << 28 });
      for (const [name, row] of rowsOf('agent'))
        if (!row.sources && !/^(process_|godwit_(vm|event_loop|metrics|heap))/.test(name)) move(registry, name, row);
      migrations.record(VM, record('live', null, turn));
    },
  };
}

export function filledController(): { readonly registry: AnyRegistry; step(): void } {
  const registry = createRegistry('controller', { version: '1.0.0' });
  return {
    registry,
    step() {
      for (const [name, row] of rowsOf('controller'))
        if (!/^(process_|godwit_(event_loop|metrics|heap))/.test(name)) move(registry, name, row);
    },
  };
}

function move(registry: AnyRegistry, name: MetricName, row: Row): void {
  let all: Record<string, string>[] = [{}];
  for (const [label, values] of Object.entries(row.labels))
    all = all.flatMap((labels) => (values ?? [NAMES[label]]).map((value) => ({ ...labels, [label]: value })));
  const family = registry.family(name);
  for (const labels of all) {
    if (row.type === 'counter') family.add(labels, 1);
    else if (row.type === 'gauge') family.set(labels, 1);
    else family.observe(labels, row.buckets![3]);
  }
}

/** Each counter that the catalogue knows of, all growing. What is taken away of another grows more slowly. */
function counters(turn: number): Record<string, number> {
  const all: Record<string, number> = {
    lease_renewal_seconds_count: turn,
    lease_renewal_seconds_sum: turn / 100,
    'lease_renewal_seconds_le_0.01': turn,
  };
  for (const row of Object.values(CATALOGUE) as Row[]) {
    if (row.type === 'histogram') continue;
    for (const { name, less = [] } of row.sources ?? []) all[name.replace('#', '0')] = turn * (1 + 2 * less.length);
  }
  return all;
}

const record = (migrationId: string, outcome: string | null, turn: number) => ({
  migrationId,
  outcome,
  totalMs: 1_000,
  roundCount: turn,
  remainingPages: 256,
  dirtyBytesPerSecond: 1e6,
  transferBytesPerSecond: 4e8,
  throttlePercent: 20,
  expectedPauseMs: 30,
  stalls: 0,
  retreats: 0,
  pause: null,
  pauseMs: null,
  settings: { pauseBudgetMs: 50 },
  counts: {
    zeroPages: turn,
    fillPages: turn,
    deltaPages: turn,
    rawPages: turn,
    packedPages: turn,
    unchangedPages: turn,
    skippedPages: turn,
    fillBytes: turn,
    deltaBytes: turn,
    rawBytes: turn,
    packedBytes: turn,
    stateBytes: turn,
    wireBytes: turn * 6,
  },
});
