/**
 * Entries of L1 and L2 tables (qcow2.txt, "Cluster mapping"): 64 bits,
 * big-endian, taken here as two halves, since a double holds only 53.
 */
export const COPIED_HI = 0x8000_0000;
export const COMPRESSED_HI = 0x4000_0000;
export const ZERO_LO = 1;
const OFFSET_HI = 0x00ff_ffff;
const OFFSET_LO = 0xffff_fe00;

/** How a cluster is stored. */
export type EntryKind = 'unallocated' | 'zero' | 'data' | 'compressed';

export const isCopied = (hi: number): boolean => (hi & COPIED_HI) !== 0;

/** Offset in the file; not for compressed clusters. 0: none. */
export const hostOffset = (hi: number, lo: number): number => (hi & OFFSET_HI) * 2 ** 32 + ((lo & OFFSET_LO) >>> 0);

export function kindOf(hi: number, lo: number): EntryKind {
  if (hi & COMPRESSED_HI) return 'compressed';
  if (lo & ZERO_LO) return 'zero';
  return hostOffset(hi, lo) === 0 ? 'unallocated' : 'data';
}

/** Where a compressed cluster's data lies: any byte offset, up to the end of a 512-byte sector. */
export function compressedRange(hi: number, lo: number, clusterBits: number): { offset: number; bytes: number } {
  // Bits 0 to x-1 are the offset, x to 61 the number of further sectors, x = 62 - (cluster bits - 8).
  const x = 62 - (clusterBits - 8);
  const high = hi & 0x3fff_ffff;
  const offset = (high & (2 ** (x - 32) - 1)) * 2 ** 32 + lo;
  const further = high >>> (x - 32);
  return { offset, bytes: 512 * (further + 1) - (offset % 512) };
}

/** Clusters of the file that an entry refers to, first and last; undefined: none. */
export function hostClusters(hi: number, lo: number, clusterBits: number): { first: number; last: number } | undefined {
  const clusterBytes = 2 ** clusterBits;
  if (hi & COMPRESSED_HI) {
    const { offset, bytes } = compressedRange(hi, lo, clusterBits);
    return { first: Math.floor(offset / clusterBytes), last: Math.floor((offset + bytes - 1) / clusterBytes) };
  }
  const host = hostOffset(hi, lo);
  if (host === 0) return undefined;
  const first = Math.floor(host / clusterBytes);
  return { first, last: first };
}
