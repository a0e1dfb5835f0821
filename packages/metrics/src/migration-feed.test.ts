/** Proves that a migration's record, told as often as it may be, counts once, and leaves no live series behind. */
import type { MigrationRecord } from '@godwit/migration';
import { MigrationFeed, type MigrationReading } from './migration-feed';
import { createRegistry } from './registry';
import { serveMetrics } from './serve';

const KEY = { vmId: 'id-1', name: 'web-1', vmmId: 'vmm-1' };
const noCounts = {
  zeroPages: 0,
  fillPages: 0,
  deltaPages: 0,
  rawPages: 0,
  packedPages: 0,
  unchangedPages: 0,
  skippedPages: 0,
  fillBytes: 0,
  deltaBytes: 0,
  rawBytes: 0,
  packedBytes: 0,
  stateBytes: 0,
  wireBytes: 0,
};
const record = (more: Partial<MigrationReading> = {}): MigrationReading => ({
  migrationId: 'm-1',
  outcome: null,
  totalMs: 1_500,
  roundCount: 3,
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
  counts: noCounts,
  ...more,
});

/** The real record fits: the type check says so. */
const asReading = (real: MigrationRecord): MigrationReading => real;

const setUp = () => {
  const registry = createRegistry('agent', { host: 'host-a', version: '1', readings: () => {} });
  const feed = new MigrationFeed(registry);
  const value = async (series: string): Promise<number | undefined> => {
    const line = (await serveMetrics(registry)).body
      .split('\n')
      .find((one) => one.replace('host="host-a",', '').replace('host="host-a"', '').startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
  };
  return { registry, feed, value };
};

test('live figures while it runs, none afterwards', async () => {
  const { registry, feed, value } = setUp();
  feed.record(KEY, asReading(record() as unknown as MigrationRecord));
  expect(await value('godwit_vm_migration_remaining_bytes{vm="web-1",vm_id="id-1"}')).toBe(1 << 20);
  expect(await value('godwit_vm_migration_throttle_ratio{vm="web-1",vm_id="id-1"}')).toBe(0.2);
  feed.record(KEY, record({ outcome: 'failed' }));
  expect((await serveMetrics(registry)).body).not.toContain('godwit_vm_migration_');
});

test('bytes and pages are added as they are sent, and sum up to the wire', async () => {
  const { registry, feed, value } = setUp();
  // The pages of a message are known before its bytes have gone out.
  feed.record(KEY, record({ counts: { ...noCounts, rawPages: 10, rawBytes: 40_960 } }));
  feed.record(KEY, record({ counts: { ...noCounts, rawPages: 10, rawBytes: 40_960, wireBytes: 41_000 } }));
  expect(await value('godwit_migration_bytes_total{kind="raw"}')).toBe(40_960);
  feed.record(
    KEY,
    record({ outcome: 'completed', counts: { ...noCounts, rawPages: 15, rawBytes: 61_440, stateBytes: 5_000, wireBytes: 67_000 } }),
  );
  feed.record(
    { ...KEY, vmId: 'id-2' },
    record({ migrationId: 'm-2', counts: { ...noCounts, rawPages: 1, rawBytes: 4_096, wireBytes: 4_100 } }),
  );
  expect(await value('godwit_migration_pages_total{kind="raw"}')).toBe(16);
  const kinds = [...registry.family('godwit_migration_bytes_total').series()].map((series) => series.value);
  expect(kinds.reduce((sum, bytes) => sum + bytes)).toBe(71_100);
});

test('the end counts once: pause, parts, rounds, outcome, budget', async () => {
  const { feed, value } = setUp();
  const end = record({
    outcome: 'completed',
    pauseMs: 62,
    pause: { stopMs: 1, pagesMs: 40, stateMs: 8, leaseMs: 9, startMs: 4 },
    stalls: 2,
    retreats: 1,
  });
  feed.record(KEY, end);
  feed.record(KEY, end);
  feed.record(KEY, record());
  expect(await value('godwit_migrations_total{outcome="completed"}')).toBe(1);
  expect(await value('godwit_migration_pause_seconds_count{}')).toBe(1);
  expect(await value('godwit_migration_pause_seconds_sum{}')).toBe(0.062);
  expect(await value('godwit_migration_pause_part_seconds_sum{part="pages"}')).toBe(0.04);
  expect(await value('godwit_migration_pauses_over_budget_total{}')).toBe(1);
  expect(await value('godwit_migration_rounds_sum{}')).toBe(3);
  expect(await value('godwit_migration_stalls_total{}')).toBe(2);
  expect(await value('godwit_vm_migration_round{vm="web-1",vm_id="id-1"}')).toBeUndefined();
});

test('a failed migration has no pause; an outcome of a newer version counts as lost', async () => {
  const { feed, value } = setUp();
  feed.record(KEY, record({ outcome: 'cancelled', pauseMs: 20 }));
  feed.record(KEY, record({ migrationId: 'm-2', outcome: 'vanished' }));
  expect([await value('godwit_migrations_total{outcome="cancelled"}'), await value('godwit_migrations_total{outcome="lost"}')]).toEqual([
    1, 1,
  ]);
  expect(await value('godwit_migration_pause_seconds_count{}')).toBe(0);
});
