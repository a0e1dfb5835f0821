/**
 * One file system for datastores, with two implementations: a mounted folder
 * (local-file-system.ts) and an NFS export through libnfs (nfs-file-system.ts).
 * Both pass one conformance suite (test/storage/conformance.test.ts).
 *
 * Paths are relative to the root, parts joined by '/', no part '.' or '..'.
 * Every failure is a StorageError with the errno's name as its code.
 */
import type { Guard } from './native';

export interface OpenOptions {
  /** Default: read only. */
  readonly write?: boolean;
  /** 'new' fails with EEXIST when the file is there, atomically among all hosts. */
  readonly create?: 'new' | 'if-missing';
  /** Each write is on stable storage before it is answered (O_DSYNC). NFS files are always so. */
  readonly durable?: boolean;
  /** Writes are refused (EFENCED) once this deadline has passed. */
  readonly guard?: Guard;
}

/**
 * What FileSystem.open gives: a file that reads and writes at positions, into and out of
 * the caller's buffers, which may lie over shared or external memory. Requests may
 * overlap in time. It is a FilePort of packages/disk.
 */
export interface StorageFile {
  /** Each write is on stable storage when it is answered. */
  readonly durable: boolean;
  size(): Promise<number>;
  /** Bytes read; fewer than asked for only at the end of the file. */
  read(buffer: Uint8Array, offset: number): Promise<number>;
  /** The same into several buffers, filled one after the other. */
  readParts(buffers: readonly Uint8Array[], offset: number): Promise<number>;
  /** Writes all of them, one after the other; grows the file as needed, with zeroes in gaps. */
  write(buffers: readonly Uint8Array[], offset: number): Promise<void>;
  /** All writes answered so far are on stable storage, with the file's size. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  /** Gives space back; reads as zeroes afterwards. Absent where the storage cannot. */
  discard?(offset: number, length: number): Promise<void>;
  close(): Promise<void>;
  /** The same on the calling thread; absent where the storage cannot. */
  readNow?(buffer: Uint8Array, offset: number): number;
  readPartsNow?(buffers: readonly Uint8Array[], offset: number): number;
  writeNow?(buffers: readonly Uint8Array[], offset: number): void;
  syncNow?(): void;
}

export interface FileStat {
  readonly type: 'file' | 'folder' | 'other';
  readonly size: number;
  /** Last change of the content, milliseconds since 1970, as the storage says. */
  readonly mtimeMs: number;
  readonly inode: number;
  readonly links: number;
}

export interface Space {
  readonly totalBytes: number;
  /** What an ordinary user may still use. */
  readonly freeBytes: number;
}

export interface FileSystem {
  /** For messages: the folder or the URL. */
  readonly where: string;
  open(path: string, options?: OpenOptions): Promise<StorageFile>;
  /** A small file as the storage has it now, past all caches. EFBIG beyond `maxBytes`. */
  readFresh(path: string, maxBytes: number): Promise<Buffer>;
  /** Makes later look-ups in this folder ask the storage, where a client would answer from memory. */
  refresh(folder: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A second name for a file; EEXIST when `to` is there: atomic among all hosts. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  makeFolder(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  list(folder: string): Promise<string[]>;
  stat(path: string): Promise<FileStat>;
  space(): Promise<Space>;
  /** Names made or removed in the folder so far are on stable storage. */
  syncFolder(folder: string): Promise<void>;
  close(): Promise<void>;
}

/** Replaces a file's content: a reader sees the old or the new one, never a part; durable when it returns. */
export async function replaceFile(files: FileSystem, path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${uniqueSuffix()}.tmp`;
  await writeNewFile(files, temporary, content);
  try {
    await files.rename(temporary, path);
  } catch (error) {
    await files.unlink(temporary).catch(() => undefined);
    throw error;
  }
  await files.syncFolder(folderOf(path));
}

/** A new file with its content on stable storage; nothing is left over when it fails. */
export async function writeNewFile(files: FileSystem, path: string, content: string | Uint8Array): Promise<void> {
  const file = await files.open(path, { write: true, create: 'new' });
  try {
    await file.write([typeof content === 'string' ? Buffer.from(content) : content], 0);
    await file.sync();
  } catch (error) {
    await files.unlink(path).catch(() => undefined);
    throw error;
  } finally {
    await file.close().catch(() => undefined);
  }
}

export const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');

let serial = 0;
/** Unlike any other process's, on any host. */
export function uniqueSuffix(): string {
  return `${PROCESS}-${++serial}`;
}
const PROCESS = `${process.pid.toString(36)}${Math.random().toString(36).slice(2, 10)}${Date.now().toString(36)}`;
