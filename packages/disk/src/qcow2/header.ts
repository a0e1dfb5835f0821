/**
 * The qcow2 header (QEMU's docs/interop/qcow2.txt, "Header"): read from bytes
 * that anybody may have made, so every field is checked before it is used.
 * The header is never rewritten as a whole: changes touch single fields, and
 * extensions that are not known here stay as they are.
 */
import { readU64, viewOf } from '../bytes';
import { ImageFormatError } from '../errors';
import {
  MAX_BACKING_NAME_BYTES,
  MAX_CLUSTER_BITS,
  MAX_DISK_BYTES,
  MAX_L1_BYTES,
  MAX_REFCOUNT_TABLE_BYTES,
  MIN_CLUSTER_BITS,
  SECTOR_BYTES,
} from '../limits';

export const QCOW2_MAGIC = 0x514649fb;

/** Where the fields lie, bytes from the start of the file. */
export const At = {
  magic: 0,
  version: 4,
  backingOffset: 8,
  backingLength: 16,
  clusterBits: 20,
  size: 24,
  encryption: 32,
  l1Entries: 36,
  l1Offset: 40,
  refcountTableOffset: 48,
  refcountTableClusters: 56,
  snapshots: 60,
  snapshotsOffset: 64,
  incompatible: 72,
  compatible: 80,
  autoclear: 88,
  refcountOrder: 96,
  headerLength: 100,
  compression: 104,
} as const;

export const V2_HEADER_BYTES = 72;
export const V3_HEADER_BYTES = 104;

export const DIRTY = 1;
export const CORRUPT = 2;
/** Autoclear bit 0: the bitmaps extension is up to date. */
export const BITMAPS_VALID = 1;

/** Types of header extensions. */
export const Extension = { end: 0, backingFormat: 0xe2792aca, featureNames: 0x6803f857, bitmaps: 0x23852875 } as const;

/** Incompatible features that are known and not supported, by bit. */
const UNSUPPORTED: Record<number, string> = {
  2: 'an external data file',
  3: 'a compression type other than deflate (zstd)',
  4: 'extended L2 entries (subclusters)',
};

export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  readonly clusterBytes: number;
  /** Size of the virtual disk. */
  readonly bytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly refcountBits: number;
  readonly snapshots: number;
  readonly dirty: boolean;
  readonly corrupt: boolean;
  /** Any autoclear bit set: the extensions behind them are void once somebody writes who does not know them. */
  readonly autoclear: boolean;
  readonly hasBitmaps: boolean;
  readonly backing?: { readonly name: string; readonly format?: string };
}

export const isQcow2 = (bytes: Uint8Array): boolean => bytes.length >= 4 && viewOf(bytes).getUint32(0) === QCOW2_MAGIC;

/** Cluster size, from the first 512 bytes: so much of the file must be read for `parseHeader`. */
export function clusterBytesOf(bytes: Uint8Array, file: string): number {
  if (!isQcow2(bytes) || bytes.length < V2_HEADER_BYTES) throw new ImageFormatError(`${file} is not a qcow2 image: is it raw?`);
  const bits = viewOf(bytes).getUint32(At.clusterBits);
  if (bits < MIN_CLUSTER_BITS || bits > MAX_CLUSTER_BITS) damaged(file, `clusters of 2^${bits} bytes`);
  return 2 ** bits;
}

/** @param bytes the file's first cluster, or all of a shorter file */
export function parseHeader(bytes: Uint8Array, file: string): Qcow2Header {
  const clusterBytes = clusterBytesOf(bytes, file);
  const view = viewOf(bytes);
  const version = view.getUint32(At.version);
  if (version !== 2 && version !== 3) throw new ImageFormatError(`${file} is qcow2 of version ${version}; versions 2 and 3 can be used`);
  const v3 = version === 3;
  if (v3 && bytes.length < V3_HEADER_BYTES) damaged(file, 'its header is cut off');
  const headerLength = v3 ? view.getUint32(At.headerLength) : V2_HEADER_BYTES;
  if (headerLength < (v3 ? V3_HEADER_BYTES : 0) || headerLength > bytes.length || headerLength % 8 !== 0)
    damaged(file, `a header of ${headerLength} bytes`);
  if (view.getUint32(At.encryption) !== 0)
    throw new ImageFormatError(`${file} is encrypted, which is not supported: decrypt it with qemu-img convert`);

  const extensions = parseExtensions(bytes, headerLength, file);
  const incompatible = v3 ? checkFeatures(view, extensions, file) : 0;
  if (headerLength > At.compression && bytes[At.compression] !== 0) unsupported(file, UNSUPPORTED[3]);
  const header = {
    version: version as 2 | 3,
    clusterBits: view.getUint32(At.clusterBits),
    clusterBytes,
    bytes: readU64(view, At.size),
    l1Entries: view.getUint32(At.l1Entries),
    l1Offset: readU64(view, At.l1Offset),
    refcountTableOffset: readU64(view, At.refcountTableOffset),
    refcountTableClusters: view.getUint32(At.refcountTableClusters),
    refcountBits: v3 ? refcountBits(view, file) : 16,
    snapshots: view.getUint32(At.snapshots),
    dirty: (incompatible & DIRTY) !== 0,
    corrupt: (incompatible & CORRUPT) !== 0,
    autoclear: v3 && readU64(view, At.autoclear) !== 0,
    hasBitmaps: extensions.has(Extension.bitmaps) && v3 && (view.getUint32(At.autoclear + 4) & BITMAPS_VALID) !== 0,
    backing: backingOf(bytes, view, extensions, file),
  };
  checkSizes(header, file);
  return header;
}

function checkSizes(header: Qcow2Header, file: string): void {
  const { bytes, clusterBytes, l1Entries, l1Offset, refcountTableOffset, refcountTableClusters } = header;
  if (bytes % SECTOR_BYTES !== 0 || bytes > MAX_DISK_BYTES) damaged(file, `a disk of ${bytes} bytes`);
  if (l1Entries * 8 > MAX_L1_BYTES) damaged(file, `an L1 table of ${l1Entries} entries`);
  if (l1Entries < l1EntriesFor(bytes, clusterBytes)) damaged(file, `an L1 table of ${l1Entries} entries, too few for ${bytes} bytes`);
  if (l1Entries > 0) checkOffset(l1Offset, clusterBytes, 'L1 table', file);
  checkOffset(refcountTableOffset, clusterBytes, 'refcount table', file);
  if (refcountTableClusters === 0 || refcountTableClusters * clusterBytes > Math.max(MAX_REFCOUNT_TABLE_BYTES, clusterBytes)) {
    damaged(file, `a refcount table of ${refcountTableClusters} clusters`);
  }
}

/** An L2 table is one cluster of 8-byte entries, each for one cluster. */
export const l1EntriesFor = (bytes: number, clusterBytes: number): number => Math.ceil(bytes / (clusterBytes * (clusterBytes / 8)));

function checkOffset(offset: number, clusterBytes: number, what: string, file: string): void {
  if (offset === 0 || offset % clusterBytes !== 0 || offset > MAX_DISK_BYTES) damaged(file, `its ${what} at ${offset}`);
}

function refcountBits(view: DataView, file: string): number {
  const order = view.getUint32(At.refcountOrder);
  if (order > 6) damaged(file, `refcounts of 2^${order} bits`);
  return 2 ** order;
}

function checkFeatures(view: DataView, extensions: Map<number, Uint8Array>, file: string): number {
  const high = view.getUint32(At.incompatible);
  const low = view.getUint32(At.incompatible + 4);
  for (let bit = 0; bit < 64; bit++) {
    const set = ((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) !== 0;
    if (set && bit > 1) unsupported(file, UNSUPPORTED[bit] ?? featureName(extensions, bit) ?? `the unknown feature ${bit}`);
  }
  return low;
}

/** The image's own table of names: 48 bytes for each: type (0: incompatible), bit, name padded with zeroes. */
function featureName(extensions: Map<number, Uint8Array>, bit: number): string | undefined {
  const names = extensions.get(Extension.featureNames);
  for (let at = 0; names && at + 48 <= names.length; at += 48) {
    if (names[at] === 0 && names[at + 1] === bit) return `the feature "${printable(names.subarray(at + 2, at + 48))}"`;
  }
  return undefined;
}

function parseExtensions(bytes: Uint8Array, start: number, file: string): Map<number, Uint8Array> {
  const view = viewOf(bytes);
  const found = new Map<number, Uint8Array>();
  const backingOffset = readU64(view, At.backingOffset);
  const end = backingOffset > 0 && backingOffset < bytes.length ? backingOffset : bytes.length;
  for (let at = start; at + 8 <= end; ) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === Extension.end) break;
    if (length > end - at - 8) damaged(file, `a header extension of ${length} bytes`);
    found.set(type, bytes.subarray(at + 8, at + 8 + length));
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return found;
}

function backingOf(bytes: Uint8Array, view: DataView, extensions: Map<number, Uint8Array>, file: string): Qcow2Header['backing'] {
  const offset = readU64(view, At.backingOffset);
  if (offset === 0) return undefined;
  const length = view.getUint32(At.backingLength);
  if (length === 0 || length > MAX_BACKING_NAME_BYTES || offset + length > bytes.length) damaged(file, "its backing file's name");
  const name = new TextDecoder().decode(bytes.subarray(offset, offset + length));
  if (name.includes('\0')) damaged(file, "its backing file's name");
  const format = extensions.get(Extension.backingFormat);
  return { name, format: format && printable(format) };
}

function printable(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Array.from(bytes.subarray(0, end < 0 ? undefined : end), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?',
  ).join('');
}

function damaged(file: string, what: string): never {
  throw new ImageFormatError(`${file} is not a sound qcow2 image (it says: ${what}): restore it from a copy`);
}

function unsupported(file: string, what: string): never {
  throw new ImageFormatError(`${file} uses ${what}, which is not supported: rewrite it with qemu-img convert -O qcow2`);
}
