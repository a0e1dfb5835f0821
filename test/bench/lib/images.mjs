/* Kernel and busybox: those of packages/images, or the ones that the environment names. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.mjs';

/** → { kernel686, kernelPae, busybox } */
export function guestImages(say) {
  const { GODWIT_BENCH_KERNEL: kernel, GODWIT_BENCH_BUSYBOX: busybox } = process.env;
  if (kernel && busybox) return { kernel686: kernel, kernelPae: kernel, busybox };
  const main = join(root, 'packages', 'images', 'dist', 'main.js');
  if (!existsSync(main)) {
    throw new Error('packages/images is not built (npm run build), and GODWIT_BENCH_KERNEL and GODWIT_BENCH_BUSYBOX are not set');
  }
  say('looking for the guest images (fetched through apt the first time)');
  return JSON.parse(execFileSync(process.execPath, [main], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}
