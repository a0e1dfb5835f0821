/**
 * Body of a message of pages, version 1. Little-endian; every part begins at a multiple of 4.
 *
 *     0  u32  round
 *     4  u16  number of runs
 *     6  u16  encoding of the page area: 0 as it is, 1 lz4 block
 *     8  u32  bytes of the page area, without padding
 *    12  u32  bytes of the small area
 *    16       page area: whole pages, those of all raw runs in order; padded
 *             runs, 8 bytes each: u32 first page, u32 kind << 24 | pages
 *             small area: for each fill and delta run, page by page, what its kind says
 *
 * Runs ascend and do not overlap: a page is named once in a message.
 *
 *     kind    what the pages become                        in the small area, a page
 *     zero    all zero                                     nothing
 *     raw     what lies in the page area                   nothing
 *     fill    one 8-byte word, repeated                    the word
 *     delta   what the target has, with words replaced     u32: words that follow;
 *                                                          then pieces: u16 words kept, u16 words
 *                                                          replaced, the new words
 *
 * The page area comes first so that pages are copied from RAM to where they are sent
 * from, once. A delta holds new words, not differences: to apply it twice does no harm.
 */
import { PAGE_WORDS } from '../limits';

export const PAGES = { round: 0, runs: 4, encoding: 6, pageBytes: 8, smallBytes: 12, size: 16 } as const;
export const ENCODING = { plain: 0, lz4: 1 } as const;
export const PAGE_KIND = { zero: 0, raw: 1, fill: 2, delta: 3 } as const;
export type PageKind = (typeof PAGE_KIND)[keyof typeof PAGE_KIND];

export const RUN_WORDS = 2;
export const RUN_BYTES = 8;
export const FILL_WORDS = 2;
export const KIND_SHIFT = 24;
export const RUN_PAGES_MASK = (1 << KIND_SHIFT) - 1;

/** True for a page of zeros. `at`: index of its first word. */
export function isZeroPage(words: Int32Array, at: number): boolean {
  for (const end = at + PAGE_WORDS; at < end; at += 8) {
    const some = words[at] | words[at + 1] | words[at + 2] | words[at + 3];
    if ((some | words[at + 4] | words[at + 5] | words[at + 6] | words[at + 7]) !== 0) return false;
  }
  return true;
}

/** True for a page that is one 8-byte word again and again. */
export function isFilledPage(words: Int32Array, at: number): boolean {
  const even = words[at];
  const odd = words[at + 1];
  for (const end = at + PAGE_WORDS; at < end; at += 2) {
    if (words[at] !== even || words[at + 1] !== odd) return false;
  }
  return true;
}
