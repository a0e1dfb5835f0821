/**
 * Remembers which kinds of VM fit which kinds of host, so that 1,000 like hosts are compared once.
 *
 * A kind is everything that `checkHost` of @godwit/migration reads, but for names and free memory. The memory is
 * only a memory: an answer is the same with and without it. Facts are known by their object, so they must not be
 * changed in place. Lists in another order make another kind, which costs a comparison and changes nothing.
 */
import { type CpuFacts, checkHost, type HostFacts, type HostReport, type Move, type Versions, type VmFacts } from '@godwit/migration';
import { MAX_REMEMBERED } from './limits';

/** Clock differences below this are far from any limit and make no kind of their own, ms. */
const SMALL_CLOCK_DIFFERENCE_MS = 1000;

/** One object for all CPUs that are alike. */
export interface CpuModel {
  readonly vendor: string;
  readonly xsaveBytes: number;
  readonly features: ReadonlySet<string>;
  readonly text: string;
}

/** By the host's kind. */
type Answers = Map<number, boolean>;

export class CompatibilityMemory {
  private readonly kinds = new Map<string, number>();
  private vmKinds = new WeakMap<VmFacts, number>();
  private hostKinds = new WeakMap<HostFacts, { readonly difference: number; readonly kind: number }>();
  private readonly answers = new Map<string, Answers>();
  private answerCount = 0;
  /** Those of the question before, which are mostly asked for again. */
  private last: { vm: VmFacts; move: Move; protocol: Versions | undefined; answers: Answers } | undefined;
  private models = new WeakMap<CpuFacts, CpuModel>();
  private readonly modelsByText = new Map<string, CpuModel>();

  /** Whether `explain` would find nothing in the way. `readMs`: the asker's clock when `host` was read. */
  fits(vm: VmFacts, host: HostFacts, readMs: number, move: Move, protocol: Versions | undefined): boolean {
    if (this.kinds.size >= MAX_REMEMBERED || this.answerCount >= MAX_REMEMBERED) this.forget();
    const kind = this.hostKind(host, readMs);
    const answers = this.answersFor(vm, move, protocol);
    let answer = answers.get(kind);
    if (answer === undefined) {
      answer = this.explain(vm, host, readMs, move, protocol).blockers.length === 0;
      answers.set(kind, answer);
      this.answerCount++;
    }
    return answer;
  }

  /** All but free memory and maintenance, which the scheduler judges by what it has promised and by the host's state. */
  explain(vm: VmFacts, host: HostFacts, readMs: number, move: Move, protocol: Versions | undefined): HostReport {
    return checkHost(vm, { ...host, freeMemoryBytes: Infinity, maintenance: false }, readMs, move, protocol);
  }

  model(cpu: CpuFacts): CpuModel {
    let model = this.models.get(cpu);
    if (model) return model;
    const { vendor, xsaveBytes, features } = cpu;
    const text = JSON.stringify([vendor, xsaveBytes, features]);
    model = this.modelsByText.get(text);
    if (!model) {
      if (this.modelsByText.size >= MAX_REMEMBERED) this.modelsByText.clear();
      model = { vendor, xsaveBytes, features: new Set(features), text };
      this.modelsByText.set(text, model);
    }
    this.models.set(cpu, model);
    return model;
  }

  private answersFor(vm: VmFacts, move: Move, protocol: Versions | undefined): Answers {
    const { last } = this;
    if (last && last.vm === vm && last.move === move && last.protocol === protocol) return last.answers;
    const key = `${this.vmKind(vm)} ${move} ${protocol ? `${protocol.oldest}-${protocol.newest}` : ''}`;
    let answers = this.answers.get(key);
    if (!answers) this.answers.set(key, (answers = new Map()));
    this.last = { vm, move, protocol, answers };
    return answers;
  }

  private vmKind(vm: VmFacts): number {
    let kind = this.vmKinds.get(vm);
    if (kind === undefined) {
      const { cpu, state, vcpus, machineVersion, datastores, networks, localDevices } = vm;
      kind = this.number('vm', this.model(cpu), [state, vcpus, machineVersion, datastores, networks, localDevices.length]);
      this.vmKinds.set(vm, kind);
    }
    return kind;
  }

  private hostKind(host: HostFacts, readMs: number): number {
    const apart = Math.abs(host.wallClockMs - readMs);
    const difference = apart < SMALL_CLOCK_DIFFERENCE_MS ? 0 : apart;
    const known = this.hostKinds.get(host);
    if (known?.difference === difference) return known.kind;
    const { cpu, cpus, protocol, machineVersions, datastores, networks } = host;
    const kind = this.number('host', this.model(cpu), [cpus, protocol, machineVersions, datastores, networks, difference]);
    this.hostKinds.set(host, { difference, kind });
    return kind;
  }

  private number(what: string, { text }: CpuModel, rest: readonly unknown[]): number {
    const whole = `${what} ${text} ${JSON.stringify(rest)}`;
    let number = this.kinds.get(whole);
    if (number === undefined) {
      number = this.kinds.size;
      this.kinds.set(whole, number);
    }
    return number;
  }

  /** Numbers begin anew, so everything that was known by them goes. */
  private forget(): void {
    this.kinds.clear();
    this.answers.clear();
    this.answerCount = 0;
    this.last = undefined;
    this.vmKinds = new WeakMap();
    this.hostKinds = new WeakMap();
  }
}
