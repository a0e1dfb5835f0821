import { createHash } from 'node:crypto';
import path from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { type DiskImage, openImage as openDiskImage, resolveBackingName } from '@godwit/disk';
import type { DiskShape } from './client';
import type { DiskMark, ImageSpec } from './disk-host';
import { FlushLedger } from './flush-ledger';
import { openFile } from './open-file';
import type { ServedImage } from './server';

export interface OpenImage extends ServedImage {
  readonly shape: DiskShape;
  mark(): Promise<DiskMark>;
  close(): Promise<void>;
}

/** A request that took so long was served by a slow device: then several are better done at a time. */
const SLOW_MS = 1;
const SLOW_FOR_MS = 2000;

/** @throws DiskError or ImageFormatError, in one line */
export async function openImage(spec: ImageSpec): Promise<OpenImage> {
  const opened = await openFile(spec, !spec.readOnly);
  const closers: (() => Promise<void>)[] = [opened.close];
  const openBacking = async (name: string, from: string) => {
    const location = resolveBackingName(name, from);
    const backing = await openFile({ location, store: spec.store }, false);
    closers.push(backing.close);
    return { file: backing.file, name: location };
  };
  const closeAll = async (): Promise<void> => {
    for (const close of closers) await close();
  };
  let image: DiskImage;
  try {
    const format = spec.format ?? formatOf(spec.location);
    image = await openDiskImage(opened.file, { name: spec.location, format, readOnly: spec.readOnly, inflateRaw }, openBacking);
  } catch (error) {
    await opened.file.close().catch(() => {});
    await closeAll();
    throw error;
  }
  let slowUntil = 0;
  const flushes = new FlushLedger();
  /** Quick devices are served on this thread, without a hop to another; slow ones are asked for several things at a time. */
  const choosing = (request: () => void | Promise<void>): void | Promise<void> => {
    const began = performance.now();
    image.immediate = began >= slowUntil;
    const pending = request();
    if (image.immediate && performance.now() - began > SLOW_MS) slowUntil = began + SLOW_FOR_MS;
    return pending;
  };
  return {
    shape: { sectors: image.sectors, readOnly: spec.readOnly, serial: spec.serial ?? serialOf(spec) },
    read: (offset, into) => choosing(() => image.read(offset, into)),
    write: (offset, from, fua) => flushes.writes(() => choosing(() => image.write(offset, from, { fua }))),
    flush: () => flushes.flush(() => image.flush()),
    discard: (offset, length) => flushes.writes(() => image.discard(offset, length)),
    writeZeroes: (offset, length) => flushes.writes(() => image.writeZeroes(offset, length, { unmap: true })),
    mark: opened.mark,
    close: async () => {
      try {
        await image.close();
      } finally {
        await closeAll();
      }
    },
  };
}

/** By name, never by content: a guest could write any header into a raw disk. */
const formatOf = (location: string): 'raw' | 'qcow2' => (path.extname(location) === '.qcow2' ? 'qcow2' : 'raw');

const inflateRaw = (compressed: Uint8Array, bytes: number): Uint8Array => inflateRawSync(compressed, { maxOutputLength: bytes });

/** The same for the same image on every host. */
const serialOf = ({ location }: ImageSpec): string => `GW${createHash('sha256').update(location).digest('hex').slice(0, 14)}`;
