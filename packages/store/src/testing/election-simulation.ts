/**
 * Seeded schedules of controllers that want to lead, and the rules they must keep:
 *
 *   one-actor      never two that may act at one instant
 *   one-holder     a term has one holder, and terms never go back
 *   fenced         no write of a term lands after one of a later term
 *   someone-leads  after the storm, within bounded time, exactly one leads and goes on leading
 *
 * `simulate(seed)` gives the first broken rule with the story that led there; the same seed gives the same story.
 */
import { Election, type ElectionEvent, type ElectionStep, type Sight, type WriteCommand } from '../election/election';
import { termGuard } from '../election/leader-store';
import type { Candidate } from '../election/record';
import { CLOCK_RATE_ERROR, type ElectionTiming, takeoverWaitMs } from '../election/timing';
import type { Guard } from '../store';
import { Agenda } from './agenda';
import { Random } from './random';
import { CALM, SimulatedRecord, type Viewer } from './simulated-record';

export type Rule = 'one-actor' | 'one-holder' | 'fenced' | 'someone-leads';

export interface Outcome {
  readonly failure: { readonly seed: number; readonly rule: Rule; readonly story: readonly string[] } | undefined;
  readonly counts: Readonly<Record<string, number>>;
}

export interface SimulationOptions {
  readonly make?: (me: Candidate, timing: ElectionTiming, random: () => number) => Election;
  /** False: the leader's writes carry no term. */
  readonly fenced?: boolean;
  /** False: the store takes every write. */
  readonly compares?: boolean;
}

const TIMING: ElectionTiming = { leaseMs: 2_000, beatMs: 400, leadMs: 200 };
const TICK_MS = 80;
const WRITE_TIMEOUT_MS = 700;
const STORM_MS = 40_000;
/** Two claims that collide, and the wait before each. */
const CALM_MS = 4 * takeoverWaitMs(TIMING.leaseMs);
const STORY_LINES = 60;

export function simulate(seed: number, options: SimulationOptions = {}): Outcome {
  return new World(seed, options).run();
}

class World {
  readonly agenda = new Agenda();
  readonly random: Random;
  readonly record: SimulatedRecord;
  time = 0;
  private readonly story: string[] = [];
  private readonly counts: Record<string, number> = {};
  private readonly holders = new Map<number, string>();
  private latestTerm = 0;
  private latestWork = 0;
  private controllers: Controller[] = [];
  private serial = 0;
  private broken: Rule | undefined;

  constructor(
    private readonly seed: number,
    readonly options: SimulationOptions,
  ) {
    this.random = new Random(seed);
    this.record = new SimulatedRecord(this.agenda, this.random, (record) => this.landed(record.term, record.holder?.id), options.compares);
  }

  run(): Outcome {
    const count = 2 + Math.floor(this.random.next() * 3);
    for (let index = 0; index < count; index++) this.add();
    this.trouble();
    this.until(STORM_MS);
    this.record.weather = CALM;
    for (const one of this.controllers) one.calm();
    this.until(STORM_MS + CALM_MS);
    const leader = this.leaders();
    this.until(STORM_MS + CALM_MS + TIMING.leaseMs);
    const later = this.leaders();
    if (leader.length !== 1 || later.length !== 1 || leader[0] !== later[0]) this.break('someone-leads');
    return { counts: this.counts, failure: this.broken && { seed: this.seed, rule: this.broken, story: this.story.slice(-STORY_LINES) } };
  }

  note(who: string, what: string, detail = ''): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    if (this.story.push(`${this.time.toFixed(0).padStart(6)} ${who}: ${what} ${detail}`) > 4 * STORY_LINES)
      this.story.splice(0, STORY_LINES);
  }

  worked(who: string, term: number): void {
    this.note(who, 'work', `of term ${term}`);
    if (term < this.latestWork) this.break('fenced');
    this.latestWork = Math.max(this.latestWork, term);
  }

  private landed(term: number, holder: string | undefined): void {
    const before = this.holders.get(term);
    if (term < this.latestTerm || (before !== undefined && holder !== undefined && before !== holder)) this.break('one-holder');
    this.latestTerm = Math.max(this.latestTerm, term);
    if (holder !== undefined) this.holders.set(term, holder);
  }

  private until(end: number): void {
    // A time of its own, so that the loop ends there.
    let through = false;
    this.agenda.add(end, () => (through = true));
    while (!through && !this.broken) {
      const next = this.agenda.take()!;
      this.time = this.record.time = next.at;
      next.run();
      if (this.leaders().length > 1) this.break('one-actor');
    }
  }

  private leaders(): Controller[] {
    return this.controllers.filter((one) => one.acts());
  }

  private add(): void {
    const rate = 1 + this.random.between(-CLOCK_RATE_ERROR, CLOCK_RATE_ERROR);
    this.controllers.push(new Controller(this, `c${++this.serial}`, rate, this.random.between(0, 1e6)));
  }

  /** Something befalls somebody, again and again. */
  private trouble(): void {
    this.agenda.add(this.time + this.random.between(200, 3_000), () => {
      if (this.time >= STORM_MS) return;
      const { random } = this;
      // Whoever leads is the most interesting.
      const victim = this.leaders().at(0) && random.chance(0.6) ? this.leaders()[0] : random.pick(this.controllers);
      const lengthMs = random.between(100, 5_000);
      random.pick([
        () => victim.stop(lengthMs),
        () => victim.cut(lengthMs),
        () => {
          victim.crash();
          this.controllers = this.controllers.filter((one) => one !== victim);
          this.add();
        },
        () => {
          victim.resign();
          this.controllers = this.controllers.filter((one) => one !== victim || one.acts());
          this.add();
        },
        () => victim.raiseTerm(this.latestTerm + Math.floor(random.between(-1, 3))),
      ])();
      this.trouble();
    });
  }

  private break(rule: Rule): void {
    this.broken ??= rule;
  }
}

class Controller implements Viewer {
  cutUntil = 0;
  private readonly election: Election;
  private readonly me: Candidate;
  private sight: Sight = { revision: 0, record: undefined, storeRevision: 0 };
  private stoppedUntil = 0;
  private alive = true;

  constructor(
    private readonly world: World,
    readonly id: string,
    private readonly rate: number,
    private readonly offset: number,
  ) {
    const { make = (...given) => new Election(...given) } = world.options;
    this.me = { id, name: id, address: id };
    this.election = make(this.me, TIMING, world.random.next);
    world.record.join(this);
    this.tickSoon();
  }

  /** Whether it might act as leader at this instant. A stopped one counts: it may be woken now. */
  acts(): boolean {
    return this.alive && this.election.mayAct(this.clock());
  }

  see(sight: Sight): void {
    this.sight = sight;
  }

  stop(lengthMs: number): void {
    this.world.note(this.id, 'stop');
    this.stoppedUntil = this.world.time + lengthMs;
  }

  cut(lengthMs: number): void {
    this.world.note(this.id, 'cut');
    this.cutUntil = this.world.time + lengthMs;
  }

  crash(): void {
    this.world.note(this.id, 'crash');
    this.alive = false;
    this.world.record.leave(this);
  }

  calm(): void {
    this.stoppedUntil = Math.min(this.stoppedUntil, this.world.time);
    this.cutUntil = Math.min(this.cutUntil, this.world.time);
  }

  resign(): void {
    this.run(() => this.election.resign(this.clock()));
  }

  raiseTerm(term: number): void {
    this.run(() => this.election.raiseTerm(this.clock(), term));
  }

  private clock(): number {
    return this.offset + this.world.time * this.rate;
  }

  private tickSoon(): void {
    this.world.agenda.add(this.world.time + this.world.random.between(0.5, 1) * TICK_MS, () => {
      this.run(() => this.election.tick(this.clock(), this.sight));
      if (this.acts() && this.world.time >= this.stoppedUntil && this.world.random.chance(0.2)) this.work();
      if (this.alive && this.election.state !== 'stopped') this.tickSoon();
    });
  }

  /** As this process: now, or when it is woken; never once it is dead. */
  private run(act: () => ElectionStep): void {
    if (!this.alive) return;
    if (this.world.time < this.stoppedUntil) return this.world.agenda.add(this.stoppedUntil, () => this.run(act));
    const { write, events } = act();
    for (const event of events) this.hear(event);
    if (write) this.write(write);
  }

  private hear(event: ElectionEvent): void {
    const { world } = this;
    if (event.event === 'deposed') world.note(this.id, event.reason, `term ${event.term}`);
    else if (event.event === 'leader') world.note(this.id, 'leader', `${event.leader?.id ?? 'nobody'} term ${event.term}`);
    else world.note(this.id, event.event, event.event === 'elected' ? `term ${event.term}` : '');
  }

  private write({ id, expect, record }: WriteCommand): void {
    const answered = (outcome: Parameters<Election['written']>[2]): void =>
      this.run(() => this.election.written(this.clock(), id, outcome, this.sight));
    this.world.agenda.add(this.world.time + WRITE_TIMEOUT_MS, () => answered({ is: 'unknown' }));
    this.world.record.replace(this, expect, record, answered);
  }

  private work(): void {
    const term = this.election.leads!;
    const anything: Guard = { key: '', holds: () => true, otherwise: '' };
    const guard = this.world.options.fenced === false ? anything : termGuard({ term, holderId: this.id });
    this.world.record.guarded(this, guard, () => this.world.worked(this.id, term));
  }
}
