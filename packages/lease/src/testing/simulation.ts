/**
 * Seeded schedules of hosts that fight over one VM, and the rules they must keep:
 *
 *   one-runner      never two that could execute at one instant
 *   epochs-grow     whoever begins to run has a higher epoch than anyone before
 *   someone-runs    after the storm, within bounded time, exactly one runs
 *
 * `simulate(seed)` gives the first broken rule, with the story that led there; the
 * same seed gives the same story.
 */
import { Lease } from '../lease';
import { CLOCK_RATE_ERROR, takeoverWaitMs } from '../limits';
import type { LeaseEvent } from '../protocol';
import { Agenda } from './agenda';
import { type MakeLease, Party, TIMING } from './party';
import { Random } from './random';
import { CALM, SimulatedStorage, type Weather } from './storage';

export interface Failure {
  readonly seed: number;
  readonly rule: 'one-runner' | 'epochs-grow' | 'someone-runs';
  readonly story: readonly string[];
}
export interface Outcome {
  readonly failure: Failure | undefined;
  /** What happened how often, to see that the schedules are worth something. */
  readonly counts: Readonly<Record<string, number>>;
}

const STORM_MS = 12_000;
/** Time for anyone to get it, then for those cut short by the storm to do so once more. */
const CALM_MS = 2 * takeoverWaitMs(TIMING.leaseMs) + 4 * TIMING.leaseMs;
const STORY_LINES = 60;

export function simulate(seed: number, makeLease: MakeLease = (...given) => new Lease(...given)): Outcome {
  return new World(seed, makeLease).play();
}

export class World {
  time = 0;
  readonly agenda = new Agenda();
  readonly random: Random;
  readonly storage: SimulatedStorage;
  private readonly parties: Party[] = [];
  private readonly counts: Record<string, number> = {};
  private readonly story: string[] = [];
  private failure: Failure | undefined;
  private highestRun = 0;
  private serial = 0;
  private weather: Weather;
  /** Half the schedules stop processes and rely on the guard; the others rely on messages alone. */
  private readonly guarded: boolean;

  constructor(
    private readonly seed: number,
    private readonly makeLease: MakeLease,
  ) {
    const random = new Random(seed);
    this.random = random;
    this.guarded = random.chance(0.5);
    const rough = random.pick([0.01, 0.05, 0.2]);
    this.weather = {
      lostRequest: random.next() * rough,
      lostAnswer: random.next() * rough,
      duplicate: random.next() * rough,
      late: random.next() * rough,
      lateMs: random.pick([500, 3_000, 8_000]),
      delayMs: random.pick([5, 50, 200]),
    };
    this.storage = new SimulatedStorage(
      random,
      this.agenda,
      () => this.time,
      () => this.weather,
    );
    const hosts = random.pick([2, 3, 4]);
    for (let host = 0; host < hosts; host++) this.newcomer();
  }

  play(): Outcome {
    this.troubleSoon();
    this.agenda.add(STORM_MS, () => {
      this.weather = CALM;
      this.tell('-- calm --');
    });
    for (let next = this.agenda.take(); next && next.at <= STORM_MS + CALM_MS && !this.failure; next = this.agenda.take()) {
      this.time = next.at;
      next.run();
      this.checkOneRunner();
    }
    if (!this.failure && this.parties.filter((one) => one.executes(true)).length !== 1) this.fail('someone-runs');
    return { failure: this.failure, counts: this.counts };
  }

  note(party: Party, event: LeaseEvent): void {
    this.count(event.event);
    const epoch = party.lease.heldEpoch;
    this.tell(`${party.owner.vmmId} ${event.event} epoch ${epoch}`);
    if (event.event !== 'acquired' && event.event !== 'mayResume') return;
    if (epoch <= this.highestRun) this.fail('epochs-grow');
    this.highestRun = epoch;
  }

  /** A VMM that has ended gives way to a new one, which wants the VM, too. */
  replace(party: Party): void {
    this.parties.splice(this.parties.indexOf(party), 1);
    this.agenda.add(this.time + this.random.between(0, 1_000), () => this.newcomer());
  }

  /** @param migrationId it is the target of */
  private newcomer(migrationId?: string): Party {
    const { random } = this;
    const rate = 1 + random.between(-CLOCK_RATE_ERROR, CLOCK_RATE_ERROR);
    const party = new Party(
      this,
      ++this.serial,
      random.chance(0.3) ? 1 + Math.sign(rate - 1) * CLOCK_RATE_ERROR : rate,
      random.between(0, 1e6),
      this.makeLease,
    );
    this.parties.push(party);
    party.run(() => (migrationId !== undefined ? party.lease.expect(party.localTime(), migrationId) : party.lease.acquire(party.localTime(), random.chance(0.8))));
    return party;
  }

  private troubleSoon(): void {
    this.agenda.add(this.time + this.random.between(100, 1_500), () => {
      if (this.time >= STORM_MS) return;
      this.trouble();
      this.troubleSoon();
    });
  }

  private trouble(): void {
    const { random } = this;
    const holder = this.parties.find((one) => one.vm === 'running');
    const victim = holder && random.chance(0.6) ? holder : random.pick(this.parties);
    if (!victim) return;
    const ms = random.between(0, random.pick([300, 1_500, 4_000]));
    const kind = random.pick(['crash', 'stop', 'cut', 'stall', 'migrate', 'migrate', 'release'] as const);
    if (kind === 'stop' && !this.guarded) return;
    this.count(kind);
    this.tell(`${kind} ${victim.owner.vmmId} ${ms.toFixed(0)} ms`);
    if (kind === 'crash') {
      victim.alive = false;
      this.replace(victim);
    } else if (kind === 'stop') victim.stoppedUntil = this.time + ms;
    else if (kind === 'cut') victim.cutUntil = this.time + ms;
    else if (kind === 'stall') this.storage.stalledUntil = this.time + ms;
    else if (kind === 'migrate' && holder) this.migrate(holder, ms / 4);
    else if (kind === 'release' && holder) {
      holder.vm = 'paused';
      holder.run(() => holder.lease.release(holder.localTime()));
    }
  }

  private migrate(source: Party, precopyMs: number): void {
    const migrationId = `m${this.serial + 1}`;
    const target = this.newcomer(migrationId);
    source.announce({ migrationId, target: target.owner });
    const forgotten = this.random.chance(0.2);
    this.agenda.add(this.time + precopyMs, () => {
      // The source gives up, and its word to the target is lost.
      if (forgotten) return source.announce(null);
      if (source.alive && source.vm === 'running' && this.time >= source.stoppedUntil) source.migrateTo(target, migrationId);
      else target.run(() => target.lease.release(target.localTime()));
    });
  }

  private checkOneRunner(): void {
    let runners = 0;
    for (const party of this.parties) if (party.executes(this.guarded)) runners++;
    if (runners > 1) this.fail('one-runner');
  }

  private fail(rule: Failure['rule']): void {
    this.failure ??= { seed: this.seed, rule, story: this.story.slice(-STORY_LINES) };
  }

  private count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  private tell(line: string): void {
    this.story.push(`${this.time.toFixed(1).padStart(9)} ${line}`);
  }
}
