/** What rounds have measured, and what follows from it for the next. Pages a millisecond, milliseconds. */

/** The pause, part by part: together they are the whole. */
export interface PauseParts {
  /** Until the vCPU stands and no device request is under way. */
  readonly stopMs: number;
  /** Dirty log read, last pages sent. */
  readonly pagesMs: number;
  /** Until the target has said that memory and state are there and check out. */
  readonly stateMs: number;
  readonly leaseMs: number;
  /** Until the target has read the lease and the vCPU runs (its message's way back included). */
  readonly startMs: number;
}

/** Before anything was measured: an idle small VM on a quiet network. */
const GUESS = { stopMs: 1.5, stateMs: 5, leaseMs: 5, startMs: 4 };

export interface RoundMeasure {
  readonly round: number;
  /** From `beginRound` to the target's word that all of it has arrived. */
  readonly durationMs: number;
  /** Of those, spent waiting for the bandwidth cap. */
  readonly pacedMs: number;
  /** From the last byte given away to the target's word. */
  readonly echoMs: number;
  /** Pages dealt with: sent in any form, or found unchanged. */
  readonly pages: number;
  /** Between the two `beginRound` of this round and the next. */
  readonly loggedMs: number;
  /** Dirty when the next round begins. */
  readonly leftPages: number;
}

export interface Rates {
  readonly pagesPerMs: number;
  readonly dirtyPagesPerMs: number;
  /** Smallest echo seen. */
  readonly echoMs: number;
  readonly measured: boolean;
  readonly fixed: Omit<PauseParts, 'pagesMs'>;
}

/** 400 MB/s, until the first round is over. */
const FIRST_PAGES_PER_MS = 100;

/** A round of fewer pages says more about latency than about the rate. */
const TELLING_PAGES = 64;

/** Weight of the newest round. */
const NEWEST = 0.6;

export const emptyRates = (known: Partial<PauseParts>): Rates => ({
  pagesPerMs: FIRST_PAGES_PER_MS,
  dirtyPagesPerMs: 0,
  echoMs: Infinity,
  measured: false,
  fixed: {
    stopMs: known.stopMs ?? GUESS.stopMs,
    stateMs: known.stateMs ?? GUESS.stateMs,
    leaseMs: known.leaseMs ?? GUESS.leaseMs,
    startMs: known.startMs ?? GUESS.startMs,
  },
});

export function measureRound(rates: Rates, measure: RoundMeasure): Rates {
  const echoMs = Math.min(rates.echoMs, measure.echoMs);
  const busyMs = Math.max(0.05, measure.durationMs - measure.pacedMs - echoMs);
  const telling = measure.pages >= TELLING_PAGES;
  const now = measure.pages / busyMs;
  const pagesPerMs = !telling ? rates.pagesPerMs : rates.measured ? now * NEWEST + rates.pagesPerMs * (1 - NEWEST) : now;
  const dirtyPagesPerMs = measure.leftPages / Math.max(0.05, measure.loggedMs);
  return { ...rates, pagesPerMs: Math.max(pagesPerMs, 0.01), dirtyPagesPerMs, echoMs, measured: rates.measured || telling };
}

export const fixedMs = ({ fixed }: Rates): number => fixed.stopMs + fixed.stateMs + fixed.leaseMs + fixed.startMs;

/** What a pause would take with so many pages left. */
export const pauseMs = (rates: Rates, pages: number): number => fixedMs(rates) + pages / rates.pagesPerMs;

/** Until what is left fits `budgetMs`; null: never, at these rates. Rounds shrink by the ratio of the rates. */
export function remainingMs(rates: Rates, pages: number, budgetMs: number): number | null {
  const room = (budgetMs - fixedMs(rates)) * rates.pagesPerMs;
  if (pages <= room) return 0;
  const ratio = rates.dirtyPagesPerMs / rates.pagesPerMs;
  if (ratio >= 1 || room <= 0) return null;
  if (ratio === 0) return pages / rates.pagesPerMs;
  const rounds = Math.ceil(Math.log(room / pages) / Math.log(ratio));
  return ((pages / rates.pagesPerMs) * (1 - ratio ** rounds)) / (1 - ratio);
}

/** Weight of the newest pause. */
const LEARN = 0.5;

/** What the next migration from here may start with, from the parts of this one. */
export function learnParts(known: Partial<PauseParts>, pause: PauseParts): PauseParts {
  const blend = (name: keyof PauseParts): number => {
    const old = known[name];
    return old === undefined ? pause[name] : pause[name] * LEARN + old * (1 - LEARN);
  };
  return {
    stopMs: blend('stopMs'),
    pagesMs: blend('pagesMs'),
    stateMs: blend('stateMs'),
    leaseMs: blend('leaseMs'),
    startMs: blend('startMs'),
  };
}
