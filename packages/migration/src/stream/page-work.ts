/**
 * What is done to every byte that moves: look, copy, sum. The one part of a migration
 * that a processor feels, so a host may do it natively (packages/metal/native/pages.cc);
 * here it is in plain JavaScript, which is what it means.
 */
import { PAGE_BYTES, PAGE_WORDS } from '../limits';
import { isFilledPage, PAGE_KIND } from './page-layout';
import { pageSeed, type Sum, sumWords } from './page-sum';

/** Words that `gather` gives for a page: kind (zero, raw, fill), sum (low, high), the two words it is filled with. */
export const FOUND_WORDS = 5;

export interface PageWork {
  /** Sum of `count` words from word `from` on, as page-sum.ts has it; two words into `out`. */
  sumWords(words: Int32Array, from: number, count: number, seed: number, out: Uint32Array): void;
  /**
   * Looks at pages of RAM by number; FOUND_WORDS each into `found`. Raw ones are copied to `area`, one behind the other
   * from its page `slot` on; how many. The guest writes meanwhile: what is summed is what was copied.
   */
  gather(ram: Int32Array, pages: Uint32Array, count: number, area: Int32Array, slot: number, found: Uint32Array): number;
  /** Copies pages of `area`, from its page `slot` on, into RAM from page `first` on; two words of sum each. `fresh`: most were never written. */
  scatter(area: Uint8Array, slot: number, ram: Int32Array, first: number, count: number, fresh: boolean, sums: Uint32Array): void;
}

const scratch: Sum = { low: 0, high: 0 };
const copy = new Int32Array(PAGE_WORDS);

export const plainPageWork: PageWork = {
  sumWords: (words, from, count, seed, out) => {
    sumWords(words, from, count, seed, scratch);
    out[0] = scratch.low;
    out[1] = scratch.high;
  },
  gather: (ram, pages, count, area, slot, found) => {
    let next = slot;
    for (let i = 0; i < count; i++) {
      const page = pages[i];
      copy.set(ram.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS));
      const filled = copy[0] === copy[2] && isFilledPage(copy, 0);
      const kind = !filled ? PAGE_KIND.raw : (copy[0] | copy[1]) === 0 ? PAGE_KIND.zero : PAGE_KIND.fill;
      if (kind === PAGE_KIND.raw) area.set(copy, next++ * PAGE_WORDS);
      if (kind === PAGE_KIND.zero) scratch.low = scratch.high = 0;
      else sumWords(copy, 0, PAGE_WORDS, pageSeed(page), scratch);
      found.set([kind, scratch.low, scratch.high, copy[0], copy[1]], i * FOUND_WORDS);
    }
    return next - slot;
  },
  scatter: (area, slot, ram, first, count, _fresh, sums) => {
    const words = new Int32Array(area.buffer, area.byteOffset + slot * PAGE_BYTES, count * PAGE_WORDS);
    ram.set(words, first * PAGE_WORDS);
    for (let i = 0; i < count; i++) {
      sumWords(words, i * PAGE_WORDS, PAGE_WORDS, pageSeed(first + i), scratch);
      sums[2 * i] = scratch.low;
      sums[2 * i + 1] = scratch.high;
    }
  },
};
