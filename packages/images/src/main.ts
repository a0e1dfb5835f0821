/** Prints the paths of the guest images as JSON, fetching them first if need be. */
import { join } from 'node:path';
import { ensureGuestImages } from './guest-images';
import { ImageError } from './run-tool';

const cacheDir = process.argv[2] ?? join(process.cwd(), '.cache', 'images');

ensureGuestImages(cacheDir, (line) => console.error(line)).then(
  (images) => console.log(JSON.stringify(images, null, 2)),
  (error: unknown) => {
    console.error(error instanceof ImageError ? `godwit: ${error.message}` : error);
    process.exitCode = 1;
  },
);
