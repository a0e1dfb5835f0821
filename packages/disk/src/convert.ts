/** Copies what a disk shows, with all that lies behind it, into another image: flattens linked clones, changes formats. */
import { isZero } from './bytes';
import type { DiskImage } from './disk-image';
import { ImageRequestError } from './errors';
import { COPY_CHUNK_BYTES } from './limits';

/** Zeroes are looked for in this unit: a block of most file systems. */
const ZERO_UNIT_BYTES = 4096;

export interface ConvertOptions {
  /** Called now and then with the bytes done so far. */
  readonly progress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * `target` must be newly made, without an image behind it, and at least as
 * large: what is zero in `source` is left out. Flushed on return.
 */
export async function convertImage(source: DiskImage, target: DiskImage, options: ConvertOptions = {}): Promise<void> {
  if (target.bytes < source.bytes) {
    throw new ImageRequestError('EINVAL', `${target.name} is smaller than ${source.name}: make it ${source.bytes} bytes or more`);
  }
  const chunk = new Uint8Array(COPY_CHUNK_BYTES);
  for (let at = 0; at < source.bytes; ) {
    options.signal?.throwIfAborted();
    const extent = await source.extent(at);
    const length = extent.zero ? extent.length : Math.min(extent.length, chunk.length);
    if (!extent.zero) await copy(source, target, at, chunk.subarray(0, length));
    at += length;
    options.progress?.(at);
  }
  await target.flush();
}

async function copy(source: DiskImage, target: DiskImage, offset: number, chunk: Uint8Array): Promise<void> {
  await source.read(offset, [chunk]);
  for (let from = 0; from < chunk.length; ) {
    const zero = unitIsZero(chunk, from);
    let to = from + ZERO_UNIT_BYTES;
    while (to < chunk.length && unitIsZero(chunk, to) === zero) to += ZERO_UNIT_BYTES;
    to = Math.min(to, chunk.length);
    if (!zero) await target.write(offset + from, [chunk.subarray(from, to)]);
    from = to;
  }
}

const unitIsZero = (chunk: Uint8Array, at: number): boolean => isZero(chunk.subarray(at, at + ZERO_UNIT_BYTES));
