/**
 * Where new disks and boot files come from. Names come from a controller's user: a file of a datastore, or of the
 * folder of images that this host's administrator has named, and no other.
 */
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { createImage, type DiskImage, convertImage, openImage, resolveBackingName } from '@godwit/disk';
import { checkName, codeOf, Datastore, type FileSystem, isName, LocalFileSystem, type StorageFile } from '@godwit/storage';
import { refusal } from '../errors';
import type { DiskOfVm, VmDiskSpec } from '../messages';
import { pathIn } from './folder-files';
import { formatOf } from './vm-file';

export interface Sources {
  /** Datastores of this host by identity. */
  readonly stores: Readonly<Record<string, string>>;
  readonly images: string | undefined;
}

interface Origin {
  readonly files: FileSystem;
  readonly file: string;
  close(): Promise<void>;
}

const inflateRaw = (compressed: Uint8Array, bytes: number): Uint8Array => inflateRawSync(compressed, { maxOutputLength: bytes });
const SECTOR = 512;
const roundUp = (bytes: number): number => Math.ceil(bytes / SECTOR) * SECTOR;

/** `<datastore id>:<path>`, or a name in the folder of images. */
export async function openOrigin(text: string, { stores, images }: Sources): Promise<Origin> {
  const at = text.indexOf(':');
  if (at > 0) {
    const id = text.slice(0, at);
    const where = stores[id];
    if (where === undefined) throw refusal('image', `${text}: this host has no datastore ${id}`);
    const store = await Datastore.open(where);
    return { files: store.files, file: text.slice(at + 1), close: () => store.close() };
  }
  if (images === undefined)
    throw refusal(
      'image',
      `${text}: this host has no folder of images: name one as \`images\` in the agent's configuration, or write DATASTORE_ID:PATH`,
    );
  if (!isName(text)) throw refusal('image', `${JSON.stringify(text)} is no name of an image: names have no path`);
  return { files: new LocalFileSystem(path.resolve(images)), file: text, close: async () => undefined };
}

export async function withOriginFile<T>(text: string, sources: Sources, act: (file: StorageFile) => Promise<T>): Promise<T> {
  const origin = await openOrigin(text, sources);
  try {
    const file = await openExisting(origin.files, origin.file, text);
    try {
      return await act(file);
    } finally {
      await file.close();
    }
  } finally {
    await origin.close();
  }
}

/** Makes the disk `to`; its size. @param progress of this disk, 0 to 1 */
export async function makeDisk(
  store: Datastore,
  to: string,
  disk: VmDiskSpec,
  sources: Sources,
  progress: (done: number) => void,
): Promise<number> {
  const { origin } = disk;
  if (origin?.copy?.linked) return linkDisk(store, to, disk, origin.copy);
  if (origin?.copy) return copyOfVm(store, to, disk, origin.copy, sources, progress);
  if (origin?.image) {
    const opened = await openOrigin(origin.image, sources);
    try {
      return await copyDisk(opened.files, opened.file, store, to, disk, origin.image, progress);
    } finally {
      await opened.close();
    }
  }
  const bytes = roundUp(disk.sizeBytes);
  await withNewFile(store, to, (file) => createImage(file, { name: to, format: formatOf(to), bytes }));
  return bytes;
}

async function copyOfVm(
  store: Datastore,
  to: string,
  disk: VmDiskSpec,
  { place, file }: DiskOfVm,
  { stores }: Sources,
  progress: (done: number) => void,
): Promise<number> {
  const where = place && stores[place.datastoreId];
  if (!where) throw refusal('image', `disk ${file} of VM ${place?.folder}: this host has no datastore ${place?.datastoreId}`);
  const from = await Datastore.open(where);
  try {
    return await copyDisk(from.files, diskPath(place.folder, file), store, to, disk, `disk ${file} of VM ${place.folder}`, progress);
  } finally {
    await from.close();
  }
}

async function copyDisk(
  from: FileSystem,
  name: string,
  store: Datastore,
  to: string,
  disk: VmDiskSpec,
  what: string,
  progress: (done: number) => void,
): Promise<number> {
  const source = await openDisk(from, name, what);
  try {
    if (disk.sizeBytes > 0 && disk.sizeBytes < source.bytes)
      throw refusal(
        'image',
        `disk ${disk.file}: ${what} has ${source.bytes} bytes and does not fit ${disk.sizeBytes}: ask for a larger disk, or none in particular`,
      );
    const bytes = roundUp(Math.max(source.bytes, disk.sizeBytes));
    const format = formatOf(to);
    await withNewFile(store, to, async (file) => {
      await createImage(file, { name: to, format, bytes });
      const target = await openImage(file, { name: to, format });
      await convertImage(source, target, { progress: (done) => progress(source.bytes ? done / source.bytes : 1) });
      await target.flush();
    });
    return bytes;
  } finally {
    await source.close();
  }
}

async function linkDisk(store: Datastore, to: string, disk: VmDiskSpec, { place, file }: DiskOfVm): Promise<number> {
  if (formatOf(to) !== 'qcow2') throw refusal('image', `disk ${disk.file}: a linked clone is a qcow2: end its name with .qcow2`);
  if (place?.datastoreId !== store.id)
    throw refusal(
      'image',
      `disk ${disk.file}: a linked clone lies in the datastore of disk ${file} of VM ${place?.folder}: make a full copy, or place the VM there`,
    );
  const source = await openDisk(store.files, diskPath(place.folder, file), `disk ${file} of VM ${place.folder}`);
  const bytes = roundUp(Math.max(source.bytes, disk.sizeBytes));
  await source.close();
  const backing = { name: `../../${place.folder}/disks/${file}`, format: formatOf(file) };
  await withNewFile(store, to, (port) => createImage(port, { name: to, format: 'qcow2', bytes, backing }));
  return bytes;
}

const diskPath = (folder: string, file: string): string => pathIn(checkName(folder, 'VM'), 'disks', checkName(file, 'disk'));

/** For reading; images behind it are found in the same datastore or folder only. */
async function openDisk(files: FileSystem, name: string, what: string): Promise<DiskImage> {
  const behind = async (backing: string, from: string) => {
    const location = resolveBackingName(backing, from);
    return { file: await files.open(location), name: location };
  };
  const file = await openExisting(files, name, what);
  try {
    return await openImage(file, { name, format: formatOf(name), readOnly: true, inflateRaw }, behind);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}

function openExisting(files: FileSystem, name: string, what: string): Promise<StorageFile> {
  return files.open(name).catch((error) => {
    if (['ENOENT', 'EINVAL', 'EACCES', 'EISDIR'].includes(codeOf(error)))
      throw refusal('image', `${what} cannot be read: ${(error as Error).message}`);
    throw error;
  });
}

/** Its name and content are on stable storage on return. */
async function withNewFile(store: Datastore, to: string, act: (file: StorageFile) => Promise<void>): Promise<void> {
  const file = await store.files.open(to, { write: true, create: 'new' });
  try {
    await act(file);
    await file.sync();
  } finally {
    await file.close();
  }
}
