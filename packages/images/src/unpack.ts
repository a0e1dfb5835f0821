/**
 * Takes single files out of a Debian package. A kernel package holds some 300 MB of
 * modules beside the one file wanted, so it is not unpacked as a whole; decompressing
 * is what takes the time, so all wanted files are written in one pass.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { TOOL_TIMEOUT_MS } from './limits';
import { ImageError } from './run-tool';

export interface WantedFile {
  /** Path in the package, as `./boot/vmlinuz-*`; `*` stands for anything. Exactly one file must match. */
  pattern: string;
  target: string;
}

/** pipefail: a damaged archive must not pass for a shorter one. */
const SCRIPT = 'set -o pipefail; dpkg-deb --fsys-tarfile "$0" | tar --extract --wildcards --directory "$1" "${@:2}"';

export function unpackFiles(archive: string, wanted: readonly WantedFile[]): void {
  const scratch = `${archive}.unpacked`;
  mkdirSync(scratch);
  const patterns = wanted.map((file) => file.pattern);
  const run = spawnSync('bash', ['-c', SCRIPT, archive, scratch, ...patterns], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: TOOL_TIMEOUT_MS,
  });
  if (run.status !== 0) {
    const reason = run.error?.message ?? run.stderr.trim().split('\n')[0];
    throw new ImageError(`cannot unpack ${basename(archive)}: ${reason}`);
  }
  const paths = readdirSync(scratch, { recursive: true, encoding: 'utf8' });
  for (const { pattern, target } of wanted) {
    const matches = paths.filter((path) => matcher(pattern).test(`./${path}`) && statSync(join(scratch, path)).isFile());
    if (matches.length !== 1) {
      throw new ImageError(`${basename(archive)} holds ${matches.length} files like ${pattern}, and not exactly one`);
    }
    renameSync(join(scratch, matches[0]), target);
  }
}

function matcher(pattern: string): RegExp {
  return new RegExp(`^${pattern.split('*').map((text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
}
