/**
 * Proves, over seeded schedules with drifting clocks, lost, late and doubled requests, crashes,
 * stopped processes, stalled storage and migrations: never two runners, epochs grow, somebody
 * gets the VM in the end. And that the rules can fail: machines broken on purpose are caught.
 * Longer: `node test/lease/soak.mjs --seeds 100000`.
 */
import { Lease } from './lease';
import { simulate, type Outcome } from './testing/simulation';

const SEEDS = 1_000;

test(`${SEEDS} schedules break no rule, and all that can happen did`, () => {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { failure, counts: one } = simulate(seed);
    expect(failure).toBeUndefined();
    for (const [what, times] of Object.entries(one)) counts[what] = (counts[what] ?? 0) + times;
  }
  for (const what of [
    'acquired',
    'refused',
    'mustPause',
    'mayResume',
    'lost',
    'passed',
    'passFailed',
    'released',
    'crash',
    'stop',
    'stall',
    'cut',
  ]) {
    expect([what, counts[what] ?? 0]).toEqual([what, expect.any(Number)]);
    expect(counts[what]).toBeGreaterThan(50);
  }
});

class TakesOverTooEarly extends Lease {
  protected override waitMs(leaseMs: number): number {
    return leaseMs * 0.6;
  }
}
/** No allowance for clocks that run at different rates. */
class TrustsClocks extends Lease {
  protected override waitMs(leaseMs: number): number {
    return leaseMs * 0.97;
  }
}
class NeverFences extends Lease {
  override mayRun(): boolean {
    return this.state === 'held';
  }
  override mayWrite(): boolean {
    return this.deadline > -Infinity;
  }
}
/** A target that counts its right from when it reads the claim. */
class TargetCountsFromReading extends Lease {
  protected override targetBase(_negativeAt: number | undefined, now: number): number {
    return now;
  }
}

const broken = [
  { name: 'takes over too early', make: TakesOverTooEarly, from: 1 },
  { name: 'never fences itself', make: NeverFences, from: 1 },
  { name: 'trusts clocks', make: TrustsClocks, from: 150 },
  { name: 'target counts from reading', make: TargetCountsFromReading, from: 400 },
];

test.each(broken)('a machine that $name is caught, and its seed reproduces the failure', ({ make, from }) => {
  const run = (seed: number): Outcome => simulate(seed, (...given) => new make(...given));
  let seed = from;
  while (seed < from + 150 && !run(seed).failure) seed++;
  const { failure } = run(seed);
  expect(failure?.rule).toBe('one-runner');
  expect(run(seed).failure).toEqual(failure);
});
