/**
 * Fetches or builds guest images, if they are not there yet, and prints their paths as JSON.
 *
 *     node dist/main.js [CACHE]                      kernels, busybox, installer
 *     node dist/main.js debian-disk OUT [CACHE]      a Debian system on a disk: OUT.qcow2 or OUT.raw
 */
import { join } from 'node:path';
import { ensureDebianDisk } from './debian-disk';
import { checkExportPath, exportDisk } from './export-disk';
import { ensureGuestImages } from './guest-images';
import { ImageError } from './run-tool';

const log = (line: string) => console.error(line);
const cacheDir = (given: string | undefined) => given ?? join(process.cwd(), '.cache', 'images');

async function main([command, ...rest]: string[]): Promise<unknown> {
  if (command !== 'debian-disk') return ensureGuestImages(cacheDir(command), log);
  const [out, cache] = rest;
  if (!out) throw new ImageError('usage: main.js debian-disk OUT.qcow2|OUT.raw [CACHE]');
  checkExportPath(out);
  return exportDisk(await ensureDebianDisk(cacheDir(cache), log), out);
}

main(process.argv.slice(2)).then(
  (images) => console.log(JSON.stringify(images, null, 2)),
  (error: unknown) => {
    console.error(error instanceof ImageError ? `godwit: ${error.message}` : error);
    process.exitCode = 1;
  },
);
