/**
 * Proves: rounds end in a switch that keeps the budget when the guest writes more slowly than
 * its memory moves; a guest that does not is noticed with numbers, and each policy does what
 * it says; what changes while it runs counts at once.
 */
import {
  afterRound,
  type Convergence,
  checkSettings,
  DEFAULT_SETTINGS,
  holdsAtPause,
  predict,
  retreat,
  type Settings,
  startConvergence,
} from './convergence';
import { learnParts, pauseMs } from './rates';

/** A guest that rewrites `setPages` evenly at `dirtyPerMs`, on a line of `linePerMs` pages. */
interface Guest {
  readonly totalPages: number;
  readonly setPages: number;
  dirtyPerMs: number;
  readonly linePerMs: number;
  /** Every so many rounds it rests. */
  readonly restsEvery?: number;
}

const ECHO_MS = 0.4;

function migrate(guest: Guest, changes: Partial<Settings> = {}, onRound: (round: number) => Partial<Settings> = () => ({})) {
  let settings: Settings = { ...DEFAULT_SETTINGS, ...changes };
  let state: Convergence = startConvergence();
  let pages = guest.totalPages;
  let elapsed = 0;
  const lines: string[] = [];
  const throttles: number[] = [];
  for (let round = 0; ; round++) {
    settings = { ...settings, ...onRound(round) };
    const durationMs = pages / guest.linePerMs + ECHO_MS;
    elapsed += durationMs;
    const rate = guest.restsEvery && round % guest.restsEvery === guest.restsEvery - 1 ? guest.dirtyPerMs / 20 : guest.dirtyPerMs;
    const written = rate * (1 - state.throttlePercent / 100) * durationMs;
    const leftPages = Math.floor(guest.setPages * (1 - Math.exp(-written / Math.max(1, guest.setPages))));
    const measure = { round, durationMs, pacedMs: 0, echoMs: ECHO_MS, pages, loggedMs: durationMs, leftPages };
    const { next, decision } = afterRound(state, measure, settings, elapsed);
    state = next;
    lines.push(decision.why);
    if (decision.do === 'throttle') throttles.push(decision.percent);
    if (decision.do === 'switch' || decision.do === 'abort') {
      return {
        does: decision.do,
        why: decision.why,
        rounds: round + 1,
        pauseMs: pauseMs(state.rates, leftPages),
        leftPages,
        throttles,
        lines,
        state,
        elapsed,
      };
    }
    pages = leftPages;
    if (round > 1000) throw new Error('no end');
  }
}

/** 512 MB at 1 GB/s. */
const base = { totalPages: 131_072, linePerMs: 256 };

describe('below the line rate', () => {
  test('an idle guest moves in two or three rounds, with next to nothing left', () => {
    const done = migrate({ ...base, setPages: 300, dirtyPerMs: 0.2 });
    expect(done).toMatchObject({ does: 'switch', throttles: [] });
    expect(done.rounds).toBeLessThanOrEqual(4);
    expect(done.leftPages).toBeLessThan(100);
  });

  test.each([0.05, 0.2, 0.5, 0.8])('a guest at %d of it converges without a throttle, in budget', (share) => {
    const done = migrate({ ...base, setPages: 32_768, dirtyPerMs: base.linePerMs * share });
    expect(done).toMatchObject({ does: 'switch', throttles: [] });
    expect(done.pauseMs).toBeLessThanOrEqual(50);
  });

  test('rounds go on while each leaves markedly less, so the pause is not only just in budget', () => {
    const done = migrate({ ...base, setPages: 32_768, dirtyPerMs: base.linePerMs * 0.3 });
    expect(done.pauseMs).toBeLessThan(20);
  });
});

describe('near and above the line rate', () => {
  test.each([0.95, 1, 1.5, 4, 40])('at %d of it, throttling by degrees gets there', (share) => {
    const done = migrate({ ...base, setPages: 32_768, dirtyPerMs: base.linePerMs * share });
    expect(done.does).toBe('switch');
    expect(done.pauseMs).toBeLessThanOrEqual(50);
    expect(done.throttles).toEqual([...done.throttles].sort((a, b) => a - b));
    expect(done.rounds).toBeLessThan(60);
  });

  test('it says how much it needs', () => {
    const done = migrate({ ...base, setPages: 32_768, dirtyPerMs: 2000 });
    expect(done.lines.some((line) => /needs \d{3} ms at this rate; budget 50 ms/.test(line))).toBe(true);
  });

  test('abort: ends before the guest is slowed', () => {
    const done = migrate({ ...base, setPages: 32_768, dirtyPerMs: 2000 }, { policies: ['abort'] });
    expect(done).toMatchObject({ does: 'abort', throttles: [] });
    expect(done.why).toMatch(/writes faster than its memory moves: needs \d+ ms/);
  });

  test('extend: up to the longest pause allowed, and no further', () => {
    const guest = { ...base, setPages: 32_768, dirtyPerMs: 2000 };
    const done = migrate(guest, { policies: ['extend'], maxPauseMs: 250 });
    expect(done.does).toBe('switch');
    expect(done.pauseMs).toBeLessThanOrEqual(250);
    expect(migrate(guest, { policies: ['extend'], maxPauseMs: 60 }).does).toBe('abort');
  });

  test('force: at a local minimum', () => {
    const steady = migrate({ ...base, setPages: 60_000, dirtyPerMs: 2000 }, { policies: ['force'] });
    expect(steady).toMatchObject({ does: 'switch' });
    const resting = migrate({ ...base, setPages: 60_000, dirtyPerMs: 2000, restsEvery: 4 }, { policies: ['force'] });
    expect(resting.leftPages).toBeLessThan(steady.leftPages / 2);
  });

  test('a throttle at its limit hands over to the next policy', () => {
    const done = migrate({ ...base, setPages: 32_768, dirtyPerMs: 100_000 }, { policies: ['throttle', 'force'], maxThrottlePercent: 60 });
    expect(done.does).toBe('switch');
    expect(Math.max(...done.throttles)).toBe(60);
  });

  test('rounds and time are limited', () => {
    const guest = { ...base, setPages: 32_768, dirtyPerMs: 255 };
    expect(migrate(guest, { policies: ['abort'], maxRounds: 2 })).toMatchObject({ does: 'abort', rounds: 2 });
    expect(migrate(guest, { policies: ['extend'], maxRounds: 2, maxPauseMs: 500 })).toMatchObject({ does: 'switch', rounds: 2 });
  });

  test('a budget raised while it runs is kept to at once', () => {
    const guest = { ...base, setPages: 32_768, dirtyPerMs: 2000 };
    const done = migrate(guest, { policies: ['abort'] }, (round) => (round === 1 ? { pauseBudgetMs: 400 } : {}));
    expect(done).toMatchObject({ does: 'switch', rounds: 2 });
  });
});

test('a pause that turns out much longer than allowed is taken back, a few times', () => {
  let { state } = migrate({ ...base, setPages: 3_000, dirtyPerMs: 20 });
  expect(holdsAtPause(state, 1_000, DEFAULT_SETTINGS, false)).toBe(true);
  for (let turn = 0; turn < 3; turn++) {
    expect(holdsAtPause(state, 30_000, DEFAULT_SETTINGS, false)).toBe(false);
    expect(holdsAtPause(state, 30_000, DEFAULT_SETTINGS, true)).toBe(true);
    state = retreat(state, 30_000);
  }
  expect(holdsAtPause(state, 30_000, DEFAULT_SETTINGS, false)).toBe(true);
});

test('predictions: a time where it converges, none where it does not', () => {
  const measure = { round: 0, durationMs: 500.4, pacedMs: 0, echoMs: 0.4, pages: 100_000, loggedMs: 500, leftPages: 50_000 };
  const { next } = afterRound(startConvergence(), measure, DEFAULT_SETTINGS, 500);
  const { remainingMs, pauseMs: pause } = predict(next, DEFAULT_SETTINGS);
  expect(pause).toBeGreaterThan(250);
  expect(remainingMs).toBeGreaterThan(300);
  expect(remainingMs).toBeLessThan(600);
  const faster = afterRound(startConvergence(), { ...measure, leftPages: 120_000 }, DEFAULT_SETTINGS, 500);
  expect(predict(faster.next, DEFAULT_SETTINGS).remainingMs).toBeNull();
});

test('waiting for the bandwidth cap is no part of the rate', () => {
  const measure = { round: 0, durationMs: 1000, pacedMs: 900, echoMs: 0, pages: 10_000, loggedMs: 1000, leftPages: 10 };
  expect(afterRound(startConvergence(), measure, DEFAULT_SETTINGS, 1).next.rates.pagesPerMs).toBeCloseTo(100);
});

test('fixed parts are learned', () => {
  const parts = { stopMs: 2, pagesMs: 9, stateMs: 4, leaseMs: 40, startMs: 1 };
  expect(learnParts({}, parts)).toEqual(parts);
  expect(learnParts({ leaseMs: 20 }, parts).leaseMs).toBe(30);
  const { next } = afterRound(
    startConvergence(parts),
    { round: 0, durationMs: 1, pacedMs: 0, echoMs: 0, pages: 100, loggedMs: 1, leftPages: 0 },
    DEFAULT_SETTINGS,
    1,
  );
  expect(predict(next, DEFAULT_SETTINGS).pauseMs).toBeCloseTo(47);
});

test('settings that make no sense are refused by name', () => {
  expect(() => checkSettings({ ...DEFAULT_SETTINGS, pauseBudgetMs: Number.NaN })).toThrow(/pauseBudgetMs must be from 1/);
  expect(() => checkSettings({ ...DEFAULT_SETTINGS, policies: ['postcopy' as never] })).toThrow(/unknown policy 'postcopy': known are/);
});
