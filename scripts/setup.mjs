/**
 * Makes a fresh checkout ready to run: packages, guest images, build. Each step looks
 * first and does only what is missing, so running it again costs about two seconds.
 *
 *   node scripts/setup.mjs            ready to run Godwit
 *   node scripts/setup.mjs --tests    ready to run its tests, too
 *   node scripts/setup.mjs --build    packages and build only, no guest images
 */
import { pathToFileURL } from 'node:url';
import { compileNative, compileTypeScript } from './lib/compile.mjs';
import { debianPackages } from './lib/debian-packages.mjs';
import { guestImages } from './lib/images.mjs';
import { npmPackages } from './lib/npm-packages.mjs';
import { prometheus } from './lib/prometheus.mjs';
import { step } from './lib/run.mjs';

export async function setUp({ tests = false, images = true } = {}) {
  // Debian first: an npm package may need the compiler.
  await step('Debian packages', () => debianPackages({ tests }));
  if (tests) await step('Prometheus', prometheus);
  await step('npm packages', npmPackages);
  await step('native layer', compileNative);
  await step('TypeScript', compileTypeScript);
  if (images) await step('guest images', guestImages);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await setUp({ tests: process.argv.includes('--tests'), images: !process.argv.includes('--build') });
}
