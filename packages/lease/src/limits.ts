/**
 * Every time and size of the lease, in one place. Times are milliseconds on a
 * host's own monotonic clock, which also runs while the host is suspended.
 */

/**
 * How far a host's clock may run too fast or too slow against true time, as a
 * fraction. Crystals stay within 0.0001 and adjtimex within 0.0005 (ntpd's own
 * bound); 1 % leaves room for a virtualised clock.
 */
export const CLOCK_RATE_ERROR = 0.01;

/**
 * Added to a taker's wait beside the rate error: between a holder's last look
 * at its clock and the write that it allowed lie a few instructions, or, on a
 * loaded host, one turn of the scheduler.
 */
export const TAKEOVER_SLACK_MS = 500;

export interface LeaseTiming {
  /** How long a heartbeat is good for, from the moment it was issued. */
  readonly leaseMs: number;
  /** Between two heartbeats. */
  readonly beatMs: number;
  /** The holder is told to pause so long before its lease ends: time to stop the vCPU and let writes drain. */
  readonly pauseLeadMs: number;
}

/** Ten heartbeats may be missed; a dead host's VM starts elsewhere after about eleven seconds. */
export const DEFAULT_TIMING: LeaseTiming = { leaseMs: 10_000, beatMs: 1_000, pauseLeadMs: 2_000 };

/** A lease shorter than this is beyond what a loaded host's timers can keep. */
export const MIN_LEASE_MS = 200;
/** A record that claims more is damaged or forged: nobody would wait for it. */
export const MAX_LEASE_MS = 120_000;

/** Claims of past epochs that are kept, so that a sleeper's late claim meets its successor's. */
export const KEPT_EPOCHS = 8;

/** How often a release is tried before the lease is left to run out. */
export const RELEASE_TRIES = 5;

/** Longest name of a host, VM or migration in a record, in UTF-16 units. */
export const MAX_NAME = 128;
/** Longest record, in bytes: all names at their longest, and room. */
export const MAX_RECORD_BYTES = 4_096;
/** Highest epoch and counter: exact in a double. */
export const MAX_COUNT = Number.MAX_SAFE_INTEGER - 1;

/** What a taker waits on its own clock while the counter stands still, for a lease of `leaseMs`. */
export function takeoverWaitMs(leaseMs: number): number {
  return Math.ceil((leaseMs * (1 + CLOCK_RATE_ERROR)) / (1 - CLOCK_RATE_ERROR)) + TAKEOVER_SLACK_MS;
}

/** @throws RangeError for a timing that could not work. */
export function checkTiming(timing: LeaseTiming): LeaseTiming {
  const { leaseMs, beatMs, pauseLeadMs } = timing;
  if (!(leaseMs >= MIN_LEASE_MS && leaseMs <= MAX_LEASE_MS)) {
    throw new RangeError(`a lease lasts from ${MIN_LEASE_MS} to ${MAX_LEASE_MS} ms, not ${leaseMs}`);
  }
  if (!(pauseLeadMs > 0 && beatMs > 0 && beatMs * 2 + pauseLeadMs <= leaseMs)) {
    throw new RangeError(
      `two heartbeats (${beatMs} ms each) and the lead for pausing (${pauseLeadMs} ms) must fit a lease of ${leaseMs} ms`,
    );
  }
  return timing;
}
