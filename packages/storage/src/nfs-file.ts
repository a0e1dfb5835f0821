/** A file of an NfsFileSystem: large requests in chunks, several at once; opened again when the connection was lost. */
import { codeOf, StorageError } from './errors';
import type { StorageFile } from './file-system';
import { NFS_CHUNK_BYTES, NFS_CHUNKS_IN_FLIGHT } from './limits';
import { NfsOperation, type Guard } from './native';
import type { NfsFileSystem } from './nfs-file-system';

/** Most parts of one native request (IOV_MAX). */
const MAX_PARTS = 1024;

interface Chunk {
  readonly offset: number;
  readonly bytes: number;
  readonly parts: Uint8Array[];
}

export class NfsFile implements StorageFile {
  /** O_SYNC: see nfs-file-system.ts. */
  readonly durable = true;
  private closed = false;
  private reopening: Promise<void> | undefined;

  constructor(
    private readonly files: NfsFileSystem,
    private readonly path: string,
    private handle: number,
    private readonly how: { reopen: () => Promise<number>; inode: number; guard: Guard | null },
  ) {}

  size(): Promise<number> {
    return this.ask(NfsOperation.Size, 'look at');
  }

  read(buffer: Uint8Array, offset: number): Promise<number> {
    return this.readParts([buffer], offset);
  }

  async readParts(buffers: readonly Uint8Array[], offset: number): Promise<number> {
    const chunks = cut(buffers, offset);
    const counts = await inParallel(chunks, (chunk) => this.ask(NfsOperation.Read, 'read', { offset: chunk.offset, buffers: chunk.parts }));
    // The file ends in the first short chunk.
    const short = counts.findIndex((count, index) => count < chunks[index].bytes);
    return counts.slice(0, short < 0 ? undefined : short + 1).reduce((sum, count) => sum + count, 0);
  }

  async write(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    const { guard } = this.how;
    await inParallel(cut(buffers, offset), (chunk) =>
      this.ask(NfsOperation.Write, 'write', { offset: chunk.offset, buffers: chunk.parts, guard }),
    );
  }

  async sync(): Promise<void> {
    await this.ask(NfsOperation.Sync, 'sync');
  }

  async truncate(size: number): Promise<void> {
    await this.ask(NfsOperation.Truncate, 'resize', { number: size });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.files.ask(NfsOperation.Close, this.path, '', 'close', { file: this.handle }).catch((error) => {
      // The connection has gone, and the handle with it.
      if (codeOf(error) !== 'EBADF') throw error;
    });
  }

  private async ask(
    operation: NfsOperation,
    doing: string,
    more: { offset?: number; number?: number; buffers?: readonly Uint8Array[]; guard?: Guard | null } = {},
  ): Promise<number> {
    if (this.closed) throw new StorageError('EINVAL', `${this.path} in ${this.files.where} has been closed`);
    const handle = this.handle;
    try {
      return await this.files.ask<number>(operation, this.path, '', doing, { ...more, file: handle });
    } catch (error) {
      if (codeOf(error) !== 'EBADF') throw error;
    }
    // Several requests may find out at once: one of them opens the file again.
    if (this.handle === handle) await (this.reopening ??= this.reopen().finally(() => (this.reopening = undefined)));
    return this.files.ask<number>(operation, this.path, '', doing, { ...more, file: this.handle });
  }

  private async reopen(): Promise<void> {
    const handle = await this.how.reopen();
    const { inode } = await this.files.stat(this.path);
    if (inode !== this.how.inode) {
      this.files.ask(NfsOperation.Close, this.path, '', 'close', { file: handle }).catch(() => undefined);
      throw new StorageError('ESTALE', `${this.path} in ${this.files.where} was replaced while the connection was down`);
    }
    this.handle = handle;
  }
}

/** Cuts buffers that lie one after the other in the file into requests of bounded size. */
function cut(buffers: readonly Uint8Array[], offset: number): Chunk[] {
  const chunks: Chunk[] = [];
  let parts: Uint8Array[] = [];
  let bytes = 0;
  let at = offset;
  const finish = (): void => {
    if (bytes > 0) chunks.push({ offset: at, bytes, parts });
    at += bytes;
    parts = [];
    bytes = 0;
  };
  for (const buffer of buffers) {
    for (let start = 0; start < buffer.length; ) {
      const length = Math.min(buffer.length - start, NFS_CHUNK_BYTES - bytes);
      parts.push(buffer.subarray(start, start + length));
      bytes += length;
      start += length;
      if (bytes === NFS_CHUNK_BYTES || parts.length === MAX_PARTS) finish();
    }
  }
  finish();
  return chunks;
}

async function inParallel<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await act(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(NFS_CHUNKS_IN_FLIGHT, items.length) }, worker));
  return results;
}
