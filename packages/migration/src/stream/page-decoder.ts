/**
 * Bodies of messages → RAM. Another host wrote them: every number is checked, and what is
 * out of bounds is found before RAM is touched. Work for a message is bounded by its
 * size and MAX_NAMED_PAGES, memory by two batches.
 */
import { StreamError } from '../errors';
import { BATCH_BYTES, BATCH_PAGES, MAX_NAMED_PAGES, MAX_RUNS, PAGE_BYTES, PAGE_WORDS } from '../limits';
import type { CodecPort } from '../ports';
import { applyDelta, checkDelta } from './delta';
import { padded } from './frame';
import { ENCODING, FILL_WORDS, KIND_SHIFT, PAGE_KIND, PAGES, RUN_BYTES, RUN_PAGES_MASK } from './page-layout';
import { MemorySum } from './page-sum';
import { type PageWork, plainPageWork } from './page-work';

/** The parts of a body, checked. */
interface Parts {
  readonly round: number;
  readonly pages: Uint8Array;
  readonly runs: Uint32Array;
  readonly small: Int32Array;
}

export class PageDecoder {
  readonly sum: MemorySum;
  /** Pages taken over, and messages of them. */
  pages = 0;
  messages = 0;
  private readonly pageCount: number;
  private readonly words: Int32Array;
  private readonly filled: Uint8Array;
  private readonly sums = new Uint32Array(BATCH_PAGES * 2);
  private unpacked: Uint8Array | undefined;

  constructor(
    private readonly ram: Uint8Array,
    private readonly codec: CodecPort,
    private readonly beforeWrite: (firstPage: number, pages: number) => void = () => {},
    private readonly work: PageWork = plainPageWork,
  ) {
    this.pageCount = ram.length / PAGE_BYTES;
    this.words = new Int32Array(ram.buffer, ram.byteOffset, ram.length / 4);
    this.sum = new MemorySum(this.pageCount);
    this.filled = new Uint8Array(this.pageCount);
  }

  /** Puts the pages into RAM; the round they belong to. @param body at a multiple of 4 @throws StreamError, RAM untouched */
  decode(body: Uint8Array): number {
    const parts = this.parse(body);
    this.apply(parts);
    this.messages++;
    return parts.round;
  }

  private parse(body: Uint8Array): Parts {
    if (body.length < PAGES.size) throw outOfBounds('it ends in its header');
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const runCount = view.getUint16(PAGES.runs, true);
    const encoding = view.getUint16(PAGES.encoding, true);
    const pageBytes = view.getUint32(PAGES.pageBytes, true);
    const smallBytes = view.getUint32(PAGES.smallBytes, true);
    const runsAt = PAGES.size + padded(Math.min(pageBytes, BATCH_BYTES));
    const smallAt = runsAt + runCount * RUN_BYTES;
    const sound = pageBytes <= BATCH_BYTES && runCount <= MAX_RUNS && smallBytes % 4 === 0 && encoding <= ENCODING.lz4;
    if (!sound || smallAt + smallBytes !== body.length) throw outOfBounds('its parts do not fit its length');
    const runs = new Uint32Array(body.buffer, body.byteOffset + runsAt, runCount * 2);
    const small = new Int32Array(body.buffer, body.byteOffset + smallAt, smallBytes / 4);
    const rawPages = this.checkRuns(runs, small);
    const area = body.subarray(PAGES.size, PAGES.size + pageBytes);
    return { round: view.getUint32(PAGES.round, true), pages: this.unpack(area, encoding, rawPages), runs, small };
  }

  /** Checks runs and small area against each other and RAM; the number of raw pages. */
  private checkRuns(runs: Uint32Array, small: Int32Array): number {
    let next = 0;
    let named = 0;
    let raw = 0;
    let at = 0;
    for (let run = 0; run < runs.length; run += 2) {
      const firstPage = runs[run];
      const kind = runs[run + 1] >>> KIND_SHIFT;
      const pages = runs[run + 1] & RUN_PAGES_MASK;
      named += pages;
      if (firstPage < next || pages < 1 || named > MAX_NAMED_PAGES || firstPage + pages > this.pageCount) {
        throw outOfBounds(`it names ${pages} pages from ${firstPage} on, where ${next} to ${this.pageCount - 1} may come`);
      }
      next = firstPage + pages;
      if (kind === PAGE_KIND.raw) raw += pages;
      else if (kind === PAGE_KIND.fill) at += pages * FILL_WORDS;
      else if (kind === PAGE_KIND.delta) at = endOfDeltas(small, at, pages, firstPage);
      else if (kind !== PAGE_KIND.zero) throw outOfBounds(`its pages from ${firstPage} on are of unknown kind ${kind}`);
      if (raw > BATCH_PAGES || at > small.length) throw outOfBounds(`the data of its pages from ${firstPage} on is not there`);
    }
    if (at !== small.length) throw outOfBounds('it holds more data than its pages take');
    return raw;
  }

  private unpack(area: Uint8Array, encoding: number, rawPages: number): Uint8Array {
    const rawBytes = rawPages * PAGE_BYTES;
    if (encoding === ENCODING.plain) {
      if (area.length !== rawBytes) throw outOfBounds(`it holds ${area.length} bytes for ${rawPages} pages`);
      return area;
    }
    this.unpacked ??= new Uint8Array(BATCH_BYTES);
    const out = this.unpacked.subarray(0, rawBytes);
    if (rawBytes === 0 || this.codec.uncompress(area, out) !== rawBytes) {
      throw new StreamError(
        'packing',
        `message ${this.messages} of pages is damaged: its packed data does not unpack to ${rawPages} pages`,
      );
    }
    return out;
  }

  private apply({ pages: area, runs, small }: Parts): void {
    let slot = 0;
    let at = 0;
    for (let run = 0; run < runs.length; run += 2) {
      const firstPage = runs[run];
      const kind = runs[run + 1] >>> KIND_SHIFT;
      const end = firstPage + (runs[run + 1] & RUN_PAGES_MASK);
      this.beforeWrite(firstPage, end - firstPage);
      this.pages += end - firstPage;
      if (kind === PAGE_KIND.zero) {
        for (let page = firstPage; page < end; page++) this.clear(page);
        continue;
      }
      if (kind === PAGE_KIND.raw) {
        this.put(area, slot, firstPage, end - firstPage);
        slot += end - firstPage;
        continue;
      }
      for (let page = firstPage; page < end; page++) {
        if (kind === PAGE_KIND.fill) at = this.fill(page, small, at);
        else if (kind === PAGE_KIND.delta) {
          applyDelta(this.words, page * PAGE_WORDS, small, at);
          at += small[at] + 1;
        }
        this.filled[page] = 1;
        this.sum.set(page, this.words, page);
      }
    }
  }

  /** Pages as they are. */
  private put(area: Uint8Array, slot: number, firstPage: number, pages: number): void {
    const fresh = this.filled[firstPage] === 0 && this.filled[firstPage + pages - 1] === 0;
    this.work.scatter(area, slot, this.words, firstPage, pages, fresh, this.sums);
    for (let i = 0; i < pages; i++) this.sum.put(firstPage + i, this.sums[2 * i], this.sums[2 * i + 1]);
    this.filled.fill(1, firstPage, firstPage + pages);
  }

  /** A page that is zero already costs nothing, so a small message cannot make much work. */
  private clear(page: number): void {
    if (this.filled[page] === 0) return;
    this.filled[page] = 0;
    this.ram.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    this.sum.setZero(page);
  }

  private fill(page: number, small: Int32Array, at: number): number {
    const end = (page + 1) * PAGE_WORDS;
    for (let word = page * PAGE_WORDS; word < end; word += FILL_WORDS) {
      this.words[word] = small[at];
      this.words[word + 1] = small[at + 1];
    }
    return at + FILL_WORDS;
  }
}

function endOfDeltas(small: Int32Array, at: number, pages: number, firstPage: number): number {
  for (let page = 0; page < pages; page++) {
    const words = checkDelta(small, at, small.length);
    if (words === 0) throw outOfBounds(`the change of its page ${firstPage + page} does not fit a page`);
    at += words;
  }
  return at;
}

const outOfBounds = (what: string) => new StreamError('bounds', `a message of pages is damaged: ${what}`);
