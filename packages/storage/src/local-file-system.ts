/**
 * A datastore's folder on a mounted file system: local, or an NFS mount of the host.
 *
 * What cannot be done from here: call back writes that the kernel's NFS client holds
 * when the network is cut; a hard mount sends them whenever it heals, even after
 * another host has taken the VM over. Mount with `soft,timeo=10,retrans=2` (the client
 * gives up within seconds, well before a taker's wait ends), and open disks `durable`
 * there, so that a write that was given up is reported to the guest's request.
 * Keep the default `cto`: look-ups of the lease rely on it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { check, StorageError, wrap } from './errors';
import { folderOf, uniqueSuffix, type FileStat, type FileSystem, type OpenOptions, type Space, type StorageFile } from './file-system';
import { checkPath } from './names';
import { native, type Guard } from './native';

/** statfs(2)'s type of a Linux NFS mount. */
const NFS_SUPER_MAGIC = 0x6969;

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DSYNC, O_DIRECTORY } = fs.constants;
const open = promisify(fs.open);
const close = promisify(fs.close);
const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);
const fstat = promisify(fs.fstat);
const ftruncate = promisify(fs.ftruncate);

export class LocalFileSystem implements FileSystem {
  private onNfs: boolean | undefined;

  constructor(readonly where: string) {}

  async open(name: string, options: OpenOptions = {}): Promise<StorageFile> {
    const file = this.full(name);
    const create = options.create === 'new' ? O_CREAT | O_EXCL : options.create ? O_CREAT : 0;
    const flags = (options.write ? O_RDWR : O_RDONLY) | create | (options.durable ? O_DSYNC : 0);
    const fd = await this.doing(`cannot open ${file}`, () => open(file, flags, 0o640));
    if (create) await this.syncFolder(folderOf(name));
    return new LocalFile(fd, file, options.guard ?? null, options.durable ?? false);
  }

  async readFresh(name: string, maxBytes: number): Promise<Buffer> {
    const file = this.full(name);
    const buffer = Buffer.allocUnsafe(maxBytes);
    const count = check(await native().localReadFresh(file, [buffer]), `cannot read ${file}`);
    return buffer.subarray(0, count);
  }

  async refresh(folder: string): Promise<void> {
    this.onNfs ??= (await this.doing(`cannot look at ${this.where}`, () => fs.promises.statfs(this.where))).type === NFS_SUPER_MAGIC;
    if (!this.onNfs) return;
    // An NFS client drops what it remembers of a folder when it changes it itself.
    const probe = path.join(folder, `probe.${uniqueSuffix()}.tmp`);
    await (await this.open(probe, { write: true, create: 'new' })).close();
    await this.unlink(probe);
  }

  rename(from: string, to: string): Promise<void> {
    return this.doing(`cannot rename ${from} to ${to} in ${this.where}`, () => fs.promises.rename(this.full(from), this.full(to)));
  }

  link(from: string, to: string): Promise<void> {
    return this.doing(`cannot link ${from} to ${to} in ${this.where}`, () => fs.promises.link(this.full(from), this.full(to)));
  }

  unlink(name: string): Promise<void> {
    return this.doing(`cannot remove ${this.full(name)}`, () => fs.promises.unlink(this.full(name)));
  }

  async makeFolder(name: string): Promise<void> {
    await this.doing(`cannot make ${this.full(name)}`, () => fs.promises.mkdir(this.full(name), 0o750));
    await this.syncFolder(folderOf(name));
  }

  removeFolder(name: string): Promise<void> {
    return this.doing(`cannot remove ${this.full(name)}`, () => fs.promises.rmdir(this.full(name)));
  }

  list(folder: string): Promise<string[]> {
    return this.doing(`cannot list ${this.full(folder)}`, () => fs.promises.readdir(this.full(folder)));
  }

  async stat(name: string): Promise<FileStat> {
    const found = await this.doing(`cannot look at ${this.full(name)}`, () => fs.promises.stat(this.full(name)));
    return {
      type: found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other',
      size: found.size,
      mtimeMs: found.mtimeMs,
      inode: found.ino,
      links: found.nlink,
    };
  }

  async space(): Promise<Space> {
    const found = await this.doing(`cannot look at ${this.where}`, () => fs.promises.statfs(this.where));
    return { totalBytes: found.blocks * found.bsize, freeBytes: found.bavail * found.bsize };
  }

  async syncFolder(folder: string): Promise<void> {
    const full = this.full(folder);
    await this.doing(`cannot sync ${full}`, async () => {
      const fd = await open(full, O_RDONLY | O_DIRECTORY);
      await fsync(fd).finally(() => close(fd));
    });
  }

  async close(): Promise<void> {}

  private full(name: string): string {
    return path.join(this.where, checkPath(name));
  }

  private async doing<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw wrap(error, what);
    }
  }
}

class LocalFile implements StorageFile {
  constructor(
    private fd: number,
    private readonly where: string,
    private readonly guard: Guard | null,
    readonly durable: boolean,
  ) {}

  async size(): Promise<number> {
    return (await this.doing('look at', () => fstat(this.open()))).size;
  }

  read(buffer: Uint8Array, offset: number): Promise<number> {
    return this.readParts([buffer], offset);
  }

  async readParts(buffers: readonly Uint8Array[], offset: number): Promise<number> {
    return check(await native().localRead(this.open(), buffers, offset, null), `cannot read ${this.where}`);
  }

  async write(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    check(await native().localWrite(this.open(), buffers, offset, this.guard), `cannot write ${this.where}`);
  }

  sync(): Promise<void> {
    return this.doing('sync', () => fdatasync(this.open()));
  }

  truncate(size: number): Promise<void> {
    return this.doing('resize', () => ftruncate(this.open(), size));
  }

  async discard(offset: number, length: number): Promise<void> {
    const done = await native().localPunchHole(this.open(), offset, length, this.guard);
    check(done, `cannot free a part of ${this.where}`);
  }

  async close(): Promise<void> {
    const fd = this.fd;
    this.fd = -1;
    if (fd >= 0) await this.doing('close', () => close(fd));
  }

  readNow(buffer: Uint8Array, offset: number): number {
    return this.readPartsNow([buffer], offset);
  }

  readPartsNow(buffers: readonly Uint8Array[], offset: number): number {
    return check(native().localReadNow(this.open(), buffers, offset, null), `cannot read ${this.where}`);
  }

  writeNow(buffers: readonly Uint8Array[], offset: number): void {
    check(native().localWriteNow(this.open(), buffers, offset, this.guard), `cannot write ${this.where}`);
  }

  syncNow(): void {
    try {
      fs.fdatasyncSync(this.open());
    } catch (error) {
      throw wrap(error, `cannot sync ${this.where}`);
    }
  }

  private open(): number {
    if (this.fd < 0) throw new StorageError('EINVAL', `${this.where} has been closed`);
    return this.fd;
  }

  private async doing<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      throw wrap(error, `cannot ${what} ${this.where}`);
    }
  }
}
