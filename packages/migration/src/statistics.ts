/**
 * The record of a migration, live and kept: plain JSON. Holds what QEMU's query-migrate
 * and libvirt's domjobinfo show that applies here, and the pause by parts.
 */
import type { Settings } from './convergence';
import { MAX_RECORDED_ROUNDS } from './limits';
import type { PauseParts } from './rates';
import type { SentCounts } from './stream/page-encoder';

export interface Counts extends SentCounts {
  /** Pages sent packed, and what they and the messages took. */
  packedPages: number;
  packedBytes: number;
  rawBytes: number;
  fillBytes: number;
  /** Of messages as a whole, with headers, control, state. */
  wireBytes: number;
  stateBytes: number;
  messages: number;
}

export const zeroCounts = (): Counts => ({
  zeroPages: 0,
  fillPages: 0,
  deltaPages: 0,
  rawPages: 0,
  unchangedPages: 0,
  skippedPages: 0,
  deltaBytes: 0,
  packedPages: 0,
  packedBytes: 0,
  rawBytes: 0,
  fillBytes: 0,
  wireBytes: 0,
  stateBytes: 0,
  messages: 0,
});

export function addCounts(one: Counts, other: Partial<Counts>): Counts {
  const sum = { ...one };
  for (const [name, value] of Object.entries(other)) sum[name as keyof Counts] += value;
  return sum;
}

export interface RoundRecord {
  readonly round: number;
  readonly pages: number;
  readonly wireBytes: number;
  readonly durationMs: number;
  /** Dirty when it was over. */
  readonly leftPages: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  readonly throttlePercent: number;
  readonly predictedPauseMs: number;
  readonly decision: string;
}

export interface MigrationRecord {
  readonly migrationId: string;
  readonly vmId: string;
  readonly phase: string;
  /** Where the VM is, as far as is known: 'source', 'target', 'elsewhere', 'unknown' (the lease decides), 'nowhere' (it has ended). */
  readonly vmIs: VmPlace;
  readonly outcome: 'completed' | 'cancelled' | 'failed' | 'lost' | null;
  /** Why it ended as it did, or what it waits for; one line. */
  readonly line: string;
  /** Milliseconds since the start. */
  readonly totalMs: number;
  readonly setupMs: number;
  readonly precopyMs: number;
  readonly memoryBytes: number;
  readonly rounds: readonly RoundRecord[];
  readonly roundCount: number;
  readonly counts: Counts;
  readonly remainingPages: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  readonly throttlePercent: number;
  /** How often rounds stopped shrinking, and how often a pause was taken back. */
  readonly stalls: number;
  readonly retreats: number;
  readonly expectedPauseMs: number;
  /** Until the switch; null: not at these rates. */
  readonly expectedRemainingMs: number | null;
  readonly settings: Settings;
  /** Measured, so far; null before the pause. */
  readonly pause: Partial<PauseParts> | null;
  readonly pauseMs: number | null;
  /** What the prediction was when it was decided to switch. */
  readonly predictedPauseMs: number | null;
}

export type VmPlace = 'source' | 'target' | 'elsewhere' | 'unknown' | 'nowhere';

/** Appends; of a long history every second round of the older half goes. */
export function keepRound(rounds: readonly RoundRecord[], round: RoundRecord): readonly RoundRecord[] {
  if (rounds.length < MAX_RECORDED_ROUNDS) return [...rounds, round];
  const half = rounds.length >> 1;
  return [...rounds.slice(0, half).filter((_, index) => index % 2 === 0), ...rounds.slice(half), round];
}
