/** What a lease's holder counts, under the names of VmmStats: seconds; a histogram as cumulative counts. Pure. */

/** Upper bounds, seconds: from a local disk to beyond what a lease waits for. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export class LeaseCounters {
  private readonly buckets = new Float64Array(BOUNDS.length + 1);
  private seconds = 0;
  private failures = 0;
  private losses = 0;

  /** A heartbeat has ended; how long the storage took for it. */
  renewed(ms: number, taken: boolean): void {
    const seconds = ms / 1e3;
    const bucket = BOUNDS.findIndex((bound) => seconds <= bound);
    this.buckets[bucket < 0 ? BOUNDS.length : bucket]++;
    this.seconds += seconds;
    if (!taken) this.failures++;
  }

  lost(): void {
    this.losses++;
  }

  /** @param ageMs of the heartbeat that the lease rests on; undefined: it is not held */
  counters(ageMs: number | undefined): Record<string, number> {
    const counted: Record<string, number> = {
      lease_renewal_seconds_sum: this.seconds,
      lease_renewal_failures: this.failures,
      lease_losses: this.losses,
    };
    let sum = 0;
    this.buckets.forEach((count, index) => {
      sum += count;
      counted[index < BOUNDS.length ? `lease_renewal_seconds_le_${BOUNDS[index]}` : 'lease_renewal_seconds_count'] = sum;
    });
    if (ageMs !== undefined) counted.lease_age_seconds = ageMs / 1e3;
    return counted;
  }
}
