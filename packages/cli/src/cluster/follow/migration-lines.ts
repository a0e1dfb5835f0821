/** A migration in words and figures: the same in the live view, in logs, and in `migration show`. Pure. */
import type { MigrationPause, MigrationRecord, MigrationRound, MigrationView } from '@godwit/wire';
import { exitCodes } from '../../errors';
import { bytesText, durationText, plural, rateText } from '../output/units';

const PAGE_BYTES = 4096;
export const pagesText = (pages: number): string => bytesText(pages * PAGE_BYTES);

/** One line a round, where there is no terminal. */
export function roundLine({
  round,
  pages,
  wireBytes,
  durationMs,
  leftPages,
  dirtyBytesPerSecond,
  transferBytesPerSecond,
  predictedPauseMs,
  throttlePercent,
}: MigrationRound): string {
  const slowed = throttlePercent > 0 ? `; vCPU slowed by ${throttlePercent.toFixed(0)} %` : '';
  return `round ${round}: ${plural(pages, 'page')}, ${bytesText(wireBytes)} in ${durationText(durationMs)}; ${pagesText(leftPages)} left; guest writes ${rateText(dirtyBytesPerSecond)}, sent ${rateText(transferBytesPerSecond)}; pause would be ${durationText(predictedPauseMs)}${slowed}`;
}

/** In the order in which they happen. */
const PARTS: readonly (readonly [keyof MigrationPause, string])[] = [
  ['stopMs', 'stop'],
  ['pagesMs', 'pages'],
  ['stateMs', 'state'],
  ['leaseMs', 'lease'],
  ['startMs', 'start'],
];

/** `stop 1.2, pages 12.0, state 8.1, lease 9.0, start 0.9 ms` */
export function pauseParts(pause: MigrationPause | undefined): string {
  const parts = PARTS.filter(([part]) => pause?.[part] !== undefined).map(([part, name]) => `${name} ${pause![part]!.toFixed(1)}`);
  return parts.length > 0 ? `${parts.join(', ')} ms` : '';
}

export const sentText = ({ counts, totalMs, rounds, roundCount }: MigrationRecord): string =>
  `${bytesText(counts?.wireBytes ?? 0)} sent in ${plural(roundCount || rounds.length, 'round')} and ${durationText(totalMs)}`;

/** Where the VM runs, in words: part of every message about a migration. */
export function whereText({ vmName, vmIs, sourceHostName, targetHostName }: MigrationView): string {
  const places: Readonly<Record<string, string>> = {
    source: `${vmName} runs on ${sourceHostName}`,
    target: `${vmName} runs on ${targetHostName}`,
    elsewhere: `${vmName} runs elsewhere: godwit vm show ${vmName}`,
    nowhere: `${vmName} does not run`,
  };
  return places[vmIs] ?? `where ${vmName} runs is decided by its lease: godwit vm show ${vmName}`;
}

/** Two or three lines: how it ended, where the VM runs, and what it cost. */
export function endLines(migration: MigrationView): string[] {
  const { outcome, vmName, targetHostName, line, record } = migration;
  if (outcome === 'completed') {
    const stood = record?.pauseMs === undefined ? '' : `; it stood still for ${durationText(record.pauseMs)}`;
    const parts = pauseParts(record?.pause);
    return [`${vmName} runs on ${targetHostName} now${stood}${parts === '' ? '' : ` (${parts})`}`, ...(record ? [sentText(record)] : [])];
  }
  const where = whereText(migration);
  // The source says `the VM runs on alpha, as before`.
  const isSaid = line.includes(where) || line.includes(where.replace(vmName, 'the VM'));
  const told = line === '' ? where : isSaid ? line : `${line}; ${where}`;
  const how = outcome === 'cancelled' ? 'cancelled' : outcome === 'unknown' ? 'the outcome is not known' : 'failed';
  return [line.startsWith(how) ? told : `${how}: ${told}`];
}

/** Exit code of a migration that has ended: docs/cli.md. */
export function codeOfMigration({ outcome, vmIs }: Pick<MigrationView, 'outcome' | 'vmIs'>): number {
  if (outcome === 'completed') return exitCodes.ok;
  if (vmIs === 'source') return exitCodes.migrationFailed;
  return vmIs === 'nowhere' ? exitCodes.failed : exitCodes.unknown;
}
