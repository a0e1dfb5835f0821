/** Changes to single fields of a header in use. What belongs together lies in one sector, which a disk writes whole or not at all. */
import { viewOf, writeU64 } from '../bytes';
import type { ImageFile } from '../image-file';
import { At } from './header';

/** To be written at `At.refcountTableOffset`. */
export function refcountTableFields(offset: number, clusters: number): Uint8Array {
  const fields = new Uint8Array(At.snapshots - At.refcountTableOffset);
  const view = viewOf(fields);
  writeU64(view, 0, offset);
  view.setUint32(At.refcountTableClusters - At.refcountTableOffset, clusters);
  return fields;
}

export async function writeSize(file: ImageFile, bytes: number): Promise<void> {
  const field = new Uint8Array(8);
  writeU64(viewOf(field), 0, bytes);
  await file.write([field], At.size);
  await file.sync();
}

export async function writeL1Place(file: ImageFile, offset: number, entries: number): Promise<void> {
  const fields = new Uint8Array(At.refcountTableOffset - At.l1Entries);
  const view = viewOf(fields);
  view.setUint32(0, entries);
  writeU64(view, At.l1Offset - At.l1Entries, offset);
  await file.write([fields], At.l1Entries);
  await file.sync();
}

/** A writer that knows none of the features behind these bits clears them all. */
export async function clearAutoclear(file: ImageFile): Promise<void> {
  await file.write([new Uint8Array(8)], At.autoclear);
  await file.sync();
}

/** Clears DIRTY and CORRUPT: the only incompatible features that get past `parseHeader`. */
export async function clearDamageBits(file: ImageFile): Promise<void> {
  await file.write([new Uint8Array(8)], At.incompatible);
  await file.sync();
}
