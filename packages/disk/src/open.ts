/** Opens, makes, checks and describes images: the way in. */
import { checkBackingName } from './backing-name';
import type { DiskImage, ImageFormat } from './disk-image';
import { ImageFormatError, ImageRequestError } from './errors';
import { ImageFile } from './image-file';
import { DEFAULT_CLUSTER_BYTES, MAX_CHAIN_IMAGES, MAX_DISK_BYTES, SECTOR_BYTES, TABLE_CACHE_BYTES } from './limits';
import type { FilePort, InflateRaw, OpenBacking } from './ports';
import { checkQcow2, type CheckReport } from './qcow2/check';
import { createQcow2 } from './qcow2/create';
import { clusterBytesOf, isQcow2, parseHeader, type Qcow2Header } from './qcow2/header';
import { Qcow2Image } from './qcow2/qcow2-image';
import { RawImage } from './raw-image';

export interface OpenImageOptions {
  /** The file's name: for messages, for relative backing names, and to find loops. */
  readonly name: string;
  /**
   * Never guessed from the content: a guest with a raw disk could write a
   * header there, and read any file as its backing file after the next start.
   */
  readonly format: ImageFormat;
  readonly readOnly?: boolean;
  /** Use the ports' synchronous calls where they have them; default true. */
  readonly immediate?: boolean;
  /** Needed for images with compressed clusters. */
  readonly inflateRaw?: InflateRaw;
  /** Memory for tables, for each image of the chain; by default enough for disks of 256 GiB with usual clusters. */
  readonly cacheBytes?: number;
}

/**
 * Opens a disk image, and the images behind it for reading only. The file is
 * closed with the image; if opening fails, it stays open, and what
 * `openBacking` opened is closed.
 * @throws ImageFormatError, or the file's error
 */
export function openImage(file: FilePort, options: OpenImageOptions, openBacking?: OpenBacking): Promise<DiskImage> {
  return openChained(file, options, openBacking, [options.name]);
}

async function openChained(
  port: FilePort,
  options: OpenImageOptions,
  openBacking: OpenBacking | undefined,
  chain: readonly string[],
): Promise<DiskImage> {
  const file = await ImageFile.open(port, options.name);
  file.immediate = options.immediate ?? true;
  const readOnly = options.readOnly ?? false;
  if (options.format === 'raw') return new RawImage(file, readOnly);
  let header = await readHeader(file);
  if (header.dirty && !readOnly) header = await repairDirty(file, header);
  const backing = header.backing && (await openBehind(header.backing, options, openBacking, chain));
  try {
    return await Qcow2Image.open(file, header, {
      readOnly,
      backing,
      inflateRaw: options.inflateRaw,
      cacheBytes: options.cacheBytes ?? TABLE_CACHE_BYTES,
    });
  } catch (error) {
    await backing?.close().catch(() => undefined);
    throw error;
  }
}

async function openBehind(
  backing: { readonly name: string; readonly format?: string },
  options: OpenImageOptions,
  openBacking: OpenBacking | undefined,
  chain: readonly string[],
): Promise<DiskImage> {
  const { name, format } = backing;
  const over = options.name;
  checkBackingName(name, over);
  if (format !== 'raw' && format !== 'qcow2') {
    const what = format === undefined ? 'does not say of which format' : `says it is of format ${format}, which is not supported`;
    throw new ImageFormatError(`${over} lies over ${name} and ${what}: set raw or qcow2 with qemu-img rebase -u -b ${name} -F FORMAT`);
  }
  if (!openBacking) throw new ImageFormatError(`${over} lies over ${name}, and there is no way to open that here`);
  if (chain.length >= MAX_CHAIN_IMAGES)
    throw new ImageFormatError(`${chain[0]} lies over more than ${MAX_CHAIN_IMAGES - 1} images: join some with qemu-img convert`);
  const found = await openBacking(name, over);
  try {
    if (chain.includes(found.name))
      throw new ImageFormatError(`${over} lies over ${found.name}, which lies over ${over}: restore one of them`);
    return await openChained(found.file, { ...options, name: found.name, format, readOnly: true }, openBacking, [...chain, found.name]);
  } catch (error) {
    await found.file.close().catch(() => undefined);
    throw error;
  }
}

/** Refcounts that a crash left behind must be right before anything is allocated by them. */
async function repairDirty(file: ImageFile, header: Qcow2Header): Promise<Qcow2Header> {
  const report = await checkQcow2(file, header, true);
  if (!report.repaired)
    throw new ImageFormatError(
      `${file.name} is damaged (${report.messages[0]}): restore it, or copy what can be read with qemu-img convert`,
    );
  return readHeader(file);
}

async function readHeader(file: ImageFile): Promise<Qcow2Header> {
  const start = await firstBytes(file, SECTOR_BYTES);
  return parseHeader(await firstBytes(file, clusterBytesOf(start, file.name)), file.name);
}

async function firstBytes(file: ImageFile, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.min(count, file.end));
  await file.read([bytes], 0);
  return bytes;
}

export interface CreateImageOptions {
  /** For messages. */
  readonly name: string;
  readonly format: ImageFormat;
  /** Size of the disk; whole sectors. */
  readonly bytes: number;
  /** Only qcow2: the image behind, by a name that is relative to the new image's folder, or absolute. It must not change any more. */
  readonly backing?: { readonly name: string; readonly format: ImageFormat };
  readonly clusterBytes?: number;
  readonly version?: 2 | 3;
  readonly refcountBits?: number;
}

/** Makes an empty image; what the file held is lost. Durable on return. */
export async function createImage(port: FilePort, options: CreateImageOptions): Promise<void> {
  const { bytes, name, format, backing, clusterBytes = DEFAULT_CLUSTER_BYTES, version = 3, refcountBits = 16 } = options;
  if (!(bytes >= 0 && bytes <= MAX_DISK_BYTES && bytes % SECTOR_BYTES === 0)) {
    throw new ImageRequestError('EINVAL', `cannot make ${name}: a disk of ${bytes} bytes is not whole sectors of ${SECTOR_BYTES}`);
  }
  if (format === 'raw') {
    if (backing) throw new ImageRequestError('EINVAL', `cannot make ${name}: a raw image lies over no other one`);
    await port.truncate(0);
    await port.truncate(bytes);
    return port.sync();
  }
  if (backing) checkBackingName(backing.name, name);
  await port.truncate(0);
  await createQcow2(await ImageFile.open(port, name), { bytes, clusterBytes, version, refcountBits, backing });
}

/** Looks for damage, with no image open on the file; mends what can be mended if asked. @throws ImageFormatError where nothing can be said */
export async function checkImage(
  port: FilePort,
  options: { readonly name: string; readonly format: ImageFormat; readonly repair?: boolean },
): Promise<CheckReport> {
  const file = await ImageFile.open(port, options.name);
  if (options.format === 'raw') return SOUND_RAW;
  return checkQcow2(file, await readHeader(file), options.repair ?? false);
}

const SOUND_RAW: CheckReport = {
  format: 'raw',
  mappedClusters: 0,
  leaks: 0,
  corruptions: 0,
  beyondRepair: 0,
  dirty: false,
  markedCorrupt: false,
  repaired: false,
  messages: [],
};

export type ImageInfo =
  | { readonly format: 'raw'; readonly bytes: number; readonly fileBytes: number }
  | ({ readonly format: 'qcow2'; readonly fileBytes: number } & Pick<
      Qcow2Header,
      'bytes' | 'version' | 'clusterBytes' | 'refcountBits' | 'snapshots' | 'dirty' | 'corrupt' | 'backing'
    >);

/** What the file seems to be, by its content: for people to read, not to choose `format` by. */
export async function imageInfo(port: FilePort, name: string): Promise<ImageInfo> {
  const file = await ImageFile.open(port, name);
  if (!isQcow2(await firstBytes(file, SECTOR_BYTES))) return { format: 'raw', bytes: file.end, fileBytes: file.end };
  const { bytes, version, clusterBytes, refcountBits, snapshots, dirty, corrupt, backing } = await readHeader(file);
  return { format: 'qcow2', fileBytes: file.end, bytes, version, clusterBytes, refcountBits, snapshots, dirty, corrupt, backing };
}
