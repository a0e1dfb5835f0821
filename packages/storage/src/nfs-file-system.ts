/**
 * An NFS export through libnfs: for hosts that cannot mount one. NFS version 3, whose
 * requests name files by handles that outlive connections; Debian's libnfs 4.0 does
 * not write 4096 bytes or more over version 4.
 *
 * A connection that breaks, or misses a deadline, is given up with all that was in
 * flight; the next request makes a new one, and files are opened again by name.
 * Files are open with O_SYNC: libnfs does not notice a server that restarts between
 * a write and its commit, so nothing may stand uncommitted.
 */
import fs from 'node:fs';
import { check, codeOf, StorageError } from './errors';
import type { FileStat, FileSystem, OpenOptions, Space } from './file-system';
import { NFS_TIMEOUT_MS, READ_TRIES } from './limits';
import { checkPath } from './names';
import { native, NfsOperation, type Guard, type NativeMount } from './native';
import { NfsFile } from './nfs-file';

const { O_RDONLY, O_RDWR, O_EXCL, O_SYNC, S_IFMT, S_IFREG, S_IFDIR } = fs.constants;

export interface NfsOptions {
  /** Debian's name of the library, or a path. */
  readonly library?: string;
  /** How long a request may go without an answer. */
  readonly timeoutMs?: number;
}

type Answer = number | (number | string)[];

export class NfsFileSystem implements FileSystem {
  private readonly mount: NativeMount;
  private closed = false;

  /** @throws StorageError for a URL that is none, or when libnfs is not here. */
  constructor(
    readonly where: string,
    { library = 'libnfs.so.13', timeoutMs = NFS_TIMEOUT_MS }: NfsOptions = {},
  ) {
    checkNfsUrl(where);
    try {
      this.mount = native().nfsMount(library, where, timeoutMs);
    } catch (error) {
      if (codeOf(error) !== 'GODWIT_LIBNFS') throw error;
      throw new StorageError('ENOSYS', `${where} needs libnfs (Debian: apt-get install libnfs13): ${(error as Error).message}`);
    }
  }

  async open(path: string, options: OpenOptions = {}): Promise<NfsFile> {
    const flags = options.write ? O_RDWR | O_SYNC : O_RDONLY;
    const openIt = (): Promise<number> => this.ask(NfsOperation.Open, path, '', 'open', { number: flags });
    const createIt = (): Promise<number> => this.ask(NfsOperation.Create, path, '', 'create', { number: flags | O_EXCL });
    const handle = options.create === 'new' ? await createIt() : options.create ? await openOrCreate(openIt, createIt) : await openIt();
    const { inode } = await this.stat(path);
    return new NfsFile(this, path, handle, { reopen: openIt, inode, guard: options.guard ?? null });
  }

  async readFresh(path: string, maxBytes: number): Promise<Buffer> {
    for (let turn = 1; ; turn++) {
      try {
        return await this.readOnce(path, maxBytes);
      } catch (error) {
        // Replaced between opening and reading: what is there now is as good.
        if (codeOf(error) !== 'ESTALE' || turn === READ_TRIES) throw error;
      }
    }
  }

  /** Nothing is remembered here. */
  async refresh(): Promise<void> {}

  async rename(from: string, to: string): Promise<void> {
    await this.ask(NfsOperation.Rename, from, to, 'rename');
  }

  async link(from: string, to: string): Promise<void> {
    await this.ask(NfsOperation.Link, from, to, 'link');
  }

  async unlink(path: string): Promise<void> {
    await this.ask(NfsOperation.Unlink, path, '', 'remove');
  }

  async makeFolder(path: string): Promise<void> {
    await this.ask(NfsOperation.MakeDir, path, '', 'make');
  }

  async removeFolder(path: string): Promise<void> {
    await this.ask(NfsOperation.RemoveDir, path, '', 'remove');
  }

  list(folder: string): Promise<string[]> {
    return this.ask(NfsOperation.List, folder, '', 'list');
  }

  async stat(path: string): Promise<FileStat> {
    const [mode, size, inode, links, mtimeMs] = await this.ask<number[]>(NfsOperation.Stat, path, '', 'look at');
    const format = mode & S_IFMT;
    return { type: format === S_IFREG ? 'file' : format === S_IFDIR ? 'folder' : 'other', size, mtimeMs, inode, links };
  }

  async space(): Promise<Space> {
    const [totalBytes, freeBytes] = await this.ask<number[]>(NfsOperation.Space, '', '', 'look at');
    return { totalBytes, freeBytes };
  }

  /** RFC 1813, 4.8: what changes names is on stable storage when it is answered. */
  async syncFolder(): Promise<void> {}

  async close(): Promise<void> {
    if (!this.closed) native().nfsClose(this.mount);
    this.closed = true;
  }

  private async readOnce(path: string, maxBytes: number): Promise<Buffer> {
    const handle = await this.ask<number>(NfsOperation.Open, path, '', 'open', { number: O_RDONLY });
    try {
      const buffer = Buffer.allocUnsafe(maxBytes + 1);
      const count = await this.ask<number>(NfsOperation.Read, path, '', 'read', { file: handle, buffers: [buffer] });
      if (count > maxBytes) throw new StorageError('EFBIG', `cannot read ${path} in ${this.where}: it has more than ${maxBytes} bytes`);
      return buffer.subarray(0, count);
    } finally {
      this.ask(NfsOperation.Close, path, '', 'close', { file: handle }).catch(() => undefined);
    }
  }

  /** One operation; for the files of this file system, too. */
  async ask<T extends Answer>(
    operation: NfsOperation,
    a: string,
    b: string,
    doing: string,
    more: { file?: number; offset?: number; number?: number; buffers?: readonly Uint8Array[]; guard?: Guard | null } = {},
  ): Promise<T> {
    const what = `cannot ${doing} ${[a, b].filter((one) => one).join(' to ') || 'it'} in ${this.where}`;
    if (this.closed) throw new StorageError('ESHUTDOWN', `${what}: the datastore has been closed`);
    const { file = 0, offset = 0, number = 0, buffers = null, guard = null } = more;
    const [full, other] = [a, b].map((one) => `/${checkPath(one)}`);
    return check(await native().nfsCall(this.mount, operation, full, other, file, offset, number, buffers, guard), what) as T;
  }
}

async function openOrCreate(openIt: () => Promise<number>, createIt: () => Promise<number>): Promise<number> {
  try {
    return await openIt();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  try {
    return await createIt();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  return openIt();
}

/** What libnfs understands behind the '?', as far as it serves here. */
const PARAMETERS = /^(nfsport|mountport|uid|gid)$/;

export const isNfsUrl = (where: string): boolean => where.startsWith('nfs://');

function checkNfsUrl(where: string): void {
  const url = URL.canParse(where) ? new URL(where) : undefined;
  if (url?.protocol !== 'nfs:' || !url.hostname || url.pathname.length < 2) {
    throw new StorageError('EINVAL', `${JSON.stringify(where)} is no NFS datastore: write nfs://server/export/path`);
  }
  for (const [name, value] of url.searchParams) {
    if (name === 'version' && value === '3') continue;
    if (!PARAMETERS.test(name) || !/^\d{1,10}$/.test(value)) {
      throw new StorageError('EINVAL', `${where}: ${name}=${value} is not understood; nfsport, mountport, uid and gid are, and version=3`);
    }
  }
}
