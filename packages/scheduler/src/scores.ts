/** What speaks for a host: one table of parts, each from 0 to 1, weighed by the settings. */
import { rateBetween } from './bandwidth';
import { estimateMove } from './estimate';
import type { Candidate } from './filters';
import { HALF_MOVE_SECONDS } from './limits';
import type { MoveKind } from './model';
import type { Question } from './question';
import type { Weights } from './settings';
import { count, percent, seconds } from './text';
import { capacityBytes, capacityMilliCpus, expectedMilliCpus } from './usage';

export type ScoreCode = keyof Weights;

export interface ScorePart {
  readonly code: ScoreCode;
  /** 0 to 1; higher is better. */
  readonly value: number;
  readonly weight: number;
  /** For people. */
  readonly line: string;
}

interface Row {
  readonly code: ScoreCode;
  readonly moves: readonly MoveKind[];
  /** Undefined: it does not apply to that host, and counts as 0. */
  value(question: Question, candidate: Candidate): number | undefined;
  line(question: Question, candidate: Candidate, value: number): string;
}

const ALL: readonly MoveKind[] = ['live', 'resume', 'cold', 'start'];

const within1 = (value: number): number => Math.min(1, Math.max(0, value));
const share = (used: number, capacity: number): number => (capacity > 0 ? within1(used / capacity) : 1);
/** 1 where nothing is busy, a half where all is; of two hosts that have too much to do, the one with less of it is still better. */
const ease = (used: number): number => 1 / (1 + used);

const memoryUsed = ({ view, promisedBytes }: Question, { host, usage, adds }: Candidate): number =>
  share(usage.promisedBytes + adds * promisedBytes, capacityBytes(host, view.settings));
const cpuUsed = ({ milliCpus }: Question, { host, usage, adds }: Candidate): number =>
  capacityMilliCpus(host) > 0 ? (expectedMilliCpus(host, usage) + adds * milliCpus) / capacityMilliCpus(host) : Number.MAX_SAFE_INTEGER;
const byStrategy = ({ view }: Question, used: number): number => (view.settings.strategy === 'spread' ? 1 - used : used);
const moveMs = ({ view, traffic, source, vm }: Question, { host }: Candidate): number =>
  estimateMove(vm, rateBetween(view, traffic, source, host)).ms;

const ROWS: readonly Row[] = [
  {
    code: 'memory',
    moves: ALL,
    value: (question, candidate) => byStrategy(question, memoryUsed(question, candidate)),
    line: (question, candidate) => `${percent(memoryUsed(question, candidate))} of its memory would be promised`,
  },
  {
    code: 'cpu',
    moves: ALL,
    value: (question, candidate) => byStrategy(question, 1 - ease(cpuUsed(question, candidate))),
    line: (question, candidate) => `${percent(within1(cpuUsed(question, candidate)))} of its CPUs would be busy`,
  },
  {
    code: 'pressure',
    moves: ALL,
    value: (_, { host: { load } }) => within1(1 - Math.max(load?.cpuPressure ?? 0, load?.memoryPressure ?? 0)),
    line: (_, __, value) => `its VMs wait ${percent(1 - value)} of the time for CPU or memory`,
  },
  {
    code: 'warm',
    moves: ['resume', 'cold', 'start'],
    value: ({ vm }, { host }) => (vm.lastHostId === host.id ? 1 : 0),
    line: ({ vm }, _, value) =>
      value ? `${vm.facts.name} ran here last: its disks may be in memory still` : `${vm.facts.name} did not run here last`,
  },
  {
    code: 'mobility',
    moves: ['cold', 'start'],
    value: ({ mobility }, { host }) => mobility(host) ?? undefined,
    line: (_, __, value) => `shown this CPU it could later move to ${percent(value)} of the other hosts`,
  },
  {
    code: 'traffic',
    moves: ALL,
    value: (_, { usage }) => 1 / (1 + usage.movesIn + usage.movesOut),
    line: (_, { usage }) => `${count(usage.movesIn + usage.movesOut, 'migration')} from or to it under way`,
  },
  {
    code: 'moveTime',
    moves: ['live'],
    value: (question, candidate) => HALF_MOVE_SECONDS / (HALF_MOVE_SECONDS + moveMs(question, candidate) / 1000),
    line: (question, candidate) => `moving takes about ${seconds(moveMs(question, candidate))}`,
  },
];

/** 0 to 1. */
export function scoreOf(question: Question, candidate: Candidate): number {
  let sum = 0;
  let weights = 0;
  for (const row of ROWS) {
    const weight = question.view.settings.weights[row.code];
    if (weight === 0 || !row.moves.includes(question.move)) continue;
    const value = row.value(question, candidate);
    if (value === undefined) continue;
    sum += weight * value;
    weights += weight;
  }
  return weights === 0 ? 0 : sum / weights;
}

export function partsOf(question: Question, candidate: Candidate): ScorePart[] {
  return ROWS.flatMap((row) => {
    const weight = question.view.settings.weights[row.code];
    const value = weight > 0 && row.moves.includes(question.move) ? row.value(question, candidate) : undefined;
    return value === undefined ? [] : [{ code: row.code, value, weight, line: row.line(question, candidate, value) }];
  });
}
