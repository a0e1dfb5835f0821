/** Guest kernels and busybox for tests, benchmarks and first runs: see packages/images. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root, StepFailed } from './run.mjs';

export async function guestImages() {
  const { ensureGuestImages } = createRequire(import.meta.url)(join(root, 'packages/images'));
  let fetched = false;
  try {
    await ensureGuestImages(join(root, '.cache/images'), (line) => {
      fetched = true;
      console.log(`godwit: ${line}`);
    });
  } catch (error) {
    if (error.name === 'ImageError') throw new StepFailed(error.message);
    throw error;
  }
  return fetched ? 'fetched' : 'present';
}
