/** The source's state as people and metrics see it. */
import { bytesPerSecond, type Convergence, predict } from './convergence';
import { PAGE_BYTES } from './limits';
import { pauseMs, type PauseParts, type RoundMeasure } from './rates';
import type { SourceState } from './source-state';
import type { MigrationRecord, RoundRecord } from './statistics';

export function roundRecord(state: SourceState, measure: RoundMeasure, { rates }: Convergence, decision: string): RoundRecord {
  return {
    round: measure.round,
    pages: measure.pages,
    wireBytes: state.counts.wireBytes - state.wireBefore,
    durationMs: measure.durationMs,
    leftPages: measure.leftPages,
    dirtyBytesPerSecond: bytesPerSecond(rates.dirtyPagesPerMs),
    transferBytesPerSecond: bytesPerSecond(measure.pages / Math.max(0.05, measure.durationMs)),
    throttlePercent: state.convergence.throttlePercent,
    predictedPauseMs: pauseMs(rates, measure.leftPages),
    decision,
  };
}

/** @param now on the clock of the events */
export function recordOf(state: SourceState, now: number): MigrationRecord {
  const { marks, convergence, setup } = state;
  const { started = now, precopy, pause } = marks;
  const end = marks.ended ?? now;
  const expected = predict(convergence, state.settings);
  const parts = pauseParts(state);
  const left = Number.isFinite(convergence.lastPages) ? convergence.lastPages : setup.vm.memoryBytes / PAGE_BYTES;
  return {
    migrationId: setup.migrationId,
    vmId: setup.vm.vmId,
    phase: state.phase,
    vmIs: state.vmIs,
    outcome: state.phase === 'ended' ? state.outcome : null,
    line: state.line,
    totalMs: end - started,
    setupMs: (precopy ?? end) - started,
    precopyMs: precopy === undefined ? 0 : (pause ?? end) - precopy,
    memoryBytes: setup.vm.memoryBytes,
    rounds: state.rounds,
    roundCount: state.roundCount,
    counts: state.counts,
    remainingPages: state.outcome === 'completed' ? 0 : left,
    dirtyBytesPerSecond: bytesPerSecond(convergence.rates.dirtyPagesPerMs),
    transferBytesPerSecond: bytesPerSecond(convergence.rates.pagesPerMs),
    throttlePercent: state.phase === 'ended' ? 0 : convergence.throttlePercent,
    stalls: state.stallCount,
    retreats: convergence.retreats,
    expectedPauseMs: expected.pauseMs,
    expectedRemainingMs: expected.remainingMs,
    settings: state.settings,
    pause: parts,
    pauseMs: pause !== undefined && marks.running !== undefined ? marks.running - pause : null,
    predictedPauseMs: state.predictedPauseMs,
  };
}

/** Each part ends where the next begins: together they are the whole. */
function pauseParts({ marks }: SourceState): Partial<PauseParts> | null {
  const { pause, paused, pagesSent, ready, passed, running } = marks;
  if (pause === undefined) return null;
  const part = (name: keyof PauseParts, from: number | undefined, to: number | undefined): Partial<PauseParts> =>
    from === undefined || to === undefined ? {} : { [name]: Math.max(0, to - from) };
  return {
    ...part('stopMs', pause, paused),
    ...part('pagesMs', paused, pagesSent),
    ...part('stateMs', pagesSent, ready),
    ...part('leaseMs', ready, passed),
    ...part('startMs', passed, running),
  };
}
