/** Writes guest RAM: page by page, zero ones left out. */
import { BatchEncoder, MAX_BATCH_BYTES } from './batch-encoder';
import type { ByteWriter } from './byte-writer';
import { crc32 } from './checksum';
import { viewOf } from './fields';
import { TRAILER, TRAILER_MAGIC } from './layout';
import { BATCH_PAGES, PAGE_BYTES } from './limits';
import type { PageRun } from './page-run';

export interface MemorySource {
  /** All of guest RAM; a multiple of 4 KiB, not changed until the state is written. */
  readonly bytes: Uint8Array;
  /**
   * The pages that may hold anything but zero, ascending; all if not given. Pages of a
   * fresh mapping that were never touched need not be read then, which would fill them in.
   */
  readonly populated?: readonly PageRun[];
}

export interface MemoryReport {
  /** Of RAM. */
  pages: number;
  /** Pages that hold something. */
  storedPages: number;
  /** In the file. */
  storedBytes: number;
}

/** @param progress is called now and then with the number of pages done; what it throws ends the writing */
export async function writeMemory(
  writer: ByteWriter,
  memory: MemorySource,
  progress: (pages: number) => void,
): Promise<{ report: MemoryReport; trailer: Uint8Array }> {
  const start = writer.total;
  const encoder = new BatchEncoder();
  const pageCount = memory.bytes.length / PAGE_BYTES;
  const isZero = zeroTest(memory.bytes);
  const send = async () => {
    writer.advance(encoder.encode(await writer.reserve(MAX_BATCH_BYTES)));
  };
  for (const { firstPage, pages } of memory.populated ?? [{ firstPage: 0, pages: pageCount }]) {
    for (let page = firstPage; page < firstPage + pages; page++) {
      if (page % YIELD_PAGES === 0) {
        progress(page);
        await breathe();
      }
      if (isZero(page)) continue;
      encoder.add(page, memory.bytes);
      if (encoder.full) await send();
    }
  }
  if (!encoder.empty) await send();
  const trailer = encodeTrailer(encoder);
  await writer.write(trailer);
  progress(pageCount);
  return { report: { pages: pageCount, storedPages: encoder.totalPages, storedBytes: writer.total - start }, trailer };
}

/** Zero pages cost no write to wait for: let others have the thread every few milliseconds all the same. */
const YIELD_PAGES = 64 * BATCH_PAGES;
const breathe = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A function that tells whether a page is all zero: a look at one word, mostly, else memcmp. */
function zeroTest(bytes: Uint8Array): (page: number) => boolean {
  const ram = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const zero = new Uint8Array(PAGE_BYTES);
  return (page) => {
    const from = page * PAGE_BYTES;
    return ram[from] === 0 && ram.compare(zero, 0, PAGE_BYTES, from, from + PAGE_BYTES) === 0;
  };
}

function encodeTrailer(encoder: BatchEncoder): Uint8Array {
  const bytes = new Uint8Array(TRAILER.bytes);
  const view = viewOf(bytes);
  view.setUint32(TRAILER.magic, TRAILER_MAGIC, true);
  view.setUint32(TRAILER.batches, encoder.totalBatches, true);
  view.setUint32(TRAILER.pages, encoder.totalPages, true);
  view.setUint32(TRAILER.memoryChecksum, encoder.memoryChecksum, true);
  view.setUint32(TRAILER.checksum, crc32(bytes.subarray(0, TRAILER.checksum)), true);
  return bytes;
}
