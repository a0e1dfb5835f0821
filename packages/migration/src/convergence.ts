/**
 * When to switch over, and what to do if precopy does not get there. Pure: fed with each
 * round's measures, asked for a decision.
 *
 * Model: a pause costs fixed parts (stop vCPU, state, lease, start, one round trip) and
 * the pages left over the pages a millisecond that the last rounds moved. Once that
 * fits the budget, rounds go on only while each leaves markedly less: what is
 * there is then the local minimum, and the pause is not merely in budget but short.
 *
 *     round ──► fits the budget? ──yes──► still shrinking and worth it? ──yes──► round
 *       ▲              │ no                        │ no
 *       │              ▼                           ▼
 *       │       shrinking? ──yes──► round       switch ──► still fits, now that it stands? ──no──► retreat: round
 *       │              │ no (twice)
 *       └── throttle ◄─┤ policies in their order, each until it can do no more:
 *                      ├ extend: up to maxPauseMs, at a local minimum
 *                      ├ force:  whatever it costs, at a local minimum
 *                      └ abort
 *
 * Post-copy is not offered: a VM whose memory is on two hosts dies with either.
 */
import { MAX_PAUSE_MS, MAX_PRECOPY_MS, MAX_RETREATS, MAX_ROUNDS, PAGE_BYTES, PAUSE_BUDGET_MS } from './limits';
import { emptyRates, fixedMs, measureRound, type PauseParts, pauseMs, type Rates, remainingMs, type RoundMeasure } from './rates';

export type Policy = 'throttle' | 'extend' | 'force' | 'abort';

/** All of it may be changed while the migration runs. */
export interface Settings {
  readonly pauseBudgetMs: number;
  /** What `extend` may extend the pause to. */
  readonly maxPauseMs: number;
  /** Cap for precopy; 0: none. The pause itself is not capped. */
  readonly bandwidthBytesPerSecond: number;
  /** What is done, in this order, when rounds stop shrinking. When none is left: abort. */
  readonly policies: readonly Policy[];
  readonly maxThrottlePercent: number;
  readonly maxRounds: number;
  readonly maxPrecopyMs: number;
}

export const DEFAULT_SETTINGS: Settings = {
  pauseBudgetMs: PAUSE_BUDGET_MS,
  maxPauseMs: MAX_PAUSE_MS,
  bandwidthBytesPerSecond: 0,
  policies: ['throttle', 'extend', 'abort'],
  maxThrottlePercent: 99,
  maxRounds: MAX_ROUNDS,
  maxPrecopyMs: MAX_PRECOPY_MS,
};

export interface Convergence {
  readonly rates: Rates;
  /** Least that any round has left since the last measure was taken, pages. */
  readonly leastPages: number;
  /** Most that any has left. */
  readonly mostPages: number;
  readonly lastPages: number;
  readonly stalls: number;
  /** Rounds made although it would have fitted. */
  readonly polished: number;
  /** Index in `policies`. */
  readonly policy: number;
  /** Rounds spent waiting for a local minimum under extend or force. */
  readonly waited: number;
  readonly throttlePercent: number;
  readonly retreats: number;
}

export const startConvergence = (known: Partial<PauseParts> = {}): Convergence => ({
  rates: emptyRates(known),
  leastPages: Infinity,
  mostPages: 0,
  lastPages: Infinity,
  stalls: 0,
  polished: 0,
  policy: 0,
  waited: 0,
  throttlePercent: 0,
  retreats: 0,
});

export type Decision =
  | { readonly do: 'round' | 'switch' | 'abort'; readonly why: string; readonly stalled: boolean }
  | { readonly do: 'throttle'; readonly percent: number; readonly why: string; readonly stalled: true };

/** A round that leaves less than this share of the least before has made progress. */
const SHRINKS = 0.9;
/** Further rounds are worth it while each leaves less than this share. */
const POLISHES = 0.7;
const MAX_POLISH = 8;
/** Pages that cost less than this are not worth another round, milliseconds. */
const POLISH_ABOVE_MS = 1;
const STALLS_ALLOWED = 2;
const DEGREES = [20, 40, 60, 75, 85, 92, 96, 99];
/** The dirty rate that a throttle aims at, as a share of the transfer rate. */
const AIM = 0.5;
/** Rounds that extend and force wait for a local minimum, and what counts as one. */
const WAITS = 4;
const NEAR_LEAST = 1.1;
const CLEARLY = 0.6;
/** How much longer than allowed a pause may become, between the decision and the standing VM, before it is taken back. */
const TOLERANCE = 1.5;

/** The line that people read: numbers first. */
export const needs = (ms: number, settings: Settings): string =>
  `needs ${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms at this rate; budget ${settings.pauseBudgetMs} ms`;

/** After each round of precopy. @param elapsedMs since precopy began */
export function afterRound(
  before: Convergence,
  measure: RoundMeasure,
  settings: Settings,
  elapsedMs: number,
): { readonly next: Convergence; readonly decision: Decision } {
  const rates = measureRound(before.rates, measure);
  const left = measure.leftPages;
  const needed = pauseMs(rates, left);
  const seen: Convergence = { ...before, rates, lastPages: left, mostPages: Math.max(left, before.mostPages) };
  if (needed <= settings.pauseBudgetMs) return polish(seen, before.lastPages, left, settings);
  if (measure.round + 1 >= settings.maxRounds || elapsedMs >= settings.maxPrecopyMs) return lastResort(seen, needed, settings);
  const shrinks = left < before.leastPages * SHRINKS;
  const next = { ...seen, leastPages: Math.min(left, before.leastPages), stalls: shrinks ? 0 : before.stalls + 1 };
  const patience = before.throttlePercent > 0 || before.policy > 0 ? 1 : STALLS_ALLOWED;
  if (next.stalls < patience)
    return step(next, 'round', shrinks ? 'each round leaves less' : `a round left no less: ${needs(needed, settings)}`);
  return applyPolicy(next, needed, settings);
}

/** With the VM standing and `leftPages` counted for good: false = let it go on and make another round. */
export function holdsAtPause(state: Convergence, leftPages: number, settings: Settings, forced: boolean): boolean {
  if (forced || state.retreats >= MAX_RETREATS) return true;
  const policy = settings.policies[state.policy];
  if (state.stalls > 0 && policy === 'force') return true;
  const allowed = state.stalls > 0 && policy === 'extend' ? settings.maxPauseMs : settings.pauseBudgetMs;
  return pauseMs(state.rates, leftPages) <= allowed * TOLERANCE;
}

export const retreat = (state: Convergence, leftPages: number): Convergence => ({
  ...state,
  retreats: state.retreats + 1,
  lastPages: leftPages,
  polished: 0,
});

export interface Prediction {
  readonly pauseMs: number;
  /** Until the switch; null: not at these rates. */
  readonly remainingMs: number | null;
}

export function predict({ rates, lastPages }: Convergence, settings: Settings): Prediction {
  if (!Number.isFinite(lastPages)) return { pauseMs: fixedMs(rates), remainingMs: null };
  return { pauseMs: pauseMs(rates, lastPages), remainingMs: remainingMs(rates, lastPages, settings.pauseBudgetMs) };
}

function polish(state: Convergence, previous: number, left: number, settings: Settings): { next: Convergence; decision: Decision } {
  const pagesMs = left / state.rates.pagesPerMs;
  const worth = pagesMs > POLISH_ABOVE_MS && left < previous * POLISHES && state.polished < MAX_POLISH;
  if (worth)
    return step(
      { ...state, polished: state.polished + 1, stalls: 0 },
      'round',
      'fits the budget, and each round still leaves markedly less',
    );
  return step(state, 'switch', needs(pauseMs(state.rates, left), settings));
}

function applyPolicy(state: Convergence, needed: number, settings: Settings): { next: Convergence; decision: Decision } {
  const policy = settings.policies[state.policy] ?? 'abort';
  const why = needs(needed, settings);
  if (policy === 'throttle') {
    const percent = nextDegree(state, settings);
    if (percent === undefined) return applyPolicy({ ...state, policy: state.policy + 1 }, needed, settings);
    const next = { ...state, throttlePercent: percent, stalls: 0, leastPages: state.lastPages, mostPages: state.lastPages };
    return { next, decision: { do: 'throttle', percent, why, stalled: true } };
  }
  if (policy === 'abort') return step(state, 'abort', `the guest writes faster than its memory moves: ${why}`, true);
  const allowed = policy === 'force' ? Infinity : settings.maxPauseMs;
  if (needed <= allowed && isMinimum(state)) {
    return step(state, 'switch', `${policy === 'force' ? 'forced' : `allowed up to ${allowed} ms`}, at a local minimum: ${why}`, true);
  }
  if (state.waited < 2 * WAITS) return step({ ...state, waited: state.waited + 1 }, 'round', `waiting for a local minimum: ${why}`, true);
  return applyPolicy({ ...state, policy: state.policy + 1, waited: 0 }, needed, settings);
}

/** As good as it has been; and clearly so, or after a wait that would have shown better. */
function isMinimum({ lastPages, leastPages, mostPages, waited }: Convergence): boolean {
  if (waited >= 2 * WAITS) return true;
  return lastPages <= leastPages * NEAR_LEAST && (lastPages <= mostPages * CLEARLY || waited >= WAITS);
}

/** Too many rounds, or too long: only what ends it is left. */
function lastResort(state: Convergence, needed: number, settings: Settings): { next: Convergence; decision: Decision } {
  const why = needs(needed, settings);
  const allowed = settings.policies.includes('force') ? Infinity : settings.policies.includes('extend') ? settings.maxPauseMs : 0;
  if (needed > allowed) return step(state, 'abort', `no end in sight: ${why}`, true);
  const policy = settings.policies.indexOf(allowed === Infinity ? 'force' : 'extend');
  return step({ ...state, policy, stalls: Math.max(1, state.stalls) }, 'switch', `the limit of rounds or time is reached: ${why}`, true);
}

/** At most two degrees at a time; undefined: there is no further one. */
function nextDegree({ rates, throttlePercent }: Convergence, settings: Settings): number | undefined {
  const unthrottled = rates.dirtyPagesPerMs / (1 - throttlePercent / 100);
  const wanted = 100 * (1 - (AIM * rates.pagesPerMs) / unthrottled);
  const open = DEGREES.map((degree) => Math.min(degree, settings.maxThrottlePercent)).filter((degree) => degree > throttlePercent);
  return open[0] !== undefined && open[0] < wanted && open[1] !== undefined ? open[1] : open[0];
}

const step = (
  next: Convergence,
  what: 'round' | 'switch' | 'abort',
  why: string,
  stalled = false,
): { next: Convergence; decision: Decision } => ({
  next,
  decision: { do: what, why, stalled },
});

/** For people and metrics. */
export const bytesPerSecond = (pagesPerMs: number): number => Math.round(pagesPerMs * PAGE_BYTES * 1000);

/** Settings from outside, cleaned of what makes no sense. @throws RangeError naming the field */
export function checkSettings(settings: Settings): Settings {
  const rules: readonly [keyof Settings, number, number][] = [
    ['pauseBudgetMs', 1, 60_000],
    ['maxPauseMs', 1, 60_000],
    ['bandwidthBytesPerSecond', 0, 1e12],
    ['maxThrottlePercent', 0, 99],
    ['maxRounds', 1, 100_000],
    ['maxPrecopyMs', 1, 7 * 24 * 3600 * 1000],
  ];
  for (const [name, low, high] of rules) {
    const value = settings[name] as number;
    if (!(typeof value === 'number' && value >= low && value <= high))
      throw new RangeError(`${name} must be from ${low} to ${high}, not ${String(value)}`);
  }
  const known: readonly string[] = ['throttle', 'extend', 'force', 'abort'];
  for (const policy of settings.policies)
    if (!known.includes(policy)) throw new RangeError(`unknown policy '${policy}': known are ${known.join(', ')}`);
  return settings;
}
