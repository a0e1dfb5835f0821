/**
 * Which pages are still to be sent, and in which order: ascending, so that neighbours
 * go together, each once. One byte a page, as the dirty log has it.
 *
 * A page that the log says is dirty again is dropped when its turn comes (`take`): the
 * log of the next round has it. Holds nothing but the map: whoever takes pages decides
 * how many he wants at a time, which is all the back-pressure there is.
 */
import type { PageRun } from './ports';

export class RoundPlanner {
  private readonly map: Uint8Array;
  private readonly wide: Int32Array;
  private left = 0;
  private cursor = 0;

  constructor(readonly pageCount: number) {
    this.map = new Uint8Array((pageCount + 3) & ~3);
    this.wide = new Int32Array(this.map.buffer);
  }

  /** Pages to be sent. */
  get pages(): number {
    return this.left;
  }

  /** Adds whole stretches; what lies outside RAM is left out. */
  addRuns(runs: readonly PageRun[]): void {
    for (const { firstPage, pages } of runs) {
      const end = Math.min(firstPage + pages, this.pageCount);
      for (let page = Math.max(0, firstPage); page < end; page++) this.add(page);
    }
    this.cursor = 0;
  }

  /** Adds what the dirty log names. Returns how many pages that is, those among them that were to be sent anyway. */
  addDirty(dirty: Uint8Array): number {
    const end = Math.min(dirty.length, this.pageCount);
    let named = 0;
    const aligned = dirty.byteOffset % 4 === 0;
    const whole = aligned ? new Int32Array(dirty.buffer, dirty.byteOffset, end >>> 2) : undefined;
    let page = 0;
    if (whole) {
      for (let word = 0; word < whole.length; word++) {
        if (whole[word] === 0) continue;
        for (page = word * 4; page < word * 4 + 4; page++) named += this.addIf(dirty, page);
      }
      page = whole.length * 4;
    }
    for (; page < end; page++) named += this.addIf(dirty, page);
    this.cursor = 0;
    return named;
  }

  /** The next page, which is thereby no longer to be sent; -1: none. */
  take(): number {
    let page = this.cursor;
    while (page < this.pageCount) {
      if ((page & 3) === 0 && this.wide[page >> 2] === 0) page += 4;
      else if (this.map[page] === 0) page++;
      else {
        this.map[page] = 0;
        this.left--;
        this.cursor = page + 1;
        return page;
      }
    }
    this.cursor = this.pageCount;
    return -1;
  }

  /** The page just taken could not be dealt with: it is to be sent, still. */
  putBack(page: number): void {
    this.add(page);
    this.cursor = Math.min(this.cursor, page);
  }

  private addIf(dirty: Uint8Array, page: number): number {
    if (dirty[page] === 0) return 0;
    this.add(page);
    return 1;
  }

  private add(page: number): void {
    if (this.map[page] !== 0) return;
    this.map[page] = 1;
    this.left++;
  }
}

/** How many bytes of a dirty map are set. */
export function countDirty(dirty: Uint8Array): number {
  let count = 0;
  for (let page = 0; page < dirty.length; page++) if (dirty[page] !== 0) count++;
  return count;
}
