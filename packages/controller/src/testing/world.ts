/**
 * Seeded schedules of a cluster: users, hosts, agents, two controllers, and what befalls them. The
 * core is the real one. Rules that every schedule must keep:
 *
 *   one-runner       never two that could execute one VM at one instant
 *   once             an agent carries no order out twice
 *   ends             after the storm every operation and migration has ended, each by its deadline
 *   none-lost        every VM that is to run runs, and no VM that exists is unknown
 *   truth            what the controller says of each VM is so
 *   no-leftover      no process waits for a migration that is over
 *   drained          a host that was said to be empty is; what is left on another is named
 *
 * `simulate(seed)` gives the first broken rule, with the story that led there; the same seed gives the same story.
 */
import { Core } from '../core/core';
import type { EventDraft } from '../core/event-kinds';
import type { Order } from '../core/orders';
import type { VmPlace, VmSpec } from '../core/spec';
import { stateOf } from '../core/state';
import { addHost, resumeHost } from '../core/cluster-requests';
import { Agenda } from './agenda';
import { Random } from './random';
import { SimController, SimStore } from './sim-controller';
import { SimHost } from './sim-host';
import { SimLease } from './sim-lease';
import type { Planner } from '../core/planner';
import { SchedulerPlanner } from '../core/scheduler-planner';
import { SimPlanner } from './sim-planner';
import type { SimVmm } from './sim-vmm';
import { act, populate } from './sim-user';

export type Rule = 'one-runner' | 'once' | 'ends' | 'none-lost' | 'truth' | 'no-leftover' | 'drained' | 'crash';
export interface Failure {
  readonly seed: number;
  readonly rule: Rule;
  readonly line: string;
  readonly story: readonly string[];
}
export interface Outcome {
  readonly failure: Failure | undefined;
  /** What happened how often, to see that the schedules are worth something. */
  readonly counts: Readonly<Record<string, number>>;
}

const STORM_MS = 10 * 60_000;
/** Longer than any operation of the storm may take, with restarts and their waits. */
const CALM_MS = 25 * 60_000;
const STORY_LINES = 120;
/** Troubles of controllers. */
const ONE_OF_ALL: ReadonlySet<string> = new Set(['controller', 'depose']);

/** Hosts; VMs at most. */
export interface Size {
  readonly hosts: number;
  readonly vms: number;
}
/** Users ask, and hosts suffer, in proportion to their number; what befalls controllers is as frequent in every size. */
const SMALL: Size = { hosts: 4, vms: 8 };
/** VMs of a large cluster are made in steps of this, ms. */
const POPULATE_MS = 1_000;
const POPULATE_STEPS = 60;

/** @param size left out: two to four hosts, some VMs. Otherwise the cluster is full from its first minute on. */
export function simulate(seed: number, makeCore: typeof Core = Core, size?: Size): Outcome {
  return new World(seed, makeCore, size).play();
}

export class World {
  time = 1_000_000;
  stormy = true;
  readonly agenda = new Agenda();
  readonly random: Random;
  readonly store = new SimStore();
  readonly controllers: SimController[];
  readonly hosts: SimHost[] = [];
  private readonly byId = new Map<string, SimHost>();
  /** What lies in the one datastore. */
  readonly folders = new Map<string, { spec: VmSpec; place: VmPlace; suspended: boolean }>();
  readonly size: Size;
  /** Bytes: two thirds of the hosts could hold all. */
  readonly hostMemory: number;
  private readonly crowd: number;
  private readonly touched = new Set<SimVmm>();
  private readonly leases = new Map<string, SimLease>();
  private readonly done = new Map<string, number>();
  private readonly counts: Record<string, number> = {};
  private readonly story: string[] = [];
  private failure: Failure | undefined;
  private readonly end: number;
  private readonly slow: number;
  private serial = 0;

  constructor(
    private readonly seed: number,
    makeCore: typeof Core,
    size?: Size,
  ) {
    this.random = new Random(seed);
    this.size = size ?? SMALL;
    this.crowd = Math.max(1, this.size.hosts / SMALL.hosts);
    this.hostMemory = Math.max(8, Math.ceil((0.75 * this.size.vms) / this.size.hosts)) * 2 ** 30;
    this.slow = this.random.pick([20, 200, 1_500]);
    this.end = this.time + STORM_MS + CALM_MS;
    // Half the schedules ask the real scheduler, half one that knows less and so tries more.
    const real = this.random.chance(0.5);
    const planner = (): Planner => (real ? new SchedulerPlanner() : new SimPlanner());
    this.controllers = ['c1', 'c2'].map((id) => new SimController(this, id, planner, makeCore));
    this.elect(this.controllers[0]);
    const picked = this.random.pick([2, 3, 4]);
    const count = size?.hosts ?? picked;
    for (let host = 1; host <= count; host++) {
      const id = `host-${host}`;
      const made = new SimHost(this, id);
      this.hosts.push(made);
      this.byId.set(id, made);
      this.controllers[0].ask((ctx) => addHost(ctx, { id, name: id, certificateEndsAtMs: 0 }));
    }
    if (size) this.populate();
  }

  play(): Outcome {
    const calmAt = this.time + STORM_MS;
    this.troubleSoon(calmAt);
    this.usersSoon(calmAt);
    this.agenda.add(calmAt, () => this.calm());
    try {
      for (let next = this.agenda.take(); next && next.at <= this.end && !this.failure; next = this.agenda.take()) {
        this.time = next.at;
        next.run();
        this.checkOneRunner();
      }
      if (!this.failure) this.checkEnd();
    } catch (error) {
      this.fail('crash', (error as Error).stack ?? String(error));
    }
    return { failure: this.failure, counts: this.counts };
  }

  // ── what the parts ask of it ─────────────────────────────────────────────

  newId(): string {
    return `${(++this.serial).toString(16).padStart(8, '0')}-0000-4000-8000-${Math.floor(this.random.next() * 2 ** 40)
      .toString(16)
      .padStart(12, '0')}`;
  }

  after(ms: number, run: () => void): void {
    this.agenda.add(this.time + ms, run);
  }

  delay(): number {
    return this.random.between(1, this.stormy && this.random.chance(0.1) ? this.slow * 5 : this.slow);
  }

  host(id: string): SimHost | undefined {
    return this.byId.get(id);
  }

  lease(vmId: string): SimLease {
    let lease = this.leases.get(vmId);
    if (!lease) this.leases.set(vmId, (lease = new SimLease()));
    return lease;
  }

  vmmAt(address: string): SimVmm | undefined {
    for (const host of this.hosts) if (host.alive && host.vmms.has(address)) return host.vmms.get(address);
    return undefined;
  }

  /** A migration to it is under way. */
  isSourceOf(target: SimVmm): boolean {
    return this.vmms().some((vmm) => vmm.target === target && vmm.record !== undefined && !vmm.record.outcome);
  }

  get leader(): SimController | undefined {
    return this.controllers.find(({ alive, leads, term }) => alive && leads && term === this.store.term);
  }

  executed(host: SimHost, order: Order): void {
    const key = `${host.id}/${host.boot}/${order.orderId}`;
    this.tell(`${host.id} ${order.body.kind} ${order.vmId.slice(0, 8)} (order ${order.orderId.slice(0, 8)})`);
    const times = (this.done.get(key) ?? 0) + 1;
    this.done.set(key, times);
    this.count(`order ${order.body.kind}`);
    // An agent that lost its memory of an order that failed half-way is told by its results.
    if (times > 1) this.fail('once', `${host.id} did order ${order.orderId} twice`);
  }

  heard(controller: SimController, event: EventDraft): void {
    this.tell(`${controller.id}: ${event.kind} ${event.line}`);
    this.count(event.kind);
    if (event.kind !== 'host.maintenance') return;
    const here = this.vmms().filter((vmm) => vmm.host.id === event.hostId && vmm.executes && vmm.lease.owner === vmm.id);
    if (here.length > 0) this.fail('drained', `${event.hostId} is said to be empty, and runs ${here[0].spec.name}`);
  }

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  tell(line: string): void {
    this.story.push(`${((this.time - 1_000_000) / 1000).toFixed(3).padStart(9)} ${line}`);
  }

  // ── what befalls them ────────────────────────────────────────────────────

  private elect(controller: SimController): void {
    controller.lead(++this.store.term);
  }

  /** From when agents have come; what is refused for now is asked for again with the next step. */
  private populate(): void {
    let due = 0;
    for (let step = 1; step <= POPULATE_STEPS; step++)
      this.after(10_000 + step * POPULATE_MS, () => {
        due += Math.floor((step * this.size.vms) / POPULATE_STEPS) - Math.floor(((step - 1) * this.size.vms) / POPULATE_STEPS);
        if (this.leader) due = populate(this.leader, due, () => this.newId());
      });
  }

  private usersSoon(calmAt: number): void {
    this.after(this.random.between(500, 20_000) / this.crowd, () => {
      if (this.time >= calmAt) return;
      const { leader } = this;
      if (leader) act(this, leader);
      this.usersSoon(calmAt);
    });
  }

  private troubleSoon(calmAt: number): void {
    this.after(this.random.between(2_000, 60_000) / this.crowd, () => {
      if (this.time >= calmAt) return;
      this.trouble();
      this.troubleSoon(calmAt);
    });
  }

  private trouble(): void {
    const { random } = this;
    const host = random.pick(this.hosts);
    const vmm = random.pick(this.vmms());
    const ms = random.between(500, random.pick([5_000, 30_000, 120_000]));
    const kind = random.pick([
      'cut',
      'cut',
      'hang up',
      'agent',
      'agent',
      'host',
      'vmm',
      'power-off',
      'storage',
      'controller',
      'depose',
      'depose',
    ] as const);
    // In a large cluster hosts die often, controllers do not.
    if (ONE_OF_ALL.has(kind) && this.crowd > 1 && !random.chance(1 / this.crowd)) return;
    this.count(`trouble ${kind}`);
    this.tell(`-- ${kind} ${host.id} ${vmm?.spec.name ?? ''} ${(ms / 1000).toFixed(1)} s`);
    if (kind === 'cut') this.cut(host, ms);
    else if (kind === 'hang up') host.hangUp(random.chance(0.5));
    else if (kind === 'agent' && host.alive) {
      if (random.chance(0.5)) host.hangUp(true);
      host.crashAgent();
      this.after(ms, () => {
        host.agentAlive = true;
      });
    } else if (kind === 'host' && host.alive) {
      host.crash();
      this.after(ms, () => host.alive || host.revive());
    } else if (kind === 'vmm') vmm?.end('error');
    else if (kind === 'power-off' && vmm?.executes) vmm.end('power-off');
    else if (kind === 'storage') host.storageCutUntil = this.time + ms;
    else if (kind === 'controller') this.crashController(ms);
    else if (kind === 'depose') {
      const other = this.controllers.find((one) => one !== this.leader && one.alive);
      if (other) this.elect(other);
    }
  }

  private cut(host: SimHost, ms: number): void {
    host.cutUntil = this.time + ms;
    // Agents notice by their keepalive, sooner or later than the cut ends.
    this.after(this.random.between(0, 20_000), () => host.hangUp(false));
  }

  private crashController(ms: number): void {
    const { leader } = this;
    if (!leader) return;
    leader.alive = false;
    leader.stop();
    for (const host of this.hosts) if (host.session?.controller === leader) host.session.open = false;
    const other = this.controllers.find((one) => one !== leader)!;
    this.after(this.random.between(1_000, 15_000), () => {
      if (!this.leader && other.alive) this.elect(other);
    });
    this.after(ms, () => {
      leader.alive = true;
      if (!this.leader) this.elect(leader);
    });
  }

  private calm(): void {
    this.stormy = false;
    this.tell('-- calm --');
    for (const host of this.hosts) {
      host.cutUntil = 0;
      host.storageCutUntil = 0;
      host.agentAlive = true;
      if (!host.alive) host.revive();
    }
    for (const controller of this.controllers) controller.alive = true;
    if (!this.leader) this.elect(this.controllers[0]);
    for (const host of this.hosts) if (host.session?.controller !== this.leader && host.session) host.session.open = false;
    // Else nothing may start anywhere, rightly.
    this.after(10_000, () => {
      for (const { id } of this.hosts) this.leader?.ask((ctx) => resumeHost(ctx, id, 'user'));
    });
  }

  // ── the rules ────────────────────────────────────────────────────────────

  vmms(): SimVmm[] {
    return this.hosts.flatMap((host) => [...host.vmms.values()]);
  }

  /** Called by each process whenever it may have begun to execute. */
  mayRun(vmm: SimVmm): void {
    this.touched.add(vmm);
  }

  /** Of those alone that may have begun since the last look: the others can only have stopped. */
  private checkOneRunner(): void {
    for (const { lease, spec } of this.touched) {
      let running = 0;
      for (const vmm of lease.vmms) {
        if (!vmm.alive) lease.vmms.delete(vmm);
        else if (vmm.executes) running++;
      }
      if (running > 1) this.fail('one-runner', `${spec.name} runs twice`);
    }
    this.touched.clear();
  }

  private checkEnd(): void {
    const { state } = this.leader!.core!;
    for (const id of state.running)
      this.fail('ends', `operation ${state.operations.get(id)?.kind} ${id} has not ended: ${state.operations.get(id)?.line}`);
    for (const { id, stage, endedAtMs, deadlineAtMs, line } of state.migrations.values()) {
      if (stage !== 'ended') this.fail('ends', `migration ${id} is ${stage}: ${line}`);
      if (endedAtMs > deadlineAtMs + 3 * 60_000) this.fail('ends', `migration ${id} ended long after its deadline`);
    }
    for (const { id, kind, endedAtMs, deadlineAtMs } of state.operations.values())
      if (endedAtMs > deadlineAtMs + 3 * 60_000) this.fail('ends', `${kind} ${id} ended long after its deadline`);
    if (state.orders.size > 0) this.fail('ends', `an order is still waited for: ${JSON.stringify([...state.orders.values()][0])}`);
    this.checkVms(state);
    const waits = this.vmms().find(({ state: is, alive }) => alive && is === 'incoming');
    if (waits) this.fail('no-leftover', `${waits.host.id} has a process that waits for ${waits.spec.name}`);
    for (const operation of state.operations.values())
      if (operation.kind === 'drain-host' && operation.state !== 'succeeded' && operation.state !== 'cancelled')
        for (const item of operation.items)
          if (item.state !== 'succeeded' && !item.line) this.fail('drained', `${item.vmName} was not moved, and no reason is given`);
  }

  private checkVms(state: Core['state']): void {
    for (const id of this.folders.keys())
      if (!state.vms.has(id)) this.fail('none-lost', `${this.folders.get(id)!.spec.name} is in the datastore and not known`);
    for (const [id, vm] of state.vms) {
      const { name } = vm.record.spec;
      const truth = this.vmms().filter((vmm) => vmm.spec.vmId === id && vmm.alive && vmm.lease.owner === vmm.id);
      const is = stateOf(state, vm);
      const really = truth[0]?.state ?? (this.folders.get(id)?.suspended ? 'suspended' : 'stopped');
      if (!this.folders.has(id)) this.fail('none-lost', `${name} is known and has no folder`);
      if (is !== really)
        this.fail('truth', `${name} is said to be ${is} and is ${really} (wanted ${vm.record.wanted}, host ${vm.record.hostId})`);
      if (truth[0] && vm.record.hostId !== truth[0].host.id)
        this.fail('truth', `${name} is said to be on ${vm.record.hostId} and is on ${truth[0].host.id}`);
      const wanted = vm.record.wanted === 'running' || vm.record.wanted === 'paused';
      if (wanted && truth.length !== 1) this.fail('none-lost', `${name} is to be ${vm.record.wanted}, and is ${really}: ${vm.record.line}`);
      if (!wanted && truth.length > 0) this.fail('truth', `${name} is to be ${vm.record.wanted}, and is ${really}`);
    }
  }

  private fail(rule: Rule, line: string): void {
    this.failure ??= { seed: this.seed, rule, line, story: this.story.slice(-STORY_LINES) };
  }
}
