/**
 * The two clocks a machine lives by. Both are ports: the shell supplies them,
 * tests supply their own.
 */

/** Guest monotonic time: starts at 0, stands still while the VM is paused, runs on after a migration. */
export interface Clock {
  /** Nanoseconds; a double holds them exactly for 104 days and to better than a PIT tick for centuries. */
  nowNs(): number;
}

/** The guest's time stamp counter as its CPU reads it; the guest may set it. */
export interface TscClock {
  now(): bigint;
  /** Guest time, in nanoseconds, at which the counter reaches `tsc`: an estimate, exact to the two clocks' rates. */
  nsAt(tsc: bigint): number;
}

/** Time of day: may jump when the host's clock is set. */
export interface WallClock {
  /** Milliseconds since 1970-01-01 UTC; may be fractional. */
  epochMs(): number;
}

/** Converts between a device's tick count and guest time without drift: both directions start from zero. */
export class TickRate {
  private readonly ticksPerNs: number;
  constructor(readonly hz: number) {
    this.ticksPerNs = hz / 1e9;
  }

  /** Whole ticks that have passed at `ns`. */
  ticksAt(ns: number): number {
    return Math.floor(ns * this.ticksPerNs);
  }

  /** The first nanosecond at which `ticksAt` has reached `tick`. */
  nsAt(tick: number): number {
    let ns = Math.ceil(tick / this.ticksPerNs);
    // Rounding can land one below the edge; a deadline that is early would spin.
    while (this.ticksAt(ns) < tick) ns += Math.max(1, ns * Number.EPSILON);
    return ns;
  }
}
