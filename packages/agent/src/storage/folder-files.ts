/** A VM's folder as files: made, filled from elsewhere, removed. Paths are relative to the datastore. */
import { codeOf, type FileSystem, type StorageFile } from '@godwit/storage';
import { COPY_BYTES, MAX_BOOT_BYTES } from '../limits';
import { refusal } from '../errors';

const FOLDERS = ['disks', 'boot', 'state', 'lease'];
const VMS = 'vms';

export const pathIn = (folder: string, ...rest: string[]): string => [VMS, folder, ...rest].join('/');

export async function makeFolders(files: FileSystem, folder: string): Promise<void> {
  for (const path of [VMS, pathIn(folder), ...FOLDERS.map((name) => pathIn(folder, name))])
    await files.makeFolder(path).catch(unless('EEXIST'));
}

/** What an earlier creation left in the folders for files, if it was cut short. */
export async function emptyFolders(files: FileSystem, folder: string): Promise<void> {
  for (const name of ['disks', 'boot', 'state']) {
    for (const file of await files.list(pathIn(folder, name)).catch(unless('ENOENT', [])))
      await files.unlink(pathIn(folder, name, file)).catch(unless('ENOENT'));
  }
}

/**
 * Removes a VM's folder; the caller holds its lease, whose heartbeat may write a file while its folder is emptied:
 * then it is emptied again.
 */
export async function removeFolders(files: FileSystem, folder: string): Promise<void> {
  await files.unlink(pathIn(folder, 'vm.json')).catch(unless('ENOENT'));
  for (const name of FOLDERS) await removeFolder(files, pathIn(folder, name));
  await removeFolder(files, pathIn(folder));
  await files.syncFolder(VMS);
}

async function removeFolder(files: FileSystem, folder: string): Promise<void> {
  for (let turn = 0; ; turn++) {
    for (const file of await files.list(folder).catch(unless('ENOENT', [])))
      await files.unlink(`${folder}/${file}`).catch(unless('ENOENT'));
    try {
      return await files.removeFolder(folder);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error)) || turn === 5) throw error;
    }
  }
}

/** A kernel or initial RAM disk, durable on return. */
export async function copyBootFile(source: StorageFile, files: FileSystem, to: string): Promise<void> {
  const size = await source.size();
  if (size > MAX_BOOT_BYTES)
    throw refusal('image', `${to}: its origin is larger than ${MAX_BOOT_BYTES >> 20} MiB: is it a kernel or an initial RAM disk?`);
  const target = await files.open(to, { write: true, create: 'new' });
  try {
    const buffer = new Uint8Array(COPY_BYTES);
    for (let at = 0; at < size; ) {
      const read = await source.read(buffer, at);
      if (read === 0) break;
      await target.write([buffer.subarray(0, read)], at);
      at += read;
    }
    await target.sync();
  } finally {
    await target.close();
  }
}

/** Lets one error pass, giving `value` instead. */
export function unless<T>(code: string, value?: T): (error: unknown) => T {
  return (error) => {
    if (codeOf(error) !== code) throw error;
    return value as T;
  };
}
