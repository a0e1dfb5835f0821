/**
 * A page as changes to the one that the target has: see page-layout.ts. By 32-bit
 * words, so that finding, packing and applying it run at memory speed; a counter in an
 * otherwise quiet page costs 12 bytes.
 */
import { MAX_DELTA_BYTES, PAGE_WORDS } from '../limits';

const MAX_DELTA_WORDS = MAX_DELTA_BYTES / 4;

/** What `encodeDelta` gives for a page that has changed too much, and for one that has not. */
export const NO_DELTA = -1;
export const UNCHANGED = 0;

/**
 * Writes the delta from `before` to `now` into `out` at word `to` (room: MAX_DELTA_BYTES).
 * Returns the words written, its own count among them; UNCHANGED; or NO_DELTA.
 */
export function encodeDelta(before: Int32Array, beforeAt: number, now: Int32Array, nowAt: number, out: Int32Array, to: number): number {
  const end = to + MAX_DELTA_WORDS;
  let put = to + 1;
  let done = 0;
  for (let word = 0; ; ) {
    while (word < PAGE_WORDS && before[beforeAt + word] === now[nowAt + word]) word++;
    if (word === PAGE_WORDS) break;
    const kept = word - done;
    const head = put++;
    // A single equal word between two changes is cheaper sent than skipped.
    for (; word < PAGE_WORDS; word++) {
      const same = before[beforeAt + word] === now[nowAt + word];
      if (same && (word + 1 === PAGE_WORDS || before[beforeAt + word + 1] === now[nowAt + word + 1])) break;
      if (put >= end) return NO_DELTA;
      out[put++] = now[nowAt + word];
    }
    done = word;
    out[head] = kept | ((put - head - 1) << 16);
    if (put >= end) return NO_DELTA;
  }
  if (put === to + 1) return UNCHANGED;
  out[to] = put - to - 1;
  return put - to;
}

/** Words that the delta at `at` takes, its own count among them, or 0 if it is none that `applyDelta` may be given. */
export function checkDelta(words: Int32Array, at: number, end: number): number {
  if (at >= end) return 0;
  const length = words[at];
  if (length < 1 || length > MAX_DELTA_WORDS || at + 1 + length > end) return 0;
  const stop = at + 1 + length;
  let word = 0;
  let next = at + 1;
  while (next < stop) {
    const piece = words[next];
    const count = piece >>> 16;
    word += (piece & 0xffff) + count;
    next += 1 + count;
    if (count === 0 || word > PAGE_WORDS) return 0;
  }
  return next === stop ? 1 + length : 0;
}

/** Changes the page at word `pageAt`. The delta has passed `checkDelta`. */
export function applyDelta(page: Int32Array, pageAt: number, words: Int32Array, at: number): void {
  const stop = at + 1 + words[at];
  for (let next = at + 1; next < stop; ) {
    const piece = words[next++];
    pageAt += piece & 0xffff;
    for (let left = piece >>> 16; left > 0; left--) page[pageAt++] = words[next++];
  }
}
