/**
 * Emptying a host for maintenance: what stands in the way, then the moves in the order in which they may begin.
 *
 * A plan is a function of the present alone, so a drain is carried on by planning again after each step: what has
 * moved is gone from the host, what moves is `underWay`, what came to it meanwhile is new. VMs that are hardest to
 * place choose first. VMs that must stay together are given one host for all of them.
 */
import { Draft } from './draft';
import { estimateMove, type MoveEstimate } from './estimate';
import { rateBetween, trafficOf } from './bandwidth';
import { MAX_UNIT_HOSTS } from './limits';
import type { HostEntry, MoveKind, VmEntry } from './model';
import { passes } from './filters';
import { place, ranked, type Choice, type Verdict } from './place';
import { prepare } from './question';
import { timetable } from './timetable';
import { compareText, seconds } from './text';
import { promisedBytes } from './usage';
import type { View } from './view';

/** What is done with a VM that cannot move live: it is suspended and resumed elsewhere, stopped and started elsewhere, or left. */
export type Otherwise = 'leave' | 'suspend' | 'stop';

export interface DrainOptions {
  readonly otherwise?: Otherwise;
  /** Moves off the host at a time, if fewer than the settings allow. */
  readonly concurrent?: number;
}

export interface DrainMove {
  readonly vmId: string;
  readonly vmName: string;
  readonly targetId: string;
  readonly how: 'live' | 'suspend' | 'stop';
  readonly estimate: MoveEstimate;
  /** When it could begin, milliseconds from now, under the limits on moves at a time. */
  readonly startsInMs: number;
  /** Why there. */
  readonly line: string;
}

export interface DrainBlocker {
  readonly vmId: string;
  readonly vmName: string;
  /** Each other host, nearest first. */
  readonly hosts: readonly Verdict[];
  /** What could be done, one line each. */
  readonly ways: readonly string[];
  /** The nearest to a way out. */
  readonly line: string;
}

export interface DrainPlan {
  readonly blockers: readonly DrainBlocker[];
  readonly moves: readonly DrainMove[];
  /** VMs that are on their way from the host, and to it. */
  readonly underWay: readonly string[];
  readonly arriving: readonly string[];
  /** Until the last move has ended, by the estimates. */
  readonly takesMs: number;
  readonly line: string;
}

/** @throws RangeError for a host that is not in the view. */
export function planDrain(view: View, hostId: string, { otherwise = 'leave', concurrent }: DrainOptions = {}): DrainPlan {
  const host = view.host(hostId);
  if (!host) throw new RangeError(`there is no host ${hostId}`);
  const draft = new Draft(view);
  const here = [...view.vmsOn(hostId)].map((id) => view.vm(id)!);
  const leaving = here.filter((vm) => view.moveOf(vm.facts.vmId));
  const blockers: DrainBlocker[] = [];
  const chosen: Chosen[] = [];
  for (const unit of units(
    draft,
    here.filter((vm) => !view.moveOf(vm.facts.vmId)),
  )) {
    const found = unit.some((vm) => vm.manualOnly) ? undefined : chooseForUnit(draft, unit, host, otherwise);
    if (found) {
      for (const each of found) draft.plan(each.vm.facts.vmId, each.choice.host.id, MOVE_OF[each.how]);
      chosen.push(...found);
    } else blockers.push(...unit.map((vm) => blockerOf(draft, vm, unit, host)));
  }
  const traffic = trafficOf(view);
  const timed = timetable(
    chosen.map((each) => ({ ...each, estimate: estimateMove(each.vm, rateBetween(view, traffic, host, each.choice.host)) })),
    Math.min(concurrent ?? Infinity, view.settings.moves.outPerHost),
    view.settings.moves.inPerHost,
  );
  const takesMs = timed.reduce((end, { startsInMs, estimate }) => Math.max(end, startsInMs + estimate.ms), 0);
  return {
    blockers: blockers.sort((a, b) => compareText(a.vmName, b.vmName) || compareText(a.vmId, b.vmId)),
    moves: timed.map(({ vm, choice, how, estimate, startsInMs }) => ({
      vmId: vm.facts.vmId,
      vmName: vm.facts.name,
      targetId: choice.host.id,
      how,
      estimate,
      startsInMs,
      line: LINES[how](vm, choice.host, estimate),
    })),
    underWay: leaving.map((vm) => vm.facts.vmId).sort(compareText),
    arriving: [...view.moves()]
      .flatMap(({ vmId, targetId, sourceId }) => (targetId === hostId && sourceId !== hostId ? [vmId] : []))
      .sort(compareText),
    takesMs,
    line: drainLine(host, here.length, blockers.length, takesMs),
  };
}

interface Chosen {
  readonly vm: VmEntry;
  readonly choice: Choice;
  readonly how: DrainMove['how'];
}

const MOVE_OF: Readonly<Record<DrainMove['how'], MoveKind>> = { live: 'live', suspend: 'resume', stop: 'cold' };
const LINES: Readonly<Record<DrainMove['how'], (vm: VmEntry, to: HostEntry, estimate: MoveEstimate) => string>> = {
  live: ({ facts }, to, { ms, converges }) =>
    `${facts.name} moves to ${to.name}, about ${seconds(ms)}${converges ? '' : '; its guest writes as fast as the link carries, so it may be slowed down'}`,
  suspend: ({ facts }, to) => `${facts.name} cannot move live: it is suspended and resumed on ${to.name}`,
  stop: ({ facts }, to) => `${facts.name} cannot move live: it is stopped and started anew on ${to.name}`,
};

/** VMs bound to each other by hard rules, those with the fewest hosts to go to first, then the largest. */
function units(view: View, vms: readonly VmEntry[]): VmEntry[][] {
  const unitOf = new Map<string, VmEntry[]>(vms.map((vm) => [vm.facts.vmId, [vm]]));
  for (const vm of vms) {
    for (const { rule, vmIds } of view.rulesOf(vm)) {
      if (rule.kind !== 'together' || rule.soft) continue;
      for (const mateId of vmIds) {
        const [mine, theirs] = [unitOf.get(vm.facts.vmId)!, unitOf.get(mateId)];
        if (!theirs || theirs === mine) continue;
        mine.push(...theirs);
        for (const mate of theirs) unitOf.set(mate.facts.vmId, mine);
      }
    }
  }
  return [...new Set(unitOf.values())]
    .map((unit) => {
      unit.sort(bySize);
      const along = idsOf(unit);
      const hosts = Math.min(...unit.map((vm) => hostsFor(view, vm, along)));
      return { unit, hosts, bytes: unit.reduce((sum, vm) => sum + promisedBytes(vm), 0) };
    })
    .sort((a, b) => a.hosts - b.hosts || b.bytes - a.bytes || bySize(a.unit[0], b.unit[0]))
    .map(({ unit }) => unit);
}

function hostsFor(view: View, vm: VmEntry, along: ReadonlySet<string>): number {
  const question = prepare(view, { vm, move: 'live', purpose: 'drain', along });
  return view.hosts().reduce((sum, host) => sum + (passes(question, host) ? 1 : 0), 0);
}

const idsOf = (unit: readonly VmEntry[]): ReadonlySet<string> => new Set(unit.map(({ facts }) => facts.vmId));
const bySize = (a: VmEntry, b: VmEntry): number =>
  promisedBytes(b) - promisedBytes(a) ||
  b.priority - a.priority ||
  compareText(a.facts.name, b.facts.name) ||
  compareText(a.facts.vmId, b.facts.vmId);

const HOW: Readonly<Record<Otherwise, readonly DrainMove['how'][]>> = {
  leave: ['live'],
  suspend: ['live', 'suspend'],
  stop: ['live', 'suspend', 'stop'],
};

function chooseForUnit(view: View, unit: readonly VmEntry[], source: HostEntry, otherwise: Otherwise): Chosen[] | undefined {
  const along = idsOf(unit);
  const exclude = new Set([source.id]);
  for (const how of HOW[otherwise]) {
    const [first, ...rest] = unit;
    const choices = ranked(prepare(view, { vm: first, move: MOVE_OF[how], purpose: 'drain', along, exclude }));
    for (const choice of choices.slice(0, MAX_UNIT_HOSTS)) {
      if (rest.length === 0) return [{ vm: first, choice, how }];
      const trial = new Draft(view);
      trial.plan(first.facts.vmId, choice.host.id, MOVE_OF[how]);
      const fits = rest.every((vm) => {
        const mates = new Set([...along].filter((id) => !trial.moveOf(id)));
        if (!passes(prepare(trial, { vm, move: MOVE_OF[how], purpose: 'drain', along: mates, exclude }), choice.host)) return false;
        trial.plan(vm.facts.vmId, choice.host.id, MOVE_OF[how]);
        return true;
      });
      if (fits) return unit.map((vm) => ({ vm, choice, how }));
    }
  }
  return undefined;
}

function blockerOf(view: View, vm: VmEntry, unit: readonly VmEntry[], source: HostEntry): DrainBlocker {
  const { name, vmId } = vm.facts;
  const along = idsOf(unit);
  const { hosts: all } = place(view, { vm, move: 'live', purpose: 'drain', along, exclude: new Set([source.id]) });
  const hosts = all.filter(({ hostId }) => hostId !== source.id);
  const open = hosts.filter(({ blockers }) => blockers.length === 0);
  const instead = [...new Set(hosts.flatMap(({ instead }) => instead))];
  const nearest = hosts.at(0);
  const others = unit.filter((mate) => mate !== vm).map((mate) => mate.facts.name);
  const line = vm.manualOnly
    ? `${name} may be moved by hand only: migrate it yourself, or stop it`
    : open.length > 0
      ? `${name} could go to ${open[0].name}, but must go together with ${others.join(', ')}, which cannot: lift the rule, or make room for all of them`
      : nearest
        ? `${name} can go to no host; the nearest is ${nearest.name}: ${nearest.blockers.map(({ message }) => message).join('; ')}`
        : `${name} can go to no host: there is no other`;
  return {
    vmId,
    vmName: name,
    hosts,
    ways: vm.manualOnly ? [`migrate ${name} yourself`, `stop ${name}`] : [...instead, `stop ${name}`],
    line,
  };
}

function drainLine(host: HostEntry, vms: number, blocked: number, takesMs: number): string {
  if (vms === 0) return `nothing runs on ${host.name}`;
  if (blocked > 0) return `${blocked} of ${vms} VMs on ${host.name} cannot go: see what stands in their way`;
  return `all ${vms} VMs can leave ${host.name}, in about ${seconds(takesMs)}`;
}
