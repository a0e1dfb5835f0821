/**
 * A lease on a storage that loses requests and answers, or executes them late: claims of
 * epochs, one winner each, and a heartbeat that names the migration which may come next.
 */
import type { LeaseAnswer, LeaseOwner, LeaseVerdict, SourceLeasePort, TargetLeasePort } from '../ports';
import type { Process, Times } from './process';

export interface Weather {
  lost: number;
  late: number;
  lateMs: number;
  stalledUntil: number;
}

const TIMEOUT_MS = 300;
const BEAT_MS = 100;
const LOOK_MS = 40;

export class Storage {
  /** Owner (VMM) of each epoch. */
  readonly claims = new Map<number, string>([[1, 'source']]);
  beat = { counter: 0, next: null as string | null };

  constructor(
    readonly times: Times,
    readonly weather: Weather,
  ) {}

  get epoch(): number {
    return Math.max(...this.claims.keys());
  }

  claim(epoch: number, owner: string): boolean {
    if (this.epoch >= epoch) return this.claims.get(epoch) === owner;
    this.claims.set(epoch, owner);
    return true;
  }

  /** Executes `act` some time, or never; the answer may be lost: undefined after a while. */
  request<T>(process: Process, act: () => T): Promise<T | undefined> {
    const { random, agenda, now } = this.times;
    const { weather } = this;
    return new Promise((resolve) => {
      process.tell(now + TIMEOUT_MS, () => resolve(undefined));
      if (random.chance(weather.lost)) return;
      const execute = (): void => {
        if (this.times.now < weather.stalledUntil) return agenda.add(weather.stalledUntil, execute);
        const result = act();
        if (!random.chance(weather.lost)) process.tell(this.times.now + random.between(0, 5), () => resolve(result));
      };
      agenda.add(now + random.between(0, 5) + (random.chance(weather.late) ? random.between(0, weather.lateMs) : 0), execute);
    });
  }
}

export class SourceLease implements SourceLeasePort {
  private next: string | null = null;
  private passing = false;
  private counter = 0;
  private epoch = 1;
  ended = false;

  constructor(
    private readonly storage: Storage,
    private readonly process: Process,
    /** Broken on purpose: takes 'unknown' for 'kept'. */
    private readonly careless = false,
  ) {
    this.beatSoon();
  }

  announce(next: { migrationId: string } | null): void {
    this.next = next?.migrationId ?? null;
  }

  async passTo(target: LeaseOwner): Promise<LeaseAnswer> {
    this.passing = true;
    // The request could not even be written down.
    if (this.storage.weather.lost > 0 && this.storage.times.random.chance(0.1)) return this.keep();
    const epoch = this.epoch + 1;
    const won = await this.storage.request(this.process, () => this.storage.claim(epoch, target.vmmId));
    if (won === undefined) return this.careless ? this.keep() : { is: 'unknown', why: 'the storage does not answer' };
    return won ? { is: 'passed', epoch } : this.read();
  }

  async read(): Promise<LeaseAnswer> {
    const epoch = this.epoch + 1;
    const mine = await this.storage.request(this.process, () => this.storage.claim(epoch, 'source') || this.storage.claims.get(epoch));
    if (mine === undefined) return { is: 'unknown', why: 'the storage does not answer' };
    if (mine === 'target') return { is: 'passed', epoch };
    if (mine !== true) return { is: 'lost', owner: String(mine) };
    this.epoch = epoch;
    return this.keep();
  }

  private keep(): LeaseAnswer {
    this.passing = false;
    return { is: 'kept' };
  }

  private beatSoon(): void {
    this.process.tell(this.storage.times.now + BEAT_MS, async () => {
      if (this.ended) return;
      const beat = { counter: ++this.counter, next: this.next };
      if (!this.passing)
        await this.storage.request(this.process, () => beat.counter > this.storage.beat.counter && (this.storage.beat = beat));
      this.beatSoon();
    });
  }
}

export class TargetLease implements TargetLeasePort {
  readonly owner: LeaseOwner = { hostId: 'h2', hostName: 'host-2', vmmId: 'target' };
  private watching = false;
  private seen = -1;
  private changes = 0;

  constructor(
    private readonly storage: Storage,
    private readonly process: Process,
    /** Broken on purpose: believes the message instead of the record. */
    private readonly eager = false,
  ) {}

  private migrationId = '';
  private settle: (verdict: LeaseVerdict) => void = () => {};
  /** Those acquired: what the rules look at. */
  acquired = 0;

  watch(migrationId: string): Promise<LeaseVerdict> {
    this.watching = true;
    this.migrationId = migrationId;
    const verdict = new Promise<LeaseVerdict>((resolve) => {
      this.settle = resolve;
    });
    this.lookSoon();
    return verdict;
  }

  look(): void {
    if (this.eager && this.watching) return this.tell({ is: 'acquired', epoch: 2 });
    if (this.watching) void this.observe();
  }

  unwatch(): void {
    this.watching = false;
  }

  private lookSoon(): void {
    this.process.tell(this.storage.times.now + LOOK_MS, async () => {
      if (!this.watching) return;
      await this.observe();
      this.lookSoon();
    });
  }

  private async observe(): Promise<void> {
    const { storage } = this;
    const found = await storage.request(this.process, () => ({
      epoch: storage.epoch,
      owner: storage.claims.get(storage.epoch),
      ...storage.beat,
    }));
    if (!found || !this.watching) return;
    if (found.owner === 'target') return this.tell({ is: 'acquired', epoch: found.epoch });
    if (found.epoch > 1) return this.tell({ is: 'refused', owner: found.owner === 'source' ? 'host-1' : 'host-3' });
    if (this.seen >= 0 && found.counter > this.seen) this.changes += found.counter - this.seen;
    this.seen = Math.max(this.seen, found.counter);
    if (this.changes >= 2 && found.next !== this.migrationId) this.tell({ is: 'refused', owner: 'host-1' });
  }

  private tell(verdict: LeaseVerdict): void {
    this.watching = false;
    if (verdict.is === 'acquired') this.acquired++;
    this.settle(verdict);
  }
}
