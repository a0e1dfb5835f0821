/** Saved machines as files of a mounted file system, local or NFS. */
import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SnapshotError } from './errors';
import type { StateSink, StateSource } from './ports';
import { StateReader } from './read-state';
import { type SavedMachine, type TransferOptions, type WriteReport, writeState } from './write-state';

/** A guest's memory holds its secrets. */
const OWNER_ONLY = 0o600;
const PARTIAL = /\.partial-[0-9a-f]{16}$/;

/**
 * Saves to `path`: under another name first, forced to the disk, then renamed, so that
 * whoever opens `path` sees the old state or the new one, whole.
 * @throws SnapshotError; `path` is as it was then, and nothing else is left.
 */
export async function saveStateFile(path: string, machine: SavedMachine, options?: TransferOptions): Promise<WriteReport> {
  return writeState(new FileSink(path), machine, options);
}

/** @throws SnapshotError. The caller closes what it gets. */
export async function openStateFile(path: string): Promise<StateReader> {
  return StateReader.open(new FileSource(path));
}

/** Removes what writers that were killed have left beside `path`. For the VM's owner only: nobody else may be writing. */
export async function removeAbandoned(path: string): Promise<void> {
  const folder = dirname(path);
  for (const entry of await readdir(folder)) {
    const own = entry.startsWith(`${basename(path)}.`) && PARTIAL.test(entry) && entry.replace(PARTIAL, '') === basename(path);
    if (own) await rm(join(folder, entry), { force: true });
  }
}

export class FileSink implements StateSink {
  private readonly temporary: string;
  private opening: Promise<FileHandle> | undefined;
  private offset = 0;
  private committed = false;

  /** @param name path of the file that `commit` makes or replaces */
  constructor(readonly name: string) {
    this.temporary = `${name}.partial-${randomBytes(8).toString('hex')}`;
  }

  async write(bytes: Uint8Array): Promise<void> {
    let position = this.offset;
    this.offset += bytes.length;
    const file = await this.file();
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position);
      done += bytesWritten;
      position += bytesWritten;
    }
  }

  async commit(): Promise<void> {
    const file = await this.file();
    await file.sync();
    // NFS tells of some failed writes only now.
    await file.close();
    await rename(this.temporary, this.name);
    this.committed = true;
    await syncFolder(dirname(this.name)).catch((error: Error) => {
      throw new SnapshotError('io', `${this.name}: is written, but a power failure now may undo it: ${error.message}`, { cause: error });
    });
  }

  async abort(): Promise<void> {
    if (this.committed || !this.opening) return;
    await this.opening.then((file) => file.close()).catch(() => {});
    await rm(this.temporary, { force: true }).catch(() => {});
  }

  private file(): Promise<FileHandle> {
    this.opening ??= open(this.temporary, 'wx', OWNER_ONLY);
    return this.opening;
  }
}

/** Makes a rename durable. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export class FileSource implements StateSource {
  private opening: Promise<FileHandle> | undefined;

  /** @param name the path */
  constructor(readonly name: string) {}

  async read(into: Uint8Array): Promise<number> {
    this.opening ??= open(this.name, 'r');
    const { bytesRead } = await (await this.opening).read(into, 0, into.length, null);
    return bytesRead;
  }

  async close(): Promise<void> {
    await this.opening?.then((file) => file.close()).catch(() => {});
    this.opening = undefined;
  }
}
