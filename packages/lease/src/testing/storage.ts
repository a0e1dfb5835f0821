/**
 * The shared storage of the simulation and the ways to it: every request may be
 * slow, lost, executed without its answer arriving, executed twice, or executed
 * long after its sender has given up. What the model grants is what NFS grants:
 * a link is exclusive, a rename of one name succeeds once, looks show what is there.
 */
import type { Beat, Claim } from '../record';
import type { ClaimOutcome, Seen } from '../protocol';
import type { Agenda } from './agenda';
import type { Random } from './random';

export interface Weather {
  /** Probabilities per request. */
  lostRequest: number;
  lostAnswer: number;
  duplicate: number;
  late: number;
  /** A late request lands after up to so many ms. */
  lateMs: number;
  /** Usual time one way, at most. */
  delayMs: number;
}

export const CALM: Weather = { lostRequest: 0, lostAnswer: 0, duplicate: 0, late: 0, lateMs: 0, delayMs: 10 };

export class SimulatedStorage {
  private readonly claims = new Map<number, Claim>();
  private readonly beats = new Map<number, string>();
  private readonly landed = new Set<string>();
  /** Until then nothing is executed: requests queue up. */
  stalledUntil = 0;

  constructor(
    private readonly random: Random,
    private readonly agenda: Agenda,
    private readonly time: () => number,
    private readonly weather: () => Weather,
  ) {}

  observe(cutUntil: number, answer: (seen: Seen) => void): void {
    this.send(cutUntil, false, () => {
      const epoch = Math.max(0, ...this.claims.keys());
      const claim = this.claims.get(epoch);
      // The heartbeat is read after the claims were listed, by a request of its own.
      this.agenda.add(this.time() + this.random.between(0, this.weather().delayMs), () => {
        const seen = { epoch, claim, beat: this.beats.get(epoch) ?? '' };
        this.answer(() => answer(seen));
      });
    });
  }

  claim(cutUntil: number, claim: Claim, answer: (outcome: ClaimOutcome) => void): void {
    // The temporary file could not be written: the link is never sent.
    if (this.weather().lostRequest > 0 && this.random.chance(0.1)) return this.answer(() => answer('unsent'));
    this.send(cutUntil, true, () => {
      const won = !this.claims.has(claim.epoch);
      if (won) this.claims.set(claim.epoch, claim);
      this.answer(() => answer(won ? 'won' : 'exists'));
    });
  }

  beat(cutUntil: number, beat: Beat, answer: () => void): void {
    this.send(cutUntil, true, () => {
      const key = `${beat.epoch}.${beat.counter}`;
      if (this.landed.has(key)) return;
      this.landed.add(key);
      this.beats.set(beat.epoch, key);
      this.answer(answer);
    });
  }

  tidy(below: number): void {
    for (const epoch of this.claims.keys()) if (epoch < below) this.claims.delete(epoch);
    for (const epoch of this.beats.keys()) if (epoch < below) this.beats.delete(epoch);
  }

  private send(cutUntil: number, changes: boolean, execute: () => void): void {
    const { random } = this;
    const weather = this.weather();
    if (random.chance(weather.lostRequest)) return;
    const late = random.chance(weather.late) ? random.between(0, weather.lateMs) : 0;
    const arrival = Math.max(this.time(), cutUntil) + random.between(0, weather.delayMs) + late;
    this.land(arrival, execute);
    if (changes && random.chance(weather.duplicate)) this.land(arrival + random.between(0, weather.lateMs), execute);
  }

  private land(at: number, execute: () => void): void {
    this.agenda.add(at, () => {
      if (this.time() < this.stalledUntil) this.land(this.stalledUntil + this.random.between(0, 5), execute);
      else execute();
    });
  }

  private answer(deliver: () => void): void {
    const weather = this.weather();
    if (!this.random.chance(weather.lostAnswer)) this.agenda.add(this.time() + this.random.between(0, weather.delayMs), deliver);
  }
}
