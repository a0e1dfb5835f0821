/**
 * What can stand against a host: one table. Each row finds lines for people, none of which leaves out what to do
 * about it where something can be done; every row is asked, so that an operator sees all reasons at once.
 *
 * CPU, devices, datastores, networks, versions and clock are compared by @godwit/migration, as the source of a
 * migration compares them again; here stands what only the cluster knows.
 */
import type { BlockerCode, HostFacts, HostReport, Move } from '@godwit/migration';
import type { HostEntry, HostState, MoveKind } from './model';
import type { Question } from './question';
import type { RuleCode } from './rule-checks';
import { count, cpus, mib } from './text';
import { capacityBytes, capacityMilliCpus, type Usage } from './usage';

export type ReasonCode =
  | BlockerCode
  | 'excluded'
  | 'current'
  | 'busy'
  | 'memory-measured'
  | 'memory-overcommit'
  | 'vcpu-overcommit'
  | 'cpu-reservation'
  | 'admission'
  | RuleCode;

export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

export interface Candidate {
  readonly host: HostEntry;
  readonly facts: HostFacts;
  readonly usage: Readonly<Usage>;
  /** 1; 0 where the VM is counted already, in `usage`. */
  readonly adds: 0 | 1;
}

interface Row {
  readonly code: ReasonCode;
  readonly moves: readonly MoveKind[];
  find(question: Question, candidate: Candidate): readonly string[];
}

const ALL: readonly MoveKind[] = ['live', 'resume', 'cold', 'start'];
/** The guest asks CPUID anew. */
const ANEW: readonly MoveKind[] = ['cold', 'start'];
const FINE: readonly string[] = [];

const NOT_READY: Readonly<Record<Exclude<HostState, 'ready'>, (name: string) => string>> = {
  draining: (name) => `${name} is being drained: resume it, or choose another host`,
  maintenance: (name) => `${name} is in maintenance: end it, or choose another host`,
  unreachable: (name) => `${name} is silent: look at its agent and its network`,
  dead: (name) => `${name} counts as dead: it has been silent for too long`,
};

const ROWS: readonly Row[] = [
  {
    code: 'excluded',
    moves: ALL,
    find: ({ exclude }, { host }) => (exclude?.has(host.id) ? [`${host.name} was left out or tried before`] : FINE),
  },
  {
    code: 'current',
    moves: ['live', 'resume', 'cold'],
    find: ({ vm }, { host }) => (vm.hostId === host.id ? [`${vm.facts.name} is on ${host.name} already`] : FINE),
  },
  {
    code: 'busy',
    moves: ALL,
    find: ({ vm, moving, view }) =>
      moving
        ? [`${vm.facts.name} is on its way to ${view.host(moving.targetId)?.name ?? moving.targetId}: wait for that, or cancel it`]
        : FINE,
  },
  {
    code: 'cpu-vendor',
    moves: ANEW,
    find: ({ wanted, vm }, { host, facts }) =>
      wanted?.vendor && wanted.vendor !== facts.cpu.vendor
        ? [
            `the cluster's CPU baseline, which ${vm.facts.name} follows, is of ${wanted.vendor}, ${host.name} has a CPU of ${facts.cpu.vendor}`,
          ]
        : FINE,
  },
  { code: 'cpu-features', moves: ANEW, find: missingWanted },
  {
    code: 'machine-version',
    moves: ANEW,
    find: ({ vm }, { host, facts: { machineVersions: has } }) => {
      const wanted = vm.facts.machineVersion;
      return wanted === 0 || (wanted >= has.oldest && wanted <= has.newest)
        ? FINE
        : [
            `${vm.facts.name} is a machine of version ${wanted}, ${host.name} runs version ${has.oldest} to ${has.newest}: update ${host.name}`,
          ];
    },
  },
  {
    code: 'memory',
    moves: ALL,
    find: (question, candidate) => {
      const { vm, promisedBytes } = question;
      const { host } = candidate;
      const free = unpromised(question, candidate);
      return promisedBytes <= Math.max(0, free)
        ? FINE
        : [`${vm.facts.name} needs ${mib(promisedBytes)} of memory, ${host.name} has promised all but ${mib(Math.max(0, free))}`];
    },
  },
  {
    code: 'memory-measured',
    moves: ALL,
    find: ({ vm, promisedBytes }, { host, facts, usage, adds }) => {
      const free = facts.freeMemoryBytes - usage.arrivingBytes;
      if (adds * promisedBytes <= Math.max(0, free)) return FINE;
      const coming = usage.arrivingBytes > 0 ? `, and VMs that need ${mib(usage.arrivingBytes)} are on their way there` : '';
      return [
        `${vm.facts.name} needs ${mib(promisedBytes)} of memory, ${host.name} has measured ${mib(facts.freeMemoryBytes)} free${coming}`,
      ];
    },
  },
  {
    code: 'memory-overcommit',
    moves: ALL,
    find: (question, candidate) => {
      const { vm, view, promisedBytes } = question;
      const { host, usage, adds } = candidate;
      // What cannot even be promised stands in the row above.
      if (promisedBytes > unpromised(question, candidate)) return FINE;
      const limit = capacityBytes(host, view.settings) * view.settings.overcommit.memory;
      const sum = usage.fullBytes + adds * vm.facts.memoryBytes;
      return sum <= limit
        ? FINE
        : [`with ${vm.facts.name} the VMs of ${host.name} could use ${mib(sum)} of memory, the overcommit limit there is ${mib(limit)}`];
    },
  },
  {
    code: 'vcpu-overcommit',
    moves: ALL,
    find: ({ vm, view }, { host, facts, usage, adds }) => {
      const limit = Math.floor(facts.cpus * view.settings.overcommit.cpu);
      const sum = usage.vcpus + adds * vm.facts.vcpus;
      return sum <= limit
        ? FINE
        : [`with ${vm.facts.name} ${host.name} would run ${count(sum, 'vCPU')}, its ${count(facts.cpus, 'CPU')} may run ${limit}`];
    },
  },
  {
    code: 'cpu-reservation',
    moves: ALL,
    find: ({ vm, reservedMilliCpus }, { host, usage, adds }) => {
      const free = Math.max(0, capacityMilliCpus(host) - usage.reservedMilliCpus + (1 - adds) * reservedMilliCpus);
      return reservedMilliCpus <= free
        ? FINE
        : [`${vm.facts.name} is promised ${cpus(reservedMilliCpus)} CPUs, ${host.name} has promised all but ${cpus(free)}`];
    },
  },
  { code: 'admission', moves: ['start', 'cold', 'resume'], find: ({ admission }) => (admission === null ? FINE : [admission]) },
];

const rowsOf = (move: MoveKind): readonly Row[] => ROWS.filter(({ moves }) => moves.includes(move));
const ROWS_OF: Readonly<Record<MoveKind, readonly Row[]>> = {
  live: rowsOf('live'),
  resume: rowsOf('resume'),
  cold: rowsOf('cold'),
  start: rowsOf('start'),
};

/** Memory that the host may still promise to that VM. */
const unpromised = ({ view, promisedBytes }: Question, { host, usage, adds }: Candidate): number =>
  capacityBytes(host, view.settings) - usage.promisedBytes + (1 - adds) * promisedBytes;

/** The move as @godwit/migration knows it. */
const comparedAs = (move: MoveKind): Move => (move === 'start' ? 'cold' : move);

export function candidate(question: Question, host: HostEntry): Candidate | undefined {
  return host.facts
    ? { host, facts: host.facts, usage: question.view.usage(host.id), adds: question.counted.includes(host.id) ? 0 : 1 }
    : undefined;
}

/** Whether `reasonsAgainst` would find nothing; without a text where that can be avoided. */
export function passes(question: Question, host: HostEntry, move: MoveKind = question.move): boolean {
  if (host.state !== 'ready' || !host.facts) return false;
  const given = candidate(question, host)!;
  return (
    ROWS_OF[move].every((row) => row.find(question, given).length === 0) &&
    question.view.memory.fits(question.vm.facts, host.facts, host.factsReadMs, comparedAs(move), question.protocol) &&
    question.rules.every((rule) => (rule.soft && !question.strict) || rule.against(host) === undefined)
  );
}

export function compare(question: Question, host: HostEntry): HostReport | undefined {
  return host.facts
    ? question.view.memory.explain(question.vm.facts, host.facts, host.factsReadMs, comparedAs(question.move), question.protocol)
    : undefined;
}

/** Everything that stands against the host; none: the VM can go there. */
export function reasonsAgainst(question: Question, host: HostEntry, report = compare(question, host)): Reason[] {
  const reasons: Reason[] = [];
  if (host.state !== 'ready')
    reasons.push({ code: host.state === 'maintenance' ? 'maintenance' : 'state', message: NOT_READY[host.state](host.name) });
  const given = candidate(question, host);
  if (!given) {
    if (host.state === 'ready') reasons.push({ code: 'state', message: `${host.name} has not reported yet: wait a moment` });
    return reasons;
  }
  for (const { code, find } of ROWS_OF[question.move]) for (const message of find(question, given)) reasons.push({ code, message });
  reasons.push(...(report?.blockers ?? []));
  for (const rule of question.rules) {
    const message = rule.soft && !question.strict ? undefined : rule.against(host);
    if (message !== undefined) reasons.push({ code: rule.code, message });
  }
  return reasons;
}

function missingWanted({ wanted, vm, view }: Question, { host, facts }: Candidate): readonly string[] {
  if (!wanted) return FINE;
  const has = view.memory.model(facts.cpu).features;
  const missing = wanted.features.filter((name) => !has.has(name));
  if (missing.length === 0) return FINE;
  const whose =
    wanted.from === 'baseline' ? `of the cluster's CPU baseline, which ${vm.facts.name} follows` : `that ${vm.facts.name} asks for`;
  return [`the CPU of ${host.name} lacks features ${whose}: ${missing.join(', ')}`];
}
