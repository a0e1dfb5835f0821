/**
 * One batch of guest pages on its way to a file or another host: up to 64 pages, as
 * runs, packed when that pays.
 *
 * Pages are copied together first, so that what is packed and summed is one state of
 * them, even if somebody were still writing to RAM.
 */
import { crc32 } from './checksum';
import { viewOf } from './fields';
import { BATCH, BATCH_MAGIC, ENCODING, RUN_BYTES } from './layout';
import { BATCH_BYTES, BATCH_PAGES, PAGE_BYTES, WORTH_COMPRESSING } from './limits';
import { encodeBlock, encodeBound } from './lz4-block';
import type { PageRun } from './page-run';

/** Room that `encode` wants: a packed batch may come out a little larger, and is then not used. */
export const MAX_BATCH_BYTES = BATCH.bytes + BATCH_PAGES * RUN_BYTES + encodeBound(BATCH_BYTES);

export class BatchEncoder {
  private readonly data = new Uint8Array(BATCH_BYTES);
  private readonly runs: PageRun[] = [];
  private pages = 0;
  /** CRC-32 over the runs and pages of all batches: what the trailer holds. */
  memoryChecksum = 0;
  totalBatches = 0;
  totalPages = 0;

  get full(): boolean {
    return this.pages === BATCH_PAGES;
  }

  get empty(): boolean {
    return this.pages === 0;
  }

  /** Copies a page in. Pages come in ascending order, at most 64 before `encode`. */
  add(page: number, ram: Uint8Array): void {
    const from = page * PAGE_BYTES;
    this.data.set(ram.subarray(from, from + PAGE_BYTES), this.pages * PAGE_BYTES);
    this.pages++;
    const last = this.runs.at(-1);
    if (last && last.firstPage + last.pages === page) last.pages++;
    else this.runs.push({ firstPage: page, pages: 1 });
  }

  /** Writes the batch into `out`, of MAX_BATCH_BYTES or more, and begins the next one. Returns its size in bytes. */
  encode(out: Uint8Array): number {
    const raw = this.data.subarray(0, this.pages * PAGE_BYTES);
    const runBytes = this.runs.length * RUN_BYTES;
    const view = viewOf(out);
    for (const [index, run] of this.runs.entries()) {
      view.setUint32(BATCH.bytes + index * RUN_BYTES, run.firstPage, true);
      view.setUint32(BATCH.bytes + index * RUN_BYTES + 4, run.pages, true);
    }
    const body = out.subarray(BATCH.bytes);
    const room = body.subarray(runBytes);
    this.memoryChecksum = crc32(raw, crc32(body.subarray(0, runBytes), this.memoryChecksum));
    let dataBytes = encodeBlock(raw, room);
    const packed = dataBytes > 0 && dataBytes <= raw.length * WORTH_COMPRESSING;
    if (!packed) {
      room.set(raw);
      dataBytes = raw.length;
    }
    view.setUint32(BATCH.magic, BATCH_MAGIC, true);
    view.setUint16(BATCH.pages, this.pages, true);
    view.setUint16(BATCH.runs, this.runs.length, true);
    view.setUint32(BATCH.dataBytes, dataBytes, true);
    view.setUint32(BATCH.encoding, packed ? ENCODING.lz4 : ENCODING.raw, true);
    const bodyBytes = runBytes + dataBytes;
    view.setUint32(BATCH.checksum, crc32(body.subarray(0, bodyBytes), crc32(out.subarray(0, BATCH.checksum))), true);
    this.totalBatches++;
    this.totalPages += this.pages;
    this.pages = 0;
    this.runs.length = 0;
    return BATCH.bytes + bodyBytes;
  }
}
