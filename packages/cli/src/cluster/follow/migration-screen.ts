/**
 * The live view of one migration, as lines. Rounds are rows that stay; below them stands what is true now. There is no
 * percentage: what remains grows again with each round, and a share of it would run backwards. Pure.
 */
import type { MigrationRecord, MigrationRound, MigrationView } from '@godwit/wire';
import { ROUNDS_SHOWN } from '../core/limits';
import type { Style } from '../output/style';
import { type Column, tableLines } from '../output/table';
import { bytesText, durationText, rateText } from '../output/units';
import { pagesText } from './migration-lines';

/** The head, the titles, what is true now. */
const OTHER_LINES = 4;

const COLUMNS: readonly Column<MigrationRound>[] = [
  { title: 'round', right: true, cell: ({ round }) => String(round) },
  { title: 'pages', right: true, cell: ({ pages }) => String(pages) },
  { title: 'sent', right: true, cell: ({ wireBytes }) => bytesText(wireBytes) },
  { title: 'took', right: true, cell: ({ durationMs }) => durationText(durationMs) },
  { title: 'left', right: true, cell: ({ leftPages }) => pagesText(leftPages) },
  { title: 'guest writes', right: true, cell: ({ dirtyBytesPerSecond }) => rateText(dirtyBytesPerSecond) },
  { title: 'sent at', right: true, cell: ({ transferBytesPerSecond }) => rateText(transferBytesPerSecond) },
  { title: 'pause would be', right: true, cell: ({ predictedPauseMs }) => durationText(predictedPauseMs) },
];

/** What a phase means to somebody who has not read how migration works. */
const PHASES: Readonly<Record<string, string>> = {
  checking: 'comparing the hosts',
  reserving: 'the target makes room',
  precopy: 'copying memory while it runs',
  pausing: 'standing still',
  final: 'sending what was written last',
  committing: 'handing over the lease',
  uncertain: 'asking the lease who has it',
  handover: 'starting on the target',
  recovering: 'going on at the source',
  discarding: 'cleaning up at the target',
};
const STAGES: Readonly<Record<string, string>> = {
  queued: 'waiting for its turn',
  preparing: 'the target starts its process',
  settling: 'finding out where it runs',
};

/** @param rows lines that fit: of many rounds the last are shown, since what is true now stands below them */
export function migrationScreen(view: MigrationView, nowMs: number, style: Style, rows = Number.POSITIVE_INFINITY): string[] {
  const { vmName, sourceHostName, targetHostName, createdAtMs, stage, record, cancelWanted } = view;
  const elapsed = durationText(Math.max(0, (view.endedAtMs || nowMs) - createdAtMs));
  const doing = cancelWanted ? 'cancelling' : stage === 'sending' ? (PHASES[record?.phase ?? ''] ?? 'beginning') : (STAGES[stage] ?? stage);
  const head = `${style('bold', vmName)}: ${sourceHostName} → ${targetHostName || '(not chosen yet)'}   ${doing}   ${style('dim', elapsed)}`;
  if (!record || stage === 'ended') return [head];
  const rounds = record.rounds.slice(-Math.max(1, Math.min(ROUNDS_SHOWN, rows - OTHER_LINES)));
  const table = rounds.length > 0 ? tableLines(COLUMNS, rounds, { style }) : [];
  return [head, ...table, ...nowLines(record, style)];
}

function nowLines(record: MigrationRecord, style: Style): string[] {
  const {
    remainingPages,
    dirtyBytesPerSecond,
    transferBytesPerSecond,
    expectedPauseMs,
    expectedRemainingMs,
    settings,
    throttlePercent,
    line,
  } = record;
  if (record.phase !== 'precopy') return line === '' ? [] : [style('dim', line)];
  const budgetMs = settings?.pauseBudgetMs ?? 0;
  const fits = budgetMs > 0 && expectedPauseMs <= budgetMs;
  const pause = `expected pause ${durationText(expectedPauseMs)}${budgetMs > 0 ? ` of ${durationText(budgetMs)}` : ''}`;
  // Before the first round is over its rates are not known.
  const diverges = expectedRemainingMs === undefined && record.rounds.length > 0 && !fits;
  const when = diverges
    ? `; ${style('warn', 'does not converge at these rates')}`
    : expectedRemainingMs === undefined
      ? ''
      : `; switches in about ${durationText(expectedRemainingMs)}`;
  return [
    `now: ${pagesText(remainingPages)} remain; guest writes ${rateText(dirtyBytesPerSecond)} against ${rateText(transferBytesPerSecond)} sent`,
    `     ${style(fits ? 'good' : undefined, pause)}${when}${throttlePercent > 0 ? `; vCPU slowed by ${throttlePercent.toFixed(0)} %` : ''}`,
  ];
}
