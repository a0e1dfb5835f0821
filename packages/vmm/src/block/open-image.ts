import { createHash } from 'node:crypto';
import type { DiskShape } from './client';
import type { DiskMark, ImageSpec } from './disk-host';
import { openFile } from './open-file';
import type { ServedImage } from './server';

export interface OpenImage extends ServedImage {
  readonly shape: DiskShape;
  mark(): Promise<DiskMark>;
  close(): Promise<void>;
}

/** @throws DiskError in one line */
export async function openImage(spec: ImageSpec): Promise<OpenImage> {
  const { file, mark, close } = await openFile(spec, !spec.readOnly);
  const size = await file.size();
  const zeroes = new Uint8Array(1 << 20);
  return {
    shape: { sectors: Math.floor(size / 512), readOnly: spec.readOnly, serial: spec.serial ?? serialOf(spec) },
    read(offset, into) {
      if (file.readPartsNow) return void file.readPartsNow(into, offset);
      return file.readParts!(into, offset).then(() => {});
    },
    write(offset, from, fua) {
      if (file.writeNow && file.syncNow) {
        file.writeNow(from, offset);
        if (fua) file.syncNow();
        return;
      }
      return file.write(from, offset).then(() => (fua ? file.sync() : undefined));
    },
    flush: () => (file.syncNow ? file.syncNow() : file.sync()),
    discard: (offset, length) => file.discard?.(offset, length),
    async writeZeroes(offset, length) {
      for (let done = 0; done < length; done += zeroes.length) {
        await file.write([zeroes.subarray(0, Math.min(zeroes.length, length - done))], offset + done);
      }
    },
    mark,
    async close() {
      if (!spec.readOnly) await file.sync();
      await file.close();
      await close();
    },
  };
}

/** The same for the same image on every host. */
const serialOf = ({ location }: ImageSpec): string => `GW${createHash('sha256').update(location).digest('hex').slice(0, 14)}`;
