/** How a VMM ended, in the words of VmmStatus. Pure. */
import type { MigrationRecord, VmmStatus } from '../messages';
import type { EndedFile } from './folders';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Death {
  /** Undefined: it was started by an earlier agent, so nobody heard how it exited. */
  readonly exit: Exit | undefined;
  readonly words: { readonly line: string; readonly code: string };
}

/** The last status. @param ended what it wrote itself; undefined: it died before it could */
export function endOf(last: VmmStatus, ended: EndedFile | undefined, death: Death): VmmStatus {
  const state = ended?.reason === 'suspended' ? 'VM_STATE_SUSPENDED' : 'VM_STATE_STOPPED';
  const vm = { ...(last.vm ?? { vmId: '', name: '' }), state };
  // A process that a VM has left ends by that, whatever its engine's last word was.
  const left = ended?.migrations.find(({ outcome, vmIs }) => outcome === 'completed' && vmIs === 'target');
  const [reason, line] = left
    ? ['migrated', `the VM runs on ${String(left.targetHost)}`]
    : [ended?.reason ?? 'error', ended?.line ?? causeOf(death)];
  return { ...last, vm, pauses: [], migrationId: '', migrationAddress: '', ended: reason, line };
}

function causeOf({ exit, words }: Death): string {
  if (exit?.signal === 'SIGKILL') return 'its process was killed (SIGKILL): by an administrator, or by the kernel when memory ran out';
  if (exit?.signal) return `its process died of ${exit.signal}${words.line ? `: ${words.line}` : ''}`;
  if (words.line !== '') return words.line;
  if (exit) return `its process ended with exit code ${exit.code} and said nothing`;
  return 'its process died while the agent was away, and said nothing: it was killed, or the host ran out of memory';
}

/** Of MigrationRecord: another version may keep more. */
const FIELDS: ReadonlySet<string> = new Set(
  (
    'migrationId vmId phase vmIs outcome line totalMs setupMs precopyMs memoryBytes rounds roundCount counts remainingPages dirtyBytesPerSecond ' +
    'transferBytesPerSecond throttlePercent stalls retreats expectedPauseMs expectedRemainingMs settings pause pauseMs predictedPauseMs startedAtMs ' +
    'sourceHost targetHost'
  ).split(' '),
);

/** A record as a VMM keeps it in ended.json, in the form of types.proto: null there is "not set" here. */
export function keptRecord(kept: Record<string, unknown>): MigrationRecord | undefined {
  if (typeof kept.migrationId !== 'string' || typeof kept.vmId !== 'string') return undefined;
  const set = Object.fromEntries(Object.entries(kept).filter(([name, value]) => FIELDS.has(name) && value !== null && value !== undefined));
  return {
    phase: '',
    vmIs: '',
    line: '',
    ...set,
    outcome: typeof kept.outcome === 'string' ? kept.outcome : '',
  } as unknown as MigrationRecord;
}
