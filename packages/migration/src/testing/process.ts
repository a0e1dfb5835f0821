import type { ClockPort } from '../ports';
import type { Agenda } from './agenda';
import type { Random } from './random';

/** Simulated time, shared by all. */
export interface Times {
  now: number;
  readonly agenda: Agenda;
  readonly random: Random;
}

/** One end's process: may be stopped (SIGSTOP) for a while, or killed. What it is to be told comes through `tell`. */
export class Process {
  alive = true;
  stoppedUntil = 0;
  onKill: () => void = () => {};

  constructor(
    readonly name: string,
    readonly times: Times,
  ) {}

  /** Runs `act` inside the process at `at`, or when it is woken; never once it is dead. */
  tell(at: number, act: () => void): void {
    this.times.agenda.add(at, () => {
      if (!this.alive) return;
      if (this.times.now < this.stoppedUntil) this.tell(this.stoppedUntil, act);
      else act();
    });
  }

  /** Something that takes up to so long. A result is a value or an Error. */
  soon<T>(maxMs: number, act: () => T | Error): Promise<T> {
    return new Promise((resolve, reject) => {
      this.tell(this.times.now + this.times.random.between(0, maxMs), () => {
        const result = act();
        if (result instanceof Error) reject(result);
        else resolve(result);
      });
    });
  }

  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.onKill();
  }

  clock(): ClockPort {
    return {
      now: () => this.times.now,
      after: (ms, act) => {
        let wanted = true;
        this.tell(this.times.now + ms, () => wanted && act());
        return () => {
          wanted = false;
        };
      },
      breathe: () => Promise.resolve(),
    };
  }
}
