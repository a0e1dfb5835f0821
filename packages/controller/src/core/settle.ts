/**
 * How a migration ended, from what is known: the source's record, the target's word, and what runs
 * where. The lease decided it; all of these follow from the lease, and none of them is guessed.
 * Pure: the rows below are asked in order, and the first that speaks is the answer.
 */
import type { MigrationOutcome, MigrationRecord, VmIs } from './records';
import { LAST_RECORD_MS } from './limits';
import { type ClusterState, hasVmmAt, runnerOf, type Vm } from './state';

export type Judgement =
  | { readonly is: 'decided'; readonly outcome: MigrationOutcome; readonly vmIs: VmIs; readonly line: string; readonly code: string }
  /** One side has ended; the other's word is waited for. */
  | { readonly is: 'ending'; readonly line: string; /** For no longer than this; left out: SETTLE_MS. */ readonly waitMs?: number }
  | { readonly is: 'going' };

interface Facts {
  readonly migration: MigrationRecord;
  readonly source: string;
  readonly target: string;
  readonly sourceSpeaks: boolean;
  readonly targetSpeaks: boolean;
  /** As its host says, or last said: a process at the source has the VM. */
  readonly atSource: boolean;
  /** With a lease newer than the source's. */
  readonly runsAtTarget: boolean;
  /** The target's process is known to be gone, or to have given up. */
  readonly targetIsOut: boolean;
  readonly timeIsUp: boolean;
}

type Row = (facts: Facts) => Judgement | undefined;

const decided = (outcome: MigrationOutcome, vmIs: VmIs, line: string, code = 'internal'): Judgement => ({
  is: 'decided',
  outcome,
  vmIs,
  line,
  code,
});

const ROWS: readonly Row[] = [
  // The source's last record has the pause and what it was made of.
  ({ runsAtTarget, sourceSpeaks, timeIsUp, target, migration: { record } }) =>
    runsAtTarget && sourceSpeaks && !timeIsUp && record && !record.outcome
      ? { is: 'ending', line: `it runs on ${target}; the source's last record is waited for`, waitMs: LAST_RECORD_MS }
      : undefined,
  ({ runsAtTarget, target, source }) => (runsAtTarget ? decided('completed', 'target', `moved from ${source} to ${target}`) : undefined),
  ({ migration: { record, targetOutcome }, targetSpeaks, target, timeIsUp }) =>
    record?.outcome !== 'completed' && targetOutcome !== 'runs'
      ? undefined
      : targetSpeaks && !timeIsUp
        ? { is: 'ending', line: `${target} has it; the report of its process there is waited for` }
        : decided('completed', 'target', `moved to ${target}, which has not spoken since`),
  ({ migration: { record, vmName }, source }) =>
    record?.outcome && record.vmIs === 'source'
      ? decided(
          record.outcome === 'cancelled' ? 'cancelled' : 'failed',
          'source',
          `${record.line || record.outcome}; ${vmName} runs on ${source}`,
          record.outcome === 'cancelled' ? 'cancelled' : 'internal',
        )
      : undefined,
  ({ sourceSpeaks, atSource, targetIsOut, migration, source }) =>
    sourceSpeaks && !atSource && targetIsOut
      ? decided('failed', 'nowhere', `${migration.vmName} has ended on ${source} while it was being moved`, 'wrong-state')
      : undefined,
  ({ migration: { record, vmName }, sourceSpeaks, atSource, targetIsOut, source }) =>
    record?.outcome && sourceSpeaks && atSource && targetIsOut
      ? decided('failed', 'source', `${record.line || record.outcome}; ${vmName} is on ${source}`)
      : undefined,
  ({ timeIsUp, sourceSpeaks, targetIsOut, migration, source }) =>
    timeIsUp && !sourceSpeaks && targetIsOut
      ? decided(
          'failed',
          'unknown',
          `${migration.vmName} may run on ${source}, which is silent; it did not reach the target`,
          'host-unreachable',
        )
      : undefined,
  ({ timeIsUp, migration, source, target }) =>
    timeIsUp
      ? decided(
          'unknown',
          'unknown',
          `${migration.vmName} runs on ${source} or on ${target}, whichever holds its lease: neither has told`,
          'host-unreachable',
        )
      : undefined,
  ({ migration: { record }, source }) =>
    record?.outcome
      ? { is: 'ending', line: `${source} has ended its part (${record.outcome}); the target's word is waited for` }
      : undefined,
  ({ sourceSpeaks, atSource, source, target }) =>
    sourceSpeaks && !atSource
      ? { is: 'ending', line: `its process on ${source} has ended; the word of ${target} is waited for` }
      : undefined,
];

export function judge(state: ClusterState, migration: MigrationRecord, timeIsUp: boolean): Judgement {
  const facts = factsOf(state, migration, timeIsUp);
  for (const row of ROWS) {
    const judgement = row(facts);
    if (judgement) return judgement;
  }
  return { is: 'going' };
}

function factsOf(state: ClusterState, migration: MigrationRecord, timeIsUp: boolean): Facts {
  const { sourceHostId, targetHostId } = migration;
  const [source, target] = [state.hosts.get(sourceHostId), state.hosts.get(targetHostId)];
  const vm: Vm | undefined = state.vms.get(migration.vmId);
  const runner = vm && runnerOf(state, vm);
  const waits = [...(target?.vmms.values() ?? [])].some(
    ({ incomingMigrationId, vmId }) => incomingMigrationId === migration.id && vmId === migration.vmId,
  );
  return {
    migration,
    source: state.hostName(sourceHostId),
    target: state.hostName(targetHostId),
    sourceSpeaks: source?.sessionId !== undefined,
    targetSpeaks: target?.sessionId !== undefined,
    atSource: vm !== undefined && hasVmmAt(state, vm, sourceHostId),
    runsAtTarget: runner?.host === target && (runner?.report.epoch ?? 0) > migration.epoch && runner?.report.state !== 'starting',
    targetIsOut: ['discarded', 'lost'].includes(migration.targetOutcome) || (target?.sessionId !== undefined && !waits),
    timeIsUp,
  };
}
