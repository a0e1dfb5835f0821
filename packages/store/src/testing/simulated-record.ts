/**
 * The store as an election meets it in bad weather: writes arrive late, more than once never, or not at all; answers get lost;
 * each candidate sees changes in order but late. Compare-and-swap itself is kept, as the conformance suite
 * shows of both real stores.
 */
import type { Sight, WriteOutcome } from '../election/election';
import { ELECTION_KEY, type ElectionRecord, encodeRecord } from '../election/record';
import type { Entry, Guard } from '../store';
import type { Agenda } from './agenda';
import type { Random } from './random';

export interface Weather {
  readonly lossChance: number;
  /** Most of the delay of one way, ms; one in ten takes ten times as long. */
  readonly delayMs: number;
}

export const STORM: Weather = { lossChance: 0.08, delayMs: 120 };
export const CALM: Weather = { lossChance: 0, delayMs: 40 };

export interface Viewer {
  /** Cut off until then, in true time. */
  readonly cutUntil: number;
  see(sight: Sight): void;
}

export class SimulatedRecord {
  weather = STORM;
  time = 0;
  private sight: Sight = { revision: 0, record: undefined, storeRevision: 0 };
  private readonly views = new Map<Viewer, number>();

  constructor(
    private readonly agenda: Agenda,
    private readonly random: Random,
    private readonly onLanded: (record: ElectionRecord) => void,
    /** False: a store that takes every write, to see that the rules notice. */
    private readonly compares = true,
  ) {}

  /** From now on it sees changes, each after a delay. */
  join(viewer: Viewer): void {
    this.views.set(viewer, this.time);
    viewer.see(this.sight);
  }

  leave(viewer: Viewer): void {
    this.views.delete(viewer);
  }

  replace(from: Viewer, expect: number, record: ElectionRecord, answer: (outcome: WriteOutcome) => void): void {
    this.send(from, () => {
      const landed = !this.compares || expect === this.sight.revision;
      if (landed) this.change(record);
      const { sight } = this;
      const outcome: WriteOutcome = landed ? { is: 'landed', revision: sight.revision } : { is: 'refused' };
      this.send(from, () => {
        // Who is refused has been shown why.
        if (!landed) this.show(from, sight);
        answer(outcome);
      });
    });
  }

  /** Another write, on a guard. */
  guarded(from: Viewer, guard: Guard, landed: () => void): void {
    this.send(from, () => {
      const { record, revision } = this.sight;
      const entry: Entry | undefined = record && { key: ELECTION_KEY, value: encodeRecord(record), revision, timeMs: 0 };
      if (!guard.holds(entry)) return;
      this.sight = { ...this.sight, storeRevision: this.sight.storeRevision + 1 };
      landed();
    });
  }

  private change(record: ElectionRecord): void {
    const revision = this.sight.storeRevision + 1;
    this.sight = { revision, record, storeRevision: revision };
    this.onLanded(record);
    for (const [viewer, last] of this.views) {
      const { sight } = this;
      const at = Math.max(last, viewer.cutUntil, this.time + this.delay());
      this.views.set(viewer, at);
      this.agenda.add(at, () => this.show(viewer, sight));
    }
  }

  private readonly shown = new Map<Viewer, number>();

  /** Never back. */
  private show(viewer: Viewer, sight: Sight): void {
    if (sight.storeRevision < (this.shown.get(viewer) ?? 0)) return;
    this.shown.set(viewer, sight.storeRevision);
    if (this.views.has(viewer)) viewer.see(sight);
  }

  /** One way over the network. What is sent while cut off arrives afterwards, or never. */
  private send(from: Viewer, arrive: () => void): void {
    const isCut = from.cutUntil > this.time;
    if (this.random.chance(isCut ? 0.5 : this.weather.lossChance)) return;
    this.agenda.add(Math.max(from.cutUntil, this.time) + this.delay(), arrive);
  }

  private delay(): number {
    const { delayMs } = this.weather;
    return this.random.between(0, delayMs) * (this.random.chance(0.1) ? 10 : 1);
  }
}
