/**
 * The saved machine's file format, version 1. Little-endian throughout.
 *
 *     ┌────────────────────────────────────────────────────────────┐
 *     │ header      magic, format version, machine version, writer │
 *     ├────────────────────────────────────────────────────────────┤
 *     │ section     header (name, kind, version, length, checksums)│
 *     │             payload: JSON or opaque bytes                  │
 *     ├── … any number, each name once ────────────────────────────┤
 *     │ "memory"    header, payload (size of RAM)                  │
 *     │   batch     header, runs of pages, their data              │
 *     │   batch     … pages strictly ascending …                   │
 *     │   trailer   counts, checksum over all of memory            │
 *     ├────────────────────────────────────────────────────────────┤
 *     │ "end"       header, payload (count, chain, length)         │
 *     └────────────────────────────────────────────────────────────┘
 *
 * Every byte lies under a checksum (CRC-32 of ISO 3309, as zlib has it: finds each burst
 * of up to 32 bits), and the end's chain runs over all headers and the trailer, payload
 * checksums included and their own left out (a CRC over bytes and their CRC is the same
 * for all bytes): no part can be lost, doubled, moved or taken from another file by
 * accident. It is no defence against somebody who forges a file; against that, every
 * number read is checked before it is used.
 *
 * Pages that no batch names are zero. A batch holds up to 64 pages (256 KiB), packed by
 * lz4 (block format) when that pays. A page of RAM costs at most 8 bytes of run.
 *
 * The format version counts changes that an older reader would get wrong. A section's
 * own version is its owner's business; this package only carries it. Whatever the
 * version, the header begins with magic, format version and header length, ends with
 * its checksum, and has the writer's version at the same place: a reader can always say
 * what it cannot read.
 */
import { NAME_BYTES } from './limits';

export const FORMAT_VERSION = 1;

export const MAGIC = 'GODWITVM';

export const HEADER = {
  /** 8 characters. */
  magic: 0,
  /** u32 */
  formatVersion: 8,
  /** u32, with the checksum. */
  headerBytes: 12,
  /** u32: the emulated PC's own version. */
  machineVersion: 16,
  /** u32, 0: for what a future version may want. */
  flags: 20,
  /** u64: milliseconds since 1970. */
  createdMs: 24,
  /** Text, padded by NUL. */
  writerVersion: 32,
  /** u32, over all before it; the header's last field in any version. */
  checksum: 32 + NAME_BYTES,
  bytes: 32 + NAME_BYTES + 4,
} as const;

/** "SECT" */
export const SECTION_MAGIC = 0x54434553;

export const SECTION = {
  magic: 0,
  /** u16, KIND */
  kind: 4,
  /** u16, 0 */
  flags: 6,
  /** u32: the section's own. */
  version: 8,
  /** u32: of the payload. */
  length: 12,
  /** Text, padded by NUL. */
  name: 16,
  payloadChecksum: 16 + NAME_BYTES,
  /** u32, over all before it. */
  checksum: 20 + NAME_BYTES,
  bytes: 24 + NAME_BYTES,
} as const;

export const KIND = { json: 1, binary: 2, memory: 3, end: 4 } as const;

export const MEMORY_NAME = 'memory';
export const END_NAME = 'end';
export const MEMORY_VERSION = 1;
export const END_VERSION = 1;

/** Payload of "memory". */
export const MEMORY = {
  /** u64, a multiple of the page size. */
  memoryBytes: 0,
  /** u32 */
  pageBytes: 8,
  /** u32 */
  batchPages: 12,
  bytes: 16,
} as const;

/** "PAGE" */
export const BATCH_MAGIC = 0x45474150;

export const BATCH = {
  magic: 0,
  /** u16, 1 to 64. */
  pages: 4,
  /** u16, 1 to `pages`. */
  runs: 6,
  /** u32: of the data as it lies in the file. */
  dataBytes: 8,
  /** u32, ENCODING */
  encoding: 12,
  /** u32: over the 16 bytes before, the runs and the data. */
  checksum: 16,
  bytes: 20,
} as const;

/** A run: first page and number of pages, u32 each. */
export const RUN_BYTES = 8;

export const ENCODING = { raw: 0, lz4: 1 } as const;

/** "MEND" */
export const TRAILER_MAGIC = 0x444e454d;

export const TRAILER = {
  magic: 0,
  /** u32 */
  batches: 4,
  /** u32: of the pages in batches. */
  pages: 8,
  /** u32: CRC-32 over, batch by batch, the runs and the pages' contents. */
  memoryChecksum: 12,
  /** u32, over the 16 bytes before. */
  checksum: 16,
  bytes: 20,
} as const;

/** Payload of "end". */
export const END = {
  /** u32: sections before this one, memory included. */
  sections: 0,
  /** u32: CRC-32 over the file's header, each section's header and the memory's trailer, without the checksum that each ends with. */
  chain: 4,
  /** u64: of the file up to this section. */
  fileBytes: 8,
  bytes: 16,
} as const;

/** Names that fit the field and need no quoting anywhere. */
export const NAME_PATTERN = /^[a-z][a-z0-9._-]*$/;
