/**
 * A new qcow2 file: header, refcount table, refcount blocks, L1 table, one
 * after the other. The header comes last, after a sync: half an image is none.
 */
import { readU64, viewOf, writeU64 } from '../bytes';
import { ImageRequestError } from '../errors';
import type { ImageFile } from '../image-file';
import { MAX_BACKING_NAME_BYTES, MAX_CLUSTER_BITS, MAX_L1_BYTES, MAX_REFCOUNT_TABLE_BYTES, MIN_CLUSTER_BITS } from '../limits';
import { writeCount } from './counts';
import { At, Extension, l1EntriesFor, QCOW2_MAGIC, V2_HEADER_BYTES, V3_HEADER_BYTES } from './header';

export interface CreateQcow2 {
  readonly bytes: number;
  readonly clusterBytes: number;
  readonly version: 2 | 3;
  readonly refcountBits: number;
  readonly backing?: { readonly name: string; readonly format: string };
}

export async function createQcow2(file: ImageFile, options: CreateQcow2): Promise<void> {
  const { clusterBytes, refcountBits } = options;
  const clusterBits = Math.log2(clusterBytes);
  const invalid = (what: string): never => {
    throw new ImageRequestError('EINVAL', `cannot make ${file.name}: ${what}`);
  };
  if (!Number.isInteger(clusterBits) || clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    invalid(`clusters are a power of two from 512 bytes to 2 MiB, not ${clusterBytes}`);
  }
  if (![1, 2, 4, 8, 16, 32, 64].includes(refcountBits) || (options.version === 2 && refcountBits !== 16))
    invalid(`refcounts of ${refcountBits} bits`);
  const l1Clusters = Math.max(1, Math.ceil((l1EntriesFor(options.bytes, clusterBytes) * 8) / clusterBytes));
  if (l1EntriesFor(options.bytes, clusterBytes) * 8 > MAX_L1_BYTES)
    invalid(`${options.bytes} bytes are too many for clusters of ${clusterBytes} bytes`);

  const perBlock = (clusterBytes * 8) / refcountBits;
  // Large enough for a disk that is written in full, with its tables; where that is too much, it grows later.
  const full = Math.ceil((options.bytes / clusterBytes) * 1.05) + 64;
  const wanted = Math.ceil((Math.ceil(full / perBlock) * 8) / clusterBytes);
  const tableClusters = Math.max(1, Math.min(wanted, Math.floor(MAX_REFCOUNT_TABLE_BYTES / clusterBytes)));
  let blocks = 1;
  while (blocks * perBlock < 1 + tableClusters + blocks + l1Clusters) blocks++;
  const used = 1 + tableClusters + blocks + l1Clusters;

  const tables = new Uint8Array((used - 1) * clusterBytes);
  const view = viewOf(tables);
  for (let i = 0; i < blocks; i++) {
    const at = (tableClusters + i) * clusterBytes;
    writeU64(view, i * 8, clusterBytes + at);
    const block = viewOf(tables.subarray(at, at + clusterBytes));
    for (let slot = 0; slot < perBlock && i * perBlock + slot < used; slot++) writeCount(block, slot, refcountBits, 1);
  }
  await file.port.truncate(0);
  await file.write([tables], clusterBytes);
  await file.sync();
  await file.write([header(options, { tableClusters, l1Offset: (1 + tableClusters + blocks) * clusterBytes }, invalid)], 0);
  await file.sync();
}

function header(options: CreateQcow2, place: { tableClusters: number; l1Offset: number }, invalid: (what: string) => never): Uint8Array {
  const { clusterBytes, version, backing } = options;
  const bytes = new Uint8Array(clusterBytes);
  const view = viewOf(bytes);
  view.setUint32(At.magic, QCOW2_MAGIC);
  view.setUint32(At.version, version);
  view.setUint32(At.clusterBits, Math.log2(clusterBytes));
  writeU64(view, At.size, options.bytes);
  view.setUint32(At.l1Entries, l1EntriesFor(options.bytes, clusterBytes));
  writeU64(view, At.l1Offset, place.l1Offset);
  writeU64(view, At.refcountTableOffset, clusterBytes);
  view.setUint32(At.refcountTableClusters, place.tableClusters);
  let at: number = V2_HEADER_BYTES;
  if (version === 3) {
    view.setUint32(At.refcountOrder, Math.log2(options.refcountBits));
    view.setUint32(At.headerLength, V3_HEADER_BYTES);
    at = V3_HEADER_BYTES;
  }
  if (!backing) return bytes;
  const format = new TextEncoder().encode(backing.format);
  const name = new TextEncoder().encode(backing.name);
  const nameAt = at + 8 + Math.ceil(format.length / 8) * 8 + 8;
  if (name.length === 0 || name.length > MAX_BACKING_NAME_BYTES || nameAt + name.length > clusterBytes)
    invalid("the backing file's name is too long");
  view.setUint32(at, Extension.backingFormat);
  view.setUint32(at + 4, format.length);
  bytes.set(format, at + 8);
  writeU64(view, At.backingOffset, nameAt);
  view.setUint32(At.backingLength, name.length);
  bytes.set(name, nameAt);
  if (readU64(view, At.backingOffset) + name.length > clusterBytes) invalid("the backing file's name is too long");
  return bytes;
}
