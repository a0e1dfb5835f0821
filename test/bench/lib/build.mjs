/*
 * Builds the workloads into one static 32-bit binary. -march=i686 keeps the
 * compiler to what every guest has; each file that wants SSE2 says so here, and
 * float.c is built once for each of the two floating-point units.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { bench, cache } from './paths.mjs';

const common = ['-m32', '-O2', '-march=i686', '-mtune=generic', '-fno-pie', '-Wall', '-Wextra'];
const sse2 = ['-msse2', '-mfpmath=sse'];

const objects = [
  { source: 'main.c' },
  { source: 'integer.c' },
  { source: 'control.c' },
  { source: 'kernel.c' },
  { source: 'process.c' },
  { source: 'memory.c', flags: sse2 },
  { source: 'float.c', object: 'float-x87.o', flags: ['-DFLOAT_UNIT=x87', '-mfpmath=387'] },
  { source: 'float.c', object: 'float-sse2.o', flags: ['-DFLOAT_UNIT=sse2', ...sse2] },
];

/** Path of the binary; its name holds a hash of all that went into it. */
export function buildWorkloads(say) {
  const sources = join(bench, 'workloads');
  const folder = join(cache, `build-${hashOf(sources)}`);
  const binary = join(folder, 'godwit-bench');
  if (existsSync(binary)) return binary;
  say('building the workloads');
  mkdirSync(folder, { recursive: true });
  const files = objects.map(({ source, object = source.replace(/c$/, 'o'), flags = [] }) => {
    const file = join(folder, object);
    execFileSync('gcc', [...common, ...flags, '-c', join(sources, source), '-o', file], { stdio: 'inherit' });
    return file;
  });
  execFileSync('gcc', ['-m32', '-static', '-no-pie', '-o', `${binary}.partial`, ...files, '-lm'], { stdio: 'inherit' });
  renameSync(`${binary}.partial`, binary);
  return binary;
}

/** → [{ name, group }] in the binary's own order. */
export function listWorkloads(binary) {
  const lines = execFileSync(binary, ['list'], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [name, group] = line.split(' ');
    return { name, group };
  });
}

function hashOf(sources) {
  const hash = createHash('sha256').update(JSON.stringify([common, objects]));
  for (const file of readdirSync(sources).sort()) hash.update(file).update(readFileSync(join(sources, file)));
  return hash.digest('hex').slice(0, 12);
}
