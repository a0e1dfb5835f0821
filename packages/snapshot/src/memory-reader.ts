/** Reads guest RAM back, batch by batch, up to its trailer. */
import { BatchDecoder } from './batch-decoder';
import type { ByteReader } from './byte-reader';
import { crc32 } from './checksum';
import { damaged } from './errors';
import { viewOf } from './fields';
import { BATCH, TRAILER, TRAILER_MAGIC } from './layout';
import { PAGE_BYTES } from './limits';
import type { MemoryReport } from './memory-writer';

export interface MemoryTarget {
  /** All of guest RAM, in the very size that was saved. */
  readonly bytes: Uint8Array;
  /** RAM is known to be all zero: pages that were left out need not be cleared, which would fill them in. */
  readonly fresh?: boolean;
}

const WHERE = 'its memory';

/** @param target if none is given, all is checked and nothing kept */
export async function readMemory(
  reader: ByteReader,
  memoryBytes: number,
  target: MemoryTarget | undefined,
  progress: (pages: number) => void,
): Promise<{ report: MemoryReport; trailer: Uint8Array }> {
  const start = reader.total;
  const pages = memoryBytes / PAGE_BYTES;
  const decoder = new BatchDecoder(reader.name, pages);
  const ram = target?.bytes;
  const clear = (from: number, to: number) => void ram?.fill(0, from * PAGE_BYTES, to * PAGE_BYTES);
  const skipped = target?.fresh ? undefined : clear;
  for (;;) {
    // A trailer is as long as a batch's header.
    const head = await reader.take(BATCH.bytes, WHERE);
    if (viewOf(head).getUint32(TRAILER.magic, true) === TRAILER_MAGIC) {
      const trailer = head.slice();
      checkTrailer(reader.name, trailer, decoder);
      decoder.finish(skipped);
      progress(pages);
      return { report: { pages, storedPages: decoder.totalPages, storedBytes: reader.total - start }, trailer };
    }
    const header = decoder.header(head);
    decoder.decode(header, await reader.take(header.bodyBytes, WHERE), ram, skipped);
    progress(decoder.totalPages);
  }
}

function checkTrailer(file: string, trailer: Uint8Array, decoder: BatchDecoder): void {
  const view = viewOf(trailer);
  const intact = view.getUint32(TRAILER.checksum, true) === crc32(trailer.subarray(0, TRAILER.checksum));
  if (!intact) throw damaged(file, 'the checksum at the end of its memory does not match');
  if (view.getUint32(TRAILER.batches, true) !== decoder.totalBatches || view.getUint32(TRAILER.pages, true) !== decoder.totalPages) {
    throw damaged(file, `its memory holds ${decoder.totalPages} pages and not ${view.getUint32(TRAILER.pages, true)}`);
  }
  if (view.getUint32(TRAILER.memoryChecksum, true) !== decoder.memoryChecksum) {
    throw damaged(file, 'the checksum over all of its memory does not match');
  }
}
