/**
 * Moves that even out the load, or none and why.
 *
 * Against oscillation stand, in this order: nothing is done while no host is `startAbove` the mean; then hosts are
 * relieved only down to `stopBelow`; each move must gain more than a margin, which grows with what the move costs;
 * VMs and hosts rest after a move. The margin alone is enough: see imbalance.ts.
 */
import { type LinkTraffic, rateBetween, trafficOf } from './bandwidth';
import { Draft } from './draft';
import { estimateMove, type MoveEstimate } from './estimate';
import { passes } from './filters';
import { type HostLoads, Imbalance } from './imbalance';
import { MAX_BALANCE_PAIRS } from './limits';
import type { VmEntry } from './model';
import { prepare, type Question } from './question';
import { compareText, count, names, percent, seconds } from './text';
import type { View } from './view';

export interface BalanceMove {
  readonly vmId: string;
  readonly vmName: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly estimate: MoveEstimate;
  /** Why. */
  readonly line: string;
}

export interface BalancePlan {
  /** They may run in any order, at once, or in part. */
  readonly moves: readonly BalanceMove[];
  /** How uneven it is, and would be: 0 all alike. */
  readonly before: number;
  readonly after: number;
  /** Load above the mean of the most loaded host. */
  readonly peakBefore: number;
  readonly peakAfter: number;
  /** Why nothing is to be done, or what for. */
  readonly line: string;
}

interface Option {
  readonly vm: VmEntry;
  readonly target: HostLoads;
  /** Gain beyond what is asked for. */
  readonly surplus: number;
}

export function planBalance(view: View, nowMs: number): BalancePlan {
  const { startAbove, stopBelow, maxMoves } = view.settings.balance;
  const draft = new Draft(view);
  const imbalance = new Imbalance(draft);
  const before = imbalance.figure();
  const peak = imbalance.peak();
  const peakBefore = peak ? imbalance.above(peak) : 0;
  const quiet = (line: string): BalancePlan => ({ moves: [], before, after: before, peakBefore, peakAfter: peakBefore, line });
  if (imbalance.hosts.length < 2 || !peak) return quiet('there are not two hosts that are ready: nothing to balance');
  if (peakBefore <= startAbove) {
    return quiet(
      `balanced: the most loaded host, ${peak.host.name}, is ${percent(peakBefore)} above the mean, and is relieved from ${percent(startAbove)} on`,
    );
  }
  const search = new Search(draft, imbalance, nowMs);
  const moves: BalanceMove[] = [];
  const spent = new Set<string>();
  while (moves.length < maxMoves) {
    const source = imbalance.hosts.reduce<HostLoads | undefined>(
      (most, loads) => (spent.has(loads.host.id) || (most && imbalance.above(loads) <= imbalance.above(most)) ? most : loads),
      undefined,
    );
    if (!source || imbalance.above(source) <= stopBelow) break;
    const best = search.best(source);
    if (!best) {
      spent.add(source.host.id);
      continue;
    }
    moves.push(search.moveOf(best, source));
    draft.plan(best.vm.facts.vmId, best.target.host.id, 'live');
    imbalance.update(source.host.id);
    imbalance.update(best.target.host.id);
  }
  const above = `${peak.host.name} is ${percent(peakBefore)} above the mean load`;
  if (moves.length === 0) return quiet(`${above}, but no move is worth its cost: ${search.why()}`);
  const end = imbalance.peak()!;
  const peakAfter = imbalance.above(end);
  const line = `${above}; with ${count(moves.length, 'move')} the most loaded host, ${end.host.name}, would be ${percent(peakAfter)} above it`;
  return { moves, before, after: imbalance.figure(), peakBefore, peakAfter, line };
}

class Search {
  private pairs = 0;
  private readonly questions = new Map<string, Question>();
  /** From the source that is looked at to each target, bytes a second. */
  private readonly rates = new Map<string, number>();
  private traffic: LinkTraffic = new Map();
  private readonly resting = new Set<string>();
  private readonly byHand = new Set<string>();
  private readonly refused = new Set<string>();

  constructor(
    private readonly draft: Draft,
    private readonly imbalance: Imbalance,
    private readonly nowMs: number,
  ) {}

  /** The move off that host that gains most. `moveOf` is asked about it before the next. */
  best(source: HostLoads): Option | undefined {
    // A plan counts what it has done itself, so questions about rules and links are asked anew each time.
    this.questions.clear();
    this.rates.clear();
    this.traffic = trafficOf(this.draft);
    if (this.rests(source)) return undefined;
    const options: Option[] = [];
    const targets = this.imbalance.hosts.filter((target) => target.host.id !== source.host.id && !this.rests(target));
    for (const vmId of this.draft.vmsOn(source.host.id)) {
      const vm = this.draft.vm(vmId)!;
      if (!this.mayMove(vm)) continue;
      const option = this.first(vm, source, targets);
      if (option) options.push(option);
    }
    options.sort(byWorth);
    // Seldom does the best not pass; then that VM's others are looked at one by one, and it takes its place among the rest.
    while (options.length > 0) {
      const option = options.shift()!;
      if (this.allowed(option)) return option;
      const next = this.others(option, source, targets);
      if (!next) continue;
      const place = options.findIndex((other) => byWorth(next, other) < 0);
      options.splice(place < 0 ? options.length : place, 0, next);
    }
    return undefined;
  }

  moveOf({ vm, target }: Option, source: HostLoads): BalanceMove {
    const estimate = estimateMove(vm, this.rate(source, target));
    const [memory, cpu] = source.load;
    const [targetMemory, targetCpu] = target.load;
    const line =
      `${vm.facts.name} from ${source.host.name} (memory ${percent(memory)}, CPU ${percent(cpu)}) ` +
      `to ${target.host.name} (memory ${percent(targetMemory)}, CPU ${percent(targetCpu)}), about ${seconds(estimate.ms)}`;
    return { vmId: vm.facts.vmId, vmName: vm.facts.name, sourceId: source.host.id, targetId: target.host.id, estimate, line };
  }

  why(): string {
    const parts = [
      ...(this.resting.size > 0 ? [`${names([...this.resting].sort(compareText))} moved a moment ago`] : []),
      ...(this.byHand.size > 0 ? [`${names([...this.byHand].sort(compareText))} may be moved by hand only`] : []),
      ...(this.refused.size > 0 ? [`no host that is less loaded can take ${names([...this.refused].sort(compareText))}`] : []),
      ...(this.pairs >= MAX_BALANCE_PAIRS ? ['not all could be looked at in one plan'] : []),
    ];
    return parts.length > 0 ? parts.join('; ') : 'each would only carry the load elsewhere';
  }

  /** By gain alone. */
  private first(vm: VmEntry, source: HostLoads, targets: readonly HostLoads[]): Option | undefined {
    let best: Option | undefined;
    for (const target of targets) {
      const surplus = this.surplus(vm, source, target);
      if (surplus > 0 && (!best || surplus > best.surplus)) best = { vm, target, surplus };
    }
    return best;
  }

  private others({ vm, target: tried }: Option, source: HostLoads, targets: readonly HostLoads[]): Option | undefined {
    const rest = targets
      .filter((target) => target !== tried)
      .map((target): Option => ({ vm, target, surplus: this.surplus(vm, source, target) }))
      .filter(({ surplus }) => surplus > 0)
      .sort(byWorth);
    const found = rest.find((option) => this.allowed(option));
    if (!found) this.refused.add(vm.facts.name);
    return found;
  }

  private surplus(vm: VmEntry, source: HostLoads, target: HostLoads): number {
    const { margin, horizonMs } = this.draft.settings.balance;
    const { gain, perMargin } = this.imbalance.gain(this.imbalance.amounts(vm), source, target);
    if (gain <= perMargin * margin) return 0;
    const rate = this.rate(source, target);
    return gain - perMargin * (margin + estimateMove(vm, rate).ms / horizonMs);
  }

  private rate(source: HostLoads, target: HostLoads): number {
    let rate = this.rates.get(target.host.id);
    if (rate === undefined) this.rates.set(target.host.id, (rate = rateBetween(this.draft, this.traffic, source.host, target.host)));
    return rate;
  }

  private allowed({ vm, target }: Option): boolean {
    return this.pairs++ < MAX_BALANCE_PAIRS && passes(this.question(vm), target.host);
  }

  private question(vm: VmEntry): Question {
    let question = this.questions.get(vm.facts.vmId);
    if (!question) this.questions.set(vm.facts.vmId, (question = prepare(this.draft, { vm, move: 'live', purpose: 'balance' })));
    return question;
  }

  private mayMove(vm: VmEntry): boolean {
    const { name, state, vmId } = vm.facts;
    if ((state !== 'running' && state !== 'paused') || this.draft.moveOf(vmId)) return false;
    if (vm.manualOnly) this.byHand.add(name);
    const rests = vm.movedAtMs !== null && this.nowMs - vm.movedAtMs < this.draft.settings.balance.vmCoolDownMs;
    if (rests) this.resting.add(name);
    return !vm.manualOnly && !rests;
  }

  private rests({ host: { balancedAtMs, name } }: HostLoads): boolean {
    const rests = balancedAtMs !== null && this.nowMs - balancedAtMs < this.draft.settings.balance.hostCoolDownMs;
    if (rests) this.resting.add(`VMs of ${name}`);
    return rests;
  }
}

const byWorth = (a: Option, b: Option): number =>
  b.surplus - a.surplus ||
  compareText(a.vm.facts.name, b.vm.facts.name) ||
  compareText(a.vm.facts.vmId, b.vm.facts.vmId) ||
  compareText(a.target.host.name, b.target.host.name);
