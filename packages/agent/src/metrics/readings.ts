/** What the agent has, as the metrics want it. Pure. */
import type { MigrationReading, VmKey, VmReading } from '@godwit/metrics';
import type { MigrationRecord } from '../messages';
import type { Vmm } from '../vmms/vmm';

export const keyOf = ({ about, status }: Pick<Vmm, 'about' | 'status'>): VmKey => ({
  vmId: about.vmId,
  name: status.vm?.name || about.name,
  vmmId: about.vmmId,
});

export const vmReading = ({ status, silent, state, about }: Pick<Vmm, 'status' | 'silent' | 'state' | 'about'>): VmReading => ({
  running: state === 'VM_STATE_RUNNING',
  pauses: status.pauses,
  silent: silent && status.ended === '',
  memoryBytes: status.vm?.memoryBytes || about.memoryBytes,
  vcpus: status.vm?.vcpus ?? 0,
  leaseEpoch: status.leaseEpoch,
});

/** `VM_STATE_RUNNING` → `running`. */
export const stateWord = (state: string): string => state.replace(/^VM_STATE_/, '').toLowerCase() || 'unknown';

const COUNTS = [
  'zeroPages',
  'fillPages',
  'deltaPages',
  'rawPages',
  'packedPages',
  'unchangedPages',
  'skippedPages',
  'fillBytes',
  'deltaBytes',
  'rawBytes',
  'packedBytes',
  'stateBytes',
  'wireBytes',
] as const;

/** A record as it came over the wire, where what is not set may be missing. */
export function migrationReading(record: MigrationRecord): MigrationReading {
  const given = record as MigrationRecord & Partial<Omit<MigrationReading, 'outcome'>>;
  const number = (value: number | null | undefined): number => value ?? 0;
  return {
    migrationId: record.migrationId,
    outcome: record.outcome || null,
    totalMs: number(given.totalMs),
    roundCount: number(given.roundCount),
    remainingPages: number(given.remainingPages),
    dirtyBytesPerSecond: number(given.dirtyBytesPerSecond),
    transferBytesPerSecond: number(given.transferBytesPerSecond),
    throttlePercent: number(given.throttlePercent),
    expectedPauseMs: number(given.expectedPauseMs),
    stalls: number(given.stalls),
    retreats: number(given.retreats),
    pause: given.pause ?? null,
    pauseMs: given.pauseMs ?? null,
    settings: { pauseBudgetMs: given.settings?.pauseBudgetMs ?? Infinity },
    counts: Object.fromEntries(COUNTS.map((name) => [name, number(given.counts?.[name])])) as MigrationReading['counts'],
  };
}
