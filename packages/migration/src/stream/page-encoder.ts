/**
 * Pages → bodies of messages. Takes pages from the planner until a batch is full, finds
 * for each the cheapest form, and keeps what the target then has (sum, cache for deltas).
 *
 * RAM is live: a page may change while it is read. What is sent of a page, summed and kept
 * is one copy of it. If the guest wrote meanwhile, the page is in the next round's log, and
 * that round sends it again.
 */
import { BATCH_PAGES, MAX_DELTA_BYTES, MAX_NAMED_PAGES, MAX_RUNS, PAGE_BYTES, PAGE_WORDS } from '../limits';
import { packedBound } from '../ports';
import type { RoundPlanner } from '../round-planner';
import { encodeDelta, NO_DELTA, UNCHANGED } from './delta';
import { FRAME, padded } from './frame';
import {
  ENCODING,
  FILL_WORDS,
  KIND_SHIFT,
  PAGE_KIND,
  type PageKind,
  PAGES,
  RUN_BYTES,
  RUN_PAGES_MASK,
} from './page-layout';
import { MemorySum } from './page-sum';
import { FOUND_WORDS, type PageWork, plainPageWork } from './page-work';
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
  private readonly list = new Uint32Array(BATCH_PAGES);
  private readonly found = new Uint32Array(BATCH_PAGES * FOUND_WORDS);
  private smallWords = 0;
  private runCount = 0;
  private deltaTried = 0;
  private deltaPaid = 0;

  constructor(
    ram: Uint8Array,
    cacheBytes: number,
    private readonly work: PageWork = plainPageWork,
  ) {
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
    while (planner.pages > 0) {
      // Each page may take a place in the area and begin a run.
      const room = Math.min(this.batchPages - taken, MAX_RUNS - this.runCount, MAX_NAMED_PAGES - looked);
      if (room <= 0) break;
      const skippedBefore = counts.skippedPages;
      const found = this.collect(planner, room, round, fresh, counts);
      looked += found + counts.skippedPages - skippedBefore;
      taken += this.encode(found, round, area, counts);
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

  /** Takes up to `room` pages that are to be looked at, into `list`; how many. */
  private collect(planner: RoundPlanner, room: number, round: number, fresh: Uint8Array | undefined, counts: SentCounts): number {
    let found = 0;
    while (found < room) {
      const page = planner.take();
      if (page < 0) break;
      if (fresh && fresh[page] !== 0 && this.maySkip(page, round)) counts.skippedPages++;
      else this.list[found++] = page;
    }
    return found;
  }

  /** The pages in `list`; of how many more than their number is to be sent. */
  private encode(pages: number, round: number, area: Int32Array, counts: SentCounts): number {
    let taken = 0;
    let slot = counts.rawPages;
    const { list, found } = this;
    this.work.gather(this.words, list, pages, area, slot, found);
    for (let i = 0, at = 0; i < pages; i++, at += FOUND_WORDS) {
      const page = list[i];
      const kind = found[at];
      if (kind === PAGE_KIND.zero) {
        if (this.filled[page] === 0) counts.unchangedPages++;
        else this.note(page, PAGE_KIND.zero, counts);
        continue;
      }
      if (kind === PAGE_KIND.fill) {
        this.note(page, PAGE_KIND.fill, counts);
        this.small[this.smallWords++] = found[at + 3];
        this.small[this.smallWords++] = found[at + 4];
        this.cache.drop(page);
      } else if (!this.encodeWhole(page, round, area, slot++, counts)) continue;
      this.sum.put(page, found[at + 1], found[at + 2]);
      taken++;
    }
    return taken;
  }

  /** A page that lies in the area at `slot`: as it is, or as a delta. False: the target has it already. */
  private encodeWhole(page: number, round: number, area: Int32Array, slot: number, counts: SentCounts): boolean {
    const at = slot * PAGE_WORDS;
    const keeps = this.keeps(page, round);
    const kept = keeps ? this.cache.find(page) : -1;
    const words = kept < 0 ? NO_DELTA : this.delta(kept, area, at);
    if (words === UNCHANGED) {
      counts.unchangedPages++;
      return false;
    }
    if (keeps) this.cache.put(page, round, area, at);
    else this.cache.drop(page);
    if (words === NO_DELTA) {
      // Those before it that were sent in another form leave gaps.
      if (slot !== counts.rawPages) area.copyWithin(counts.rawPages * PAGE_WORDS, at, at + PAGE_WORDS);
      this.note(page, PAGE_KIND.raw, counts);
      return true;
    }
    this.note(page, PAGE_KIND.delta, counts);
    counts.deltaBytes += words * 4;
    this.smallWords += words;
    return true;
  }

  private delta(kept: number, area: Int32Array, at: number): number {
    const words = encodeDelta(this.cache.wordsOf(kept), this.cache.offsetOf(kept), area, at, this.small, this.smallWords);
    if (this.deltaTried++ >= FADE_PAGES) {
      this.deltaTried /= 2;
      this.deltaPaid /= 2;
    }
    if (words !== NO_DELTA) this.deltaPaid++;
    return words;
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
