/**
 * What a disk image stands on. Failures are Errors with `code` as Node's
 * (`ENOSPC`, `EIO`, `ESTALE`, ...); codes pass through to whoever asked.
 */

/**
 * A file that reads and writes at positions, in and out of the caller's
 * buffers. Requests may overlap in time.
 *
 * The variants named `...Now` do the same on the calling thread. Where they
 * are present (a local file) and the image's `immediate` is on, a request
 * needs no thread hop.
 */
export interface FilePort {
  size(): Promise<number>;
  /** Bytes read; fewer than asked for only at the end of the file. */
  read(buffer: Uint8Array, offset: number): Promise<number>;
  readNow?(buffer: Uint8Array, offset: number): number;
  /** The same into several buffers, filled one after the other. Optional: without it they are read through a copy. */
  readParts?(buffers: readonly Uint8Array[], offset: number): Promise<number>;
  readPartsNow?(buffers: readonly Uint8Array[], offset: number): number;
  /** Writes all of them, one after the other; grows the file as needed, with zeroes in gaps. */
  write(buffers: readonly Uint8Array[], offset: number): Promise<void>;
  writeNow?(buffers: readonly Uint8Array[], offset: number): void;
  /** All writes answered so far are on stable storage, with the file's size. */
  sync(): Promise<void>;
  syncNow?(): void;
  truncate(size: number): Promise<void>;
  /** Gives space back; the range reads as zeroes afterwards, the size stays. Absent where the storage cannot. */
  discard?(offset: number, length: number): Promise<void>;
  close(): Promise<void>;
  /**
   * Each write is on stable storage when answered. Then a failed `sync` lost
   * nothing and may be retried; otherwise the host may have dropped what it
   * could not write, and the image takes no further writes.
   */
  readonly durable?: boolean;
}

/** Raw deflate (RFC 1951): decompresses until `bytes` are there; anything behind the stream's end is ignored. Throws on bad data. */
export type InflateRaw = (compressed: Uint8Array, bytes: number) => Uint8Array;

export interface BackingFile {
  /** Opened for reading only. */
  readonly file: FilePort;
  /** One name for one file, whatever way led there: found twice in a chain, it is a loop. */
  readonly name: string;
}

/**
 * Opens the backing file of the image called `from`. `name` is as the image's
 * maker wrote it: relative to the folder of `from`, or absolute. It is not to
 * be trusted: which files may be read is for this function to decide, before
 * it opens anything. See `resolveBackingName`.
 */
export type OpenBacking = (name: string, from: string) => Promise<BackingFile>;
