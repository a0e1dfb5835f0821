/**
 * Proves, over seeded schedules with drifting clocks, lost and late writes and answers, late sight, stopped and
 * crashing controllers: never two that may act, one holder a term, terms grow, no write of an old term lands, somebody
 * leads in the end. And that the rules can fail: what is broken on purpose is caught, by a seed that reproduces it.
 * Longer: `node test/store/soak.mjs --seeds 100000`.
 */
import { type Outcome, simulate, type SimulationOptions } from '../testing/election-simulation';
import { Election } from './election';
import { checkTiming, DEFAULT_TIMING } from './timing';

const SEEDS = 600;

test(`${SEEDS} schedules break no rule, and all that can happen did`, () => {
  const counts: Record<string, number> = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { failure, counts: one } = simulate(seed);
    expect(failure).toBeUndefined();
    for (const [what, times] of Object.entries(one)) counts[what] = (counts[what] ?? 0) + times;
  }
  for (const what of ['elected', 'not-renewed', 'resigned', 'term-too-low', 'stopped', 'crash', 'cut', 'stop', 'leader', 'work']) {
    expect([what, (counts[what] ?? 0) > 50]).toEqual([what, true]);
  }
  // A leader always steps down by itself, before anybody takes its place.
  expect(counts['replaced']).toBeUndefined();
});

class TakesOverTooEarly extends Election {
  protected override waitMs(leaseMs: number): number {
    return leaseMs * 0.6;
  }
}
class NeverStepsDown extends Election {
  override mayAct(): boolean {
    return this.leads !== undefined;
  }
}

const broken: [string, string, SimulationOptions][] = [
  ['takes over too early', 'one-actor', { make: (...given) => new TakesOverTooEarly(...given) }],
  ['never steps down', 'one-actor', { make: (...given) => new NeverStepsDown(...given) }],
  ['writes without its term', 'fenced', { fenced: false }],
  ['has a store that does not compare', 'one-holder', { compares: false }],
];

test.each(broken)('a controller that %s is caught, and its seed reproduces the failure', (_name, rule, options) => {
  const run = (seed: number): Outcome => simulate(seed, options);
  let seed = 1;
  while (seed < 400 && run(seed).failure?.rule !== rule) seed++;
  const { failure } = run(seed);
  expect(failure?.rule).toBe(rule);
  expect(run(seed).failure).toEqual(failure);
});

test('a timing that could not work is refused', () => {
  expect(checkTiming(DEFAULT_TIMING)).toEqual(DEFAULT_TIMING);
  expect(() => checkTiming({ leaseMs: 1_000, beatMs: 500, leadMs: 100 })).toThrow(
    'two renewals (500 ms each) and the lead (100 ms) must fit a lease of 1000 ms',
  );
});
