/** Where a VM may go and should go: filters, scores, choice, explanation. */
import { candidate, compare, passes, reasonsAgainst, type Reason, type ReasonCode } from './filters';
import { SCORE_STEPS } from './limits';
import type { HostEntry, MoveKind, VmEntry } from './model';
import { type PlaceRequest, prepare, type Question } from './question';
import { partsOf, scoreOf, type ScorePart } from './scores';
import { compareText, count } from './text';
import type { View } from './view';

/** What speaks for and against one host. */
export interface Verdict {
  readonly hostId: string;
  readonly name: string;
  /** All that stands against it; none: the VM can go there. */
  readonly blockers: readonly Reason[];
  /** What could be done instead, one line each. */
  readonly instead: readonly string[];
  /** CPU features that the guest was given and this host lacks, and those of them it has used. */
  readonly missingFeatures: readonly string[];
  readonly missingUsedFeatures: readonly string[];
  /** Soft rules that it would break, one line each. */
  readonly broken: readonly string[];
  /** 0 to 1; of a host that is refused, 0 and no parts. */
  readonly score: number;
  readonly parts: readonly ScorePart[];
}

export interface Placement {
  /** Null: no host can take it, or not the one asked for. */
  readonly hostId: string | null;
  /** Why that one, or why none. */
  readonly line: string;
  /** Every host: those that can take it, best first, then the others, nearest first. */
  readonly hosts: readonly Verdict[];
}

/** With an explanation of every host. */
export function place(view: View, request: PlaceRequest): Placement {
  const question = prepare(view, request);
  const verdicts = view.hosts().map((host) => explain(question, host));
  const hosts = [...verdicts.filter(isOpen).sort(byRank), ...verdicts.filter((verdict) => !isOpen(verdict)).sort(byDistance)];
  const open = hosts.filter(isOpen);
  const chosen = request.hostId === undefined ? open[0] : open.find(({ hostId }) => hostId === request.hostId);
  return { hostId: chosen?.hostId ?? null, line: chosen ? chosenLine(chosen, open) : refusedLine(question, hosts), hosts };
}

export interface Choice {
  readonly host: HostEntry;
  readonly score: number;
  /** Number of soft rules broken. */
  readonly broken: number;
}

/** The same choice without an explanation: for plans that choose many times. */
export function choose(view: View, request: PlaceRequest): Choice | undefined {
  const question = prepare(view, request);
  let best: Choice | undefined;
  // Hosts come by name: of equals the first by name stays.
  for (const host of view.hosts()) {
    const choice = choiceOf(question, host);
    if (choice && (!best || byWorth(choice, best) < 0)) best = choice;
  }
  return best;
}

/** Every host that can take it, best first. */
export function ranked(question: Question): Choice[] {
  // The sort is stable, so equals stay in the order of their names.
  return question.view
    .hosts()
    .flatMap((host) => choiceOf(question, host) ?? [])
    .sort(byWorth);
}

function choiceOf(question: Question, host: HostEntry): Choice | undefined {
  if ((question.hostId !== undefined && question.hostId !== host.id) || !passes(question, host)) return undefined;
  const broken = question.rules.filter((rule) => rule.soft && rule.against(host) !== undefined).length;
  return { host, broken, score: stepped(scoreOf(question, candidate(question, host)!)) };
}

const byWorth = (a: Choice, b: Choice): number => a.broken - b.broken || b.score - a.score;

const stepped = (score: number): number => Math.round(score * SCORE_STEPS) / SCORE_STEPS;
const isOpen = ({ blockers }: Verdict): boolean => blockers.length === 0;
const byName = (a: Verdict, b: Verdict): number => compareText(a.name, b.name) || compareText(a.hostId, b.hostId);
const byRank = (a: Verdict, b: Verdict): number => a.broken.length - b.broken.length || b.score - a.score || byName(a, b);
/** Nothing that could be done about the VM brings it there. */
const FAR: ReadonlySet<ReasonCode> = new Set(['state', 'maintenance', 'current', 'excluded']);
const isFar = ({ blockers }: Verdict): number => (blockers.some(({ code }) => FAR.has(code)) ? 1 : 0);
const byDistance = (a: Verdict, b: Verdict): number => isFar(a) - isFar(b) || a.blockers.length - b.blockers.length || byName(a, b);

function explain(question: Question, host: HostEntry): Verdict {
  const given = candidate(question, host);
  const fits = host.facts !== null && passes(question, host);
  const report = fits ? undefined : compare(question, host);
  const missing = report?.features;
  return {
    hostId: host.id,
    name: host.name,
    blockers: fits ? [] : reasonsAgainst(question, host, report),
    instead: fits ? [] : insteadOf(question, host),
    missingFeatures: question.move === 'live' || question.move === 'resume' ? (missing?.missing ?? []) : [],
    missingUsedFeatures: question.move === 'live' || question.move === 'resume' ? (missing?.missingUsed ?? []) : [],
    broken: question.rules.flatMap((rule) => (rule.soft ? (rule.against(host) ?? []) : [])),
    score: fits ? stepped(scoreOf(question, given!)) : 0,
    parts: fits ? partsOf(question, given!) : [],
  };
}

const INSTEAD: Readonly<Record<MoveKind, readonly (readonly [MoveKind, (vm: VmEntry, host: HostEntry) => string])[]>> = {
  live: [
    ['resume', ({ facts }, host) => `${facts.name} can be suspended and resumed on ${host.name}`],
    ['cold', ({ facts }, host) => `${facts.name} can be stopped and started anew on ${host.name}: its guest then finds that host's CPU`],
  ],
  resume: [['cold', ({ facts }, host) => `${facts.name} can be started anew on ${host.name}, without its saved state`]],
  cold: [],
  start: [],
};

function insteadOf(question: Question, host: HostEntry): string[] {
  return INSTEAD[question.move].flatMap(([move, line]) => (passes(prepareAs(question, move), host) ? [line(question.vm, host)] : []));
}

/** Asked for many hosts in turn: one more question a move. */
const others = new WeakMap<Question, Map<MoveKind, Question>>();
function prepareAs(question: Question, move: MoveKind): Question {
  const known = others.get(question) ?? new Map<MoveKind, Question>();
  others.set(question, known);
  let other = known.get(move);
  if (!other) known.set(move, (other = prepare(question.view, { ...question, move })));
  return other;
}

function chosenLine({ name, parts, broken }: Verdict, open: readonly Verdict[]): string {
  const best = parts.filter(({ code }) => code === 'memory' || code === 'cpu').map(({ line }) => line);
  const against = broken.length > 0 ? `; although ${broken.join(' and ')}` : '';
  const others = open.length - 1;
  return `${name}${open[0].name === name ? '' : ', which was asked for'}: ${best.join(', ')}${others > 0 ? `; ${count(others, 'other host')} could take it` : '; no other host can take it'}${against}`;
}

/** Names the wanted host's reasons, or those of the nearest. */
export function refusedLine({ vm, hostId }: Pick<Question, 'vm' | 'hostId'>, hosts: readonly Verdict[]): string {
  const { name } = vm.facts;
  if (hostId !== undefined) {
    const wanted = hosts.find((verdict) => verdict.hostId === hostId);
    return wanted ? `${wanted.name} cannot take ${name}: ${lines(wanted)}` : `there is no host ${hostId} in the cluster`;
  }
  if (hosts.length === 0) return `no host can take ${name}: the cluster has none`;
  const [nearest] = hosts;
  const shared = nearest.blockers.find(({ message }) => hosts.every(({ blockers }) => blockers.some((other) => other.message === message)));
  if (shared && hosts.length > 1) return `no host can take ${name}: ${shared.message}`;
  return `no host can take ${name}; the nearest is ${nearest.name}: ${lines(nearest)}`;
}

const lines = ({ blockers }: Verdict): string => blockers.map(({ message }) => message).join('; ');
