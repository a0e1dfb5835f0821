import fs from 'node:fs';
import type { DiskShape } from './client';
import type { DiskMark, ImageSpec } from './disk-host';
import type { ServedImage } from './server';

export async function openImage(spec: ImageSpec): Promise<ServedImage & { shape: DiskShape; mark(): Promise<DiskMark>; close(): Promise<void> }> {
  const fd = fs.openSync(spec.location, spec.readOnly ? 'r' : 'r+');
  const size = fs.fstatSync(fd).size;
  return {
    shape: { sectors: Math.floor(size / 512), readOnly: spec.readOnly, serial: spec.serial ?? 'GW0' },
    read(offset, into) { let at = offset; for (const b of into) { fs.readSync(fd, b, 0, b.length, at); at += b.length; } },
    write(offset, from, fua) { fs.writevSync(fd, from as Uint8Array[], offset); if (fua) fs.fdatasyncSync(fd); },
    flush() { fs.fdatasyncSync(fd); },
    discard() {},
    writeZeroes(offset, length) { fs.writeSync(fd, new Uint8Array(length), 0, length, offset); },
    async mark() { const { size: bytes, mtimeMs } = fs.statSync(spec.location); return { bytes, mtimeMs }; },
    async close() { fs.fdatasyncSync(fd); fs.closeSync(fd); },
  };
}
