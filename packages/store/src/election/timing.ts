/** Times of the election, in ms on each controller's own monotonic clock, which also runs while its host is suspended. */

/**
 * How far a host's clock may run too fast or too slow, as a fraction. Crystals stay within 0.0001 and
 * adjtimex within 0.0005; 1 % leaves room for a virtualised clock.
 */
export const CLOCK_RATE_ERROR = 0.01;
/** Added to a taker's wait: between a leader's last look at its clock and what it then did lies a turn of the scheduler. */
export const TAKEOVER_SLACK_MS = 500;

export interface ElectionTiming {
  /** How long a renewal is good for, from the moment it was issued. */
  readonly leaseMs: number;
  /** Between two renewals. */
  readonly beatMs: number;
  /** A leader steps down so long before its lease ends. */
  readonly leadMs: number;
}

/** Longer than a NATS cluster needs to elect its own leader (4 to 9 s), so that this does not depose ours. */
export const DEFAULT_TIMING: ElectionTiming = { leaseMs: 15_000, beatMs: 2_500, leadMs: 1_000 };

export const MIN_LEASE_MS = 200;
/** A record that claims more is damaged. */
export const MAX_LEASE_MS = 300_000;

/** What a taker waits while the record stands still. */
export function takeoverWaitMs(leaseMs: number): number {
  return Math.ceil((leaseMs * (1 + CLOCK_RATE_ERROR)) / (1 - CLOCK_RATE_ERROR)) + TAKEOVER_SLACK_MS;
}

/** @throws RangeError */
export function checkTiming(timing: ElectionTiming): ElectionTiming {
  const { leaseMs, beatMs, leadMs } = timing;
  if (!(leaseMs >= MIN_LEASE_MS && leaseMs <= MAX_LEASE_MS))
    throw new RangeError(`a lease lasts from ${MIN_LEASE_MS} to ${MAX_LEASE_MS} ms, not ${leaseMs}`);
  if (!(beatMs > 0 && leadMs > 0 && 2 * beatMs + leadMs <= leaseMs)) {
    throw new RangeError(`two renewals (${beatMs} ms each) and the lead (${leadMs} ms) must fit a lease of ${leaseMs} ms`);
  }
  return timing;
}
