/**
 * Takes one file out of a Debian package. A kernel package holds some 300 MB of
 * modules beside the one file wanted, so the archive is not unpacked as a whole.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { basename } from 'node:path';
import { TOOL_TIMEOUT_MS } from './limits';
import { ImageError, runTool } from './run-tool';

/** Writes the only member of `archive` whose path matches `member` to `target`. */
export function unpackFile(archive: string, member: RegExp, target: string): void {
  const path = onlyMatch(listFiles(archive), member, archive);
  const output = openSync(target, 'w', 0o644);
  try {
    // pipefail: a damaged archive must not pass for a short file.
    const script = 'set -o pipefail; dpkg-deb --fsys-tarfile "$1" | tar --extract --to-stdout "$2"';
    const run = spawnSync('bash', ['-c', script, 'unpack', archive, path], {
      stdio: ['ignore', output, 'pipe'],
      encoding: 'utf8',
      timeout: TOOL_TIMEOUT_MS,
    });
    if (run.status !== 0) {
      throw new ImageError(`cannot unpack ${path} from ${basename(archive)}: ${run.error?.message ?? run.stderr.trim()}`);
    }
  } finally {
    closeSync(output);
  }
}

/** Paths of the regular files, as `./boot/vmlinuz-…`. */
function listFiles(archive: string): string[] {
  return runTool('dpkg-deb', ['--contents', archive])
    .split('\n')
    .filter((line) => line.startsWith('-'))
    .map((line) => line.split(/\s+/).slice(5).join(' '));
}

function onlyMatch(paths: string[], member: RegExp, archive: string): string {
  const matches = paths.filter((path) => member.test(path));
  if (matches.length === 1) return matches[0];
  throw new ImageError(`${basename(archive)} holds ${matches.length} files like ${member.source}, and not exactly one`);
}
