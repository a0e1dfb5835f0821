/**
 * Takes a batch of pages apart and puts it into RAM. The bytes come from a file or
 * another host: nothing in them is believed before it is checked, and what is out of
 * bounds is found before RAM is touched.
 */
import { crc32 } from './checksum';
import { damaged } from './errors';
import { viewOf } from './fields';
import { BATCH, BATCH_MAGIC, ENCODING, RUN_BYTES } from './layout';
import { BATCH_BYTES, BATCH_PAGES, PAGE_BYTES } from './limits';
import { decodeBlock } from './lz4-block';
import type { PageRun } from './page-run';

/** A batch's header, copied out of the file. */
export interface BatchHeader {
  bytes: Uint8Array;
  pages: number;
  runs: number;
  /** What follows the header: runs and data, at most 256.5 KiB. */
  bodyBytes: number;
  packed: boolean;
}

export class BatchDecoder {
  private readonly scratch = new Uint8Array(BATCH_BYTES);
  /** The lowest page that may come next. */
  private nextPage = 0;
  memoryChecksum = 0;
  totalBatches = 0;
  totalPages = 0;

  /** @param file for messages; @param pageCount of RAM */
  constructor(
    private readonly file: string,
    private readonly pageCount: number,
  ) {}

  /** @throws SnapshotError if the numbers make no batch: nothing of its body need be read. */
  header(bytes: Uint8Array): BatchHeader {
    const view = viewOf(bytes);
    const pages = view.getUint16(BATCH.pages, true);
    const runs = view.getUint16(BATCH.runs, true);
    const dataBytes = view.getUint32(BATCH.dataBytes, true);
    const encoding = view.getUint32(BATCH.encoding, true);
    const packed = encoding === ENCODING.lz4;
    const rawBytes = pages * PAGE_BYTES;
    const sound =
      view.getUint32(BATCH.magic, true) === BATCH_MAGIC &&
      (packed ? dataBytes >= 1 && dataBytes < rawBytes : encoding === ENCODING.raw && dataBytes === rawBytes) &&
      runs >= 1 &&
      runs <= pages &&
      pages <= BATCH_PAGES;
    if (!sound) throw damaged(this.file, 'its memory holds no batch of pages where one is due');
    return { bytes: bytes.slice(), pages, runs, bodyBytes: runs * RUN_BYTES + dataBytes, packed };
  }

  /**
   * Checks the body and puts its pages into `ram`, if given.
   * @param skipped is called with each stretch of pages that was left out up to here: they are zero
   */
  decode(header: BatchHeader, body: Uint8Array, ram?: Uint8Array, skipped?: (firstPage: number, endPage: number) => void): void {
    const checksum = viewOf(header.bytes).getUint32(BATCH.checksum, true);
    if (crc32(body, crc32(header.bytes.subarray(0, BATCH.checksum))) !== checksum) {
      throw damaged(this.file, `a checksum of its memory does not match (at page ${this.nextPage} or behind)`);
    }
    const runBytes = body.subarray(0, header.runs * RUN_BYTES);
    const data = body.subarray(runBytes.length);
    const runs = this.parseRuns(runBytes, header.pages);
    const inPlace = header.packed && ram !== undefined && runs.length === 1;
    const start = runs[0].firstPage * PAGE_BYTES;
    const rawBytes = header.pages * PAGE_BYTES;
    const unpacked = inPlace ? ram.subarray(start, start + rawBytes) : this.scratch.subarray(0, rawBytes);
    if (header.packed && decodeBlock(data, unpacked) !== rawBytes) {
      throw damaged(this.file, `its packed memory does not unpack (page ${runs[0].firstPage})`);
    }
    const raw = header.packed ? unpacked : data;
    this.memoryChecksum = crc32(raw, crc32(runBytes, this.memoryChecksum));
    if (ram && !inPlace) scatter(raw, runs, ram);
    for (const { firstPage, pages } of runs) {
      if (firstPage > this.nextPage) skipped?.(this.nextPage, firstPage);
      this.nextPage = firstPage + pages;
    }
    this.totalBatches++;
    this.totalPages += header.pages;
  }

  /** After the last batch: the rest is zero, too. */
  finish(skipped?: (firstPage: number, endPage: number) => void): void {
    if (this.nextPage < this.pageCount) skipped?.(this.nextPage, this.pageCount);
    this.nextPage = this.pageCount;
  }

  private parseRuns(bytes: Uint8Array, pages: number): PageRun[] {
    const view = viewOf(bytes);
    const runs: PageRun[] = [];
    let total = 0;
    let next = this.nextPage;
    for (let at = 0; at < bytes.length; at += RUN_BYTES) {
      const run = { firstPage: view.getUint32(at, true), pages: view.getUint32(at + 4, true) };
      const end = run.firstPage + run.pages;
      total += run.pages;
      if (run.firstPage < next || run.pages < 1 || total > pages || end > this.pageCount) {
        const named = `${run.pages} pages from ${run.firstPage} on`;
        throw damaged(this.file, `its memory names ${named}, where ${next} to ${this.pageCount - 1} are left`);
      }
      next = end;
      runs.push(run);
    }
    if (total !== pages) throw damaged(this.file, `a batch of its memory names ${total} pages and announces ${pages}`);
    return runs;
  }
}

function scatter(raw: Uint8Array, runs: readonly PageRun[], ram: Uint8Array): void {
  let from = 0;
  for (const { firstPage, pages } of runs) {
    const end = from + pages * PAGE_BYTES;
    ram.set(raw.subarray(from, end), firstPage * PAGE_BYTES);
    from = end;
  }
}
