/** From the source's record of a migration, live and at its end, to series. Each end counts once, however often it is told. */
import { MIGRATION_OUTCOMES, PAUSE_PARTS } from './catalogue/values';
import { MAX_ENDED_MIGRATIONS } from './limits';
import type { Registry } from './registry';
import { type VmKey, vmLabels } from './vm-feed';

/** What of the record (packages/migration/src/statistics.ts) is told. Milliseconds and bytes. */
export interface MigrationReading {
  readonly migrationId: string;
  readonly outcome: string | null;
  readonly totalMs: number;
  readonly roundCount: number;
  readonly remainingPages: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  readonly throttlePercent: number;
  readonly expectedPauseMs: number;
  readonly stalls: number;
  readonly retreats: number;
  readonly pause: { readonly [K in `${(typeof PAUSE_PARTS)[number]}Ms`]?: number } | null;
  readonly pauseMs: number | null;
  readonly settings: { readonly pauseBudgetMs: number };
  readonly counts: Readonly<Record<CountName, number>>;
}

type CountName =
  | `${'zero' | 'fill' | 'delta' | 'raw' | 'packed' | 'unchanged' | 'skipped'}Pages`
  | `${'fill' | 'delta' | 'raw' | 'packed' | 'state' | 'wire'}Bytes`;

const PAGE_BYTES = 4096;
const PAGES = ['zero', 'fill', 'delta', 'raw', 'packed', 'unchanged', 'skipped'] as const;
const BYTES = ['fill', 'delta', 'raw', 'packed', 'state'] as const;

interface Totals extends Pick<MigrationReading, 'counts' | 'stalls' | 'retreats'> {
  /** The most that was seen: pages may be told a moment before the wire's bytes are. */
  readonly overheadBytes: number;
}

export class MigrationFeed {
  /** By migration: what has been counted already. */
  private readonly counted = new Map<string, Totals>();
  private readonly ended = new Set<string>();

  constructor(private readonly registry: Registry<'agent'>) {}

  /** At each change of the record. `key`: the VM at the source. */
  record(key: VmKey, record: MigrationReading): void {
    if (this.ended.has(record.migrationId)) return;
    this.count(record);
    if (record.outcome) this.end(key, record);
    else this.live(key, record);
  }

  private live(key: VmKey, record: MigrationReading | undefined): void {
    const labels = vmLabels(key);
    const { metrics } = this.registry;
    metrics.vmMigrationRound.set(labels, record?.roundCount);
    metrics.vmMigrationRemainingBytes.set(labels, record && record.remainingPages * PAGE_BYTES);
    metrics.vmMigrationDirtyBytesPerSecond.set(labels, record?.dirtyBytesPerSecond);
    metrics.vmMigrationTransferBytesPerSecond.set(labels, record?.transferBytesPerSecond);
    metrics.vmMigrationThrottleRatio.set(labels, record && record.throttlePercent / 100);
    metrics.vmMigrationExpectedPauseSeconds.set(labels, record && record.expectedPauseMs / 1e3);
  }

  private count({ migrationId, counts, stalls, retreats }: MigrationReading): void {
    const { metrics } = this.registry;
    const before = this.counted.get(migrationId);
    const added = (name: CountName): number => counts[name] - (before?.counts[name] ?? 0);
    for (const kind of PAGES) metrics.migrationPagesTotal.inc({ kind }, added(`${kind}Pages`));
    for (const kind of BYTES) metrics.migrationBytesTotal.inc({ kind }, added(`${kind}Bytes`));
    const counted = before?.overheadBytes ?? 0;
    const overheadBytes = Math.max(counted, counts.wireBytes - BYTES.reduce((sum, kind) => sum + counts[`${kind}Bytes`], 0));
    metrics.migrationBytesTotal.inc({ kind: 'overhead' }, overheadBytes - counted);
    metrics.migrationStallsTotal.inc(stalls - (before?.stalls ?? 0));
    metrics.migrationPauseRetreatsTotal.inc(retreats - (before?.retreats ?? 0));
    this.counted.set(migrationId, { counts, stalls, retreats, overheadBytes });
  }

  private end(key: VmKey, record: MigrationReading): void {
    const { metrics } = this.registry;
    const outcome = MIGRATION_OUTCOMES.find((one) => one === record.outcome) ?? 'lost';
    this.live(key, undefined);
    this.remember(record.migrationId);
    metrics.migrationsTotal.inc({ outcome });
    metrics.migrationDurationSeconds.observe({ outcome }, record.totalMs / 1e3);
    if (outcome !== 'completed') return;
    metrics.migrationRounds.observe(record.roundCount);
    if (typeof record.pauseMs === 'number') {
      metrics.migrationPauseSeconds.observe(record.pauseMs / 1e3);
      if (record.pauseMs > record.settings.pauseBudgetMs) metrics.migrationPausesOverBudgetTotal.inc();
    }
    for (const part of PAUSE_PARTS) {
      const ms = record.pause?.[`${part}Ms`];
      if (typeof ms === 'number') metrics.migrationPausePartSeconds.observe({ part }, ms / 1e3);
    }
  }

  private remember(migrationId: string): void {
    this.counted.delete(migrationId);
    this.ended.add(migrationId);
    if (this.ended.size > MAX_ENDED_MIGRATIONS) this.ended.delete(this.ended.values().next().value!);
  }
}
