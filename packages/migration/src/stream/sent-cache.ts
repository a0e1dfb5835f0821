/**
 * Copies of pages as they were sent, to make deltas against: bounded, and filled only
 * from round 1 on, with pages that have proved to be written again and again.
 *
 * When it is full, a page not sent for two rounds gives way; if there is none, the new
 * one is not kept. So a working set larger than the cache still finds the part of it
 * that is there, where a cache by age would have thrown out each page just before its turn.
 */
import { PAGE_BYTES, PAGE_WORDS } from '../limits';

const CHUNK_SHIFT = 8;
const CHUNK_PAGES = 1 << CHUNK_SHIFT;
/** Slots looked at for one that may go. */
const SEARCH = 32;

export class SentCache {
  readonly capacity: number;
  private readonly chunks: Int32Array[] = [];
  /** Slot + 1 for each page; 0: none. */
  private readonly slots: Int32Array;
  private readonly owners: Int32Array;
  private readonly rounds: Int32Array;
  private used = 0;
  private hand = 0;

  constructor(pageCount: number, bytes: number) {
    this.capacity = Math.min(pageCount, Math.floor(bytes / PAGE_BYTES));
    this.slots = new Int32Array(pageCount);
    this.owners = new Int32Array(this.capacity);
    this.rounds = new Int32Array(this.capacity);
  }

  get pages(): number {
    return this.used;
  }

  /** Where the page lies, or -1. */
  find(page: number): number {
    return this.slots[page] - 1;
  }

  wordsOf(slot: number): Int32Array {
    return this.chunks[slot >> CHUNK_SHIFT];
  }

  offsetOf(slot: number): number {
    return (slot & (CHUNK_PAGES - 1)) * PAGE_WORDS;
  }

  /** Keeps the page as it lies in `words` at `at`, if there is room. */
  put(page: number, round: number, words: Int32Array, at: number): void {
    let slot = this.find(page);
    if (slot < 0) slot = this.free(page, round);
    if (slot < 0) return;
    this.rounds[slot] = round;
    this.wordsOf(slot).set(words.subarray(at, at + PAGE_WORDS), this.offsetOf(slot));
  }

  /** The target no longer has it in this form. */
  drop(page: number): void {
    const slot = this.find(page);

    if (slot >= 0) {
      this.slots[page] = 0;
      this.owners[slot] = -1;
      this.rounds[slot] = -2;
    }
  }

  private free(page: number, round: number): number {
    const slot = this.used < this.capacity ? this.used++ : this.evict(round);
    if (slot < 0) return -1;
    if (slot >> CHUNK_SHIFT >= this.chunks.length) {
      const pages = Math.min(CHUNK_PAGES, this.capacity - this.chunks.length * CHUNK_PAGES);
      this.chunks.push(new Int32Array(pages * PAGE_WORDS));
    }
    this.slots[page] = slot + 1;
    this.owners[slot] = page;
    return slot;
  }

  private evict(round: number): number {
    for (let tries = Math.min(SEARCH, this.capacity); tries > 0; tries--) {
      const slot = this.hand;
      this.hand = slot + 1 === this.capacity ? 0 : slot + 1;
      if (this.rounds[slot] >= round - 1) continue;
      if (this.owners[slot] >= 0) this.slots[this.owners[slot]] = 0;
      return slot;
    }
    return -1;
  }
}
