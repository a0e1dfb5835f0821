/**
 * Pages → bodies of messages. Takes pages from the planner until a batch is full, finds
 * for each the cheapest form, and keeps what the target then has (sum, cache for deltas).
 *
 * RAM is live: a page may change while it is read. Zero and filled pages are found in RAM
 * itself; what is sent of any other page, summed and kept is one copy of it. If the
 * guest wrote meanwhile, the page is in the next round's log, and that round sends it again.
 */
import { BATCH_PAGES, MAX_DELTA_BYTES, MAX_NAMED_PAGES, MAX_RUNS, PAGE_BYTES, PAGE_WORDS } from '../limits';
import { packedBound } from '../ports';
import type { RoundPlanner } from '../round-planner';
import { encodeDelta, NO_DELTA, UNCHANGED } from './delta';
import { FRAME, padded } from './frame';
import {
  ENCODING,
  FILL_WORDS,
  isFilledPage,
  isZeroPage,
  KIND_SHIFT,
  PAGE_KIND,
  type PageKind,
  PAGES,
  RUN_BYTES,
  RUN_PAGES_MASK,
} from './page-layout';
import { MemorySum } from './page-sum';
import { SentCache } from './sent-cache';

/** Pages and bytes by kind. */
export interface SentCounts {
  zeroPages: number;
  fillPages: number;
  deltaPages: number;
  rawPages: number;
  /** Written but found as the target has them: nothing sent. */
  unchangedPages: number;
  /** Dirty again before their turn: left to the next round. */
  skippedPages: number;
  deltaBytes: number;
}

export const noCounts = (): SentCounts => ({
  zeroPages: 0,
  fillPages: 0,
  deltaPages: 0,
  rawPages: 0,
  unchangedPages: 0,
  skippedPages: 0,
  deltaBytes: 0,
});

/** A batch whose page area lies in `buffer`, not yet packed. */
export interface Batch {
  readonly buffer: Uint8Array;
  readonly rawPages: number;
  readonly counts: SentCounts;
  /** Runs and small area, behind the page area in the message. */
  readonly tail: Uint8Array;
  readonly runs: number;
  readonly smallBytes: number;
  readonly round: number;
}

/** Where the page area of a message begins. */
export const PAGE_AREA = FRAME.size + PAGES.size;

/** Pages looked at before deltas are judged, and the share of them that must have paid. */
const JUDGED_PAGES = 64;
const WORTH_A_BASE = 0.1;
/** Judgement fades after so many, so that a guest that changes its ways is noticed. */
const FADE_PAGES = 2048;
/** One page in so many is compared although it does not seem to pay. */
const SAMPLE = 16;

export class PageEncoder {
  readonly sum: MemorySum;
  readonly cache: SentCache;
  private readonly words: Int32Array;
  /** What the target has is not zero. */
  private readonly filled: Uint8Array;
  private readonly runs = new Uint32Array(MAX_RUNS * 2);
  private readonly small: Int32Array;
  private readonly batchPages: number;
  private smallWords = 0;
  private runCount = 0;
  private deltaTried = 0;
  private deltaPaid = 0;

  constructor(ram: Uint8Array, cacheBytes: number) {
    const pageCount = ram.length / PAGE_BYTES;
    this.words = new Int32Array(ram.buffer, ram.byteOffset, ram.length / 4);
    this.sum = new MemorySum(pageCount);
    this.cache = new SentCache(pageCount, cacheBytes);
    this.filled = new Uint8Array(pageCount);
    this.batchPages = Math.min(BATCH_PAGES, pageCount);
    this.small = new Int32Array((this.batchPages * MAX_DELTA_BYTES) / 4);
  }

  /** Bytes of a buffer that any of this encoder's messages fits in, packed or not. */
  get messageBytes(): number {
    return PAGE_AREA + packedBound(this.batchPages * PAGE_BYTES) + MAX_RUNS * RUN_BYTES + this.small.byteLength;
  }

  /**
   * The next batch, its page area in `buffer` (an aligned message buffer); undefined once
   * the planner has no page left. `fresh`: what is dirty again by now; not in the last round.
   */
  next(planner: RoundPlanner, round: number, buffer: Uint8Array, fresh?: Uint8Array): Batch | undefined {
    const counts = noCounts();
    const area = new Int32Array(buffer.buffer, buffer.byteOffset + PAGE_AREA, this.batchPages * PAGE_WORDS);
    this.runCount = 0;
    this.smallWords = 0;
    let looked = 0;
    let taken = 0;
    for (; looked < MAX_NAMED_PAGES && taken < this.batchPages && this.runCount < MAX_RUNS; looked++) {
      const page = planner.take();
      if (page < 0) break;
      if (fresh && fresh[page] !== 0 && this.maySkip(page, round)) counts.skippedPages++;
      else if (this.encode(page, round, area, counts.rawPages, counts)) taken++;
    }
    if (looked === 0) return undefined;
    const smallBytes = this.smallWords * 4;
    const tail = new Uint8Array(this.runCount * RUN_BYTES + smallBytes);
    tail.set(new Uint8Array(this.runs.buffer, 0, this.runCount * RUN_BYTES));
    tail.set(new Uint8Array(this.small.buffer, 0, smallBytes), this.runCount * RUN_BYTES);
    return { buffer, rawPages: counts.rawPages, counts, tail, runs: this.runCount, smallBytes, round };
  }

  /** One that would only be the base of a delta is sent all the same, unless deltas have proved useless. */
  private maySkip(page: number, round: number): boolean {
    if (round === 0 || this.cache.capacity === 0 || this.cache.find(page) >= 0) return true;
    return this.deltasUseless;
  }

  private get deltasUseless(): boolean {
    return this.deltaTried >= JUDGED_PAGES && this.deltaPaid < this.deltaTried * WORTH_A_BASE;
  }

  /** Whether the page is compared and kept: while deltas do not pay, only a sample of pages, always the same ones. */
  private keeps(page: number, round: number): boolean {
    return round > 0 && (!this.deltasUseless || page % SAMPLE === 0);
  }

  /** False: nothing is to be sent for it, or no more than its number. */
  private encode(page: number, round: number, area: Int32Array, slot: number, counts: SentCounts): boolean {
    const at = page * PAGE_WORDS;
    const { words } = this;
    const first = words[at];
    if (first === 0 && isZeroPage(words, at)) {
      if (this.filled[page] === 0) counts.unchangedPages++;
      else this.note(page, PAGE_KIND.zero, counts);
      return false;
    }
    const to = slot * PAGE_WORDS;
    area.set(words.subarray(at, at + PAGE_WORDS), to);
    const kind = this.kindOf(page, round, area, to);
    if (kind === UNCHANGED_PAGE) {
      counts.unchangedPages++;
      return false;
    }
    if (kind === PAGE_KIND.delta) counts.deltaBytes += (this.small[this.smallWords] + 1) * 4;
    this.note(page, kind, counts);
    if (kind === PAGE_KIND.fill) this.small.set(area.subarray(to, to + FILL_WORDS), this.smallWords);
    if (kind === PAGE_KIND.fill) this.smallWords += FILL_WORDS;
    if (kind === PAGE_KIND.delta) this.smallWords += this.small[this.smallWords] + 1;
    this.sum.set(page, area, slot);
    if (this.keeps(page, round)) this.cache.put(page, round, area, to);
    else this.cache.drop(page);
    return true;
  }

  private kindOf(page: number, round: number, area: Int32Array, to: number): PageKind | typeof UNCHANGED_PAGE {
    if (area[to] === area[to + 2] && isFilledPage(area, to)) return PAGE_KIND.fill;
    const kept = this.keeps(page, round) ? this.cache.find(page) : -1;
    if (kept < 0) return PAGE_KIND.raw;
    const length = encodeDelta(this.cache.wordsOf(kept), this.cache.offsetOf(kept), area, to, this.small, this.smallWords);
    if (this.deltaTried++ >= FADE_PAGES) {
      this.deltaTried /= 2;
      this.deltaPaid /= 2;
    }
    if (length === NO_DELTA) return PAGE_KIND.raw;
    this.deltaPaid++;
    return length === UNCHANGED ? UNCHANGED_PAGE : PAGE_KIND.delta;
  }

  private note(page: number, kind: PageKind, counts: SentCounts): void {
    this.filled[page] = kind === PAGE_KIND.zero ? 0 : 1;
    if (kind === PAGE_KIND.zero) {
      this.sum.setZero(page);
      this.cache.drop(page);
    }
    counts[COUNT_OF[kind]]++;
    const last = this.runCount * 2 - 2;
    const word = last >= 0 ? this.runs[last + 1] : 0;
    const length = word & RUN_PAGES_MASK;
    if (last >= 0 && word >>> KIND_SHIFT === kind && this.runs[last] + length === page) this.runs[last + 1]++;
    else {
      this.runs[this.runCount * 2] = page;
      this.runs[this.runCount * 2 + 1] = ((kind << KIND_SHIFT) | 1) >>> 0;
      this.runCount++;
    }
  }
}

const UNCHANGED_PAGE = -1;
const COUNT_OF = ['zeroPages', 'rawPages', 'fillPages', 'deltaPages'] as const;

/** Writes header and tail round the page area that lies in `buffer`; bytes of the body. */
export function finishBatch(batch: Batch, buffer: Uint8Array, pageBytes: number, packed: boolean): number {
  const view = new DataView(buffer.buffer, buffer.byteOffset + FRAME.size, PAGES.size);
  view.setUint32(PAGES.round, batch.round, true);
  view.setUint16(PAGES.runs, batch.runs, true);
  view.setUint16(PAGES.encoding, packed ? ENCODING.lz4 : ENCODING.plain, true);
  view.setUint32(PAGES.pageBytes, pageBytes, true);
  view.setUint32(PAGES.smallBytes, batch.smallBytes, true);
  const end = PAGE_AREA + padded(pageBytes);
  buffer.fill(0, PAGE_AREA + pageBytes, end);
  buffer.set(batch.tail, end);
  return end - FRAME.size + batch.tail.length;
}
