/** Finds pages that changed without the dirty log's knowledge: RAM against what was sent. Reads all of RAM. */
import { PAGE_BYTES, PAGE_WORDS } from './limits';
import { isZeroPage } from './stream/page-layout';
import type { MemorySum } from './stream/page-sum';

const NAMED = 8;

/** With the VM standing and every page sent. @throws Error naming the first pages that differ */
export function audit(ram: Uint8Array, sum: MemorySum): void {
  const words = new Int32Array(ram.buffer, ram.byteOffset, ram.length / 4);
  const lost: number[] = [];
  for (let page = 0; page < ram.length / PAGE_BYTES; page++) {
    if (!sum.matches(page, words, page, isZeroPage(words, page * PAGE_WORDS))) lost.push(page);
  }
  if (lost.length === 0) return;
  const named = lost.slice(0, NAMED).join(', ') + (lost.length > NAMED ? ', …' : '');
  throw new Error(`the dirty log lost ${lost.length} pages (${named}): what was sent of them is not what is in RAM`);
}
