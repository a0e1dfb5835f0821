/**
 * Prometheus and promtool, for the tests of metrics: Debian's package, fetched and unpacked into .cache/prometheus
 * without installing it. Installed, it would bring a dozen packages for its web pages and start a server at port 9090.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { root, StepFailed } from './run.mjs';

const FOLDER = join(root, '.cache/prometheus');
const PROGRAMS = ['prometheus', 'promtool'];

export function prometheus() {
  if (PROGRAMS.every((name) => existsSync(join(FOLDER, name)))) return 'present';
  mkdirSync(join(root, '.cache'), { recursive: true });
  const work = mkdtempSync(join(root, '.cache/prometheus-partial-'));
  try {
    // The package lists may be older than the archive: they are read anew if it is not found.
    if (!tool('apt-get', ['download', '-q', 'prometheus'], work).ok) {
      tool('apt-get', ['update', '-qq'], work);
      const { ok, problem } = tool('apt-get', ['download', '-q', 'prometheus'], work);
      if (!ok) throw new StepFailed(`the package prometheus cannot be fetched: ${problem}`);
    }
    const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
    const script = 'set -o pipefail; dpkg-deb --fsys-tarfile "$0" | tar --extract --strip-components=3 "$@"';
    const { ok, problem } = tool('bash', ['-c', script, archive, ...PROGRAMS.map((name) => `./usr/bin/${name}`)], work);
    if (!ok) throw new StepFailed(`${archive} cannot be unpacked: ${problem}`);
    mkdirSync(FOLDER, { recursive: true });
    for (const name of PROGRAMS) renameSync(join(work, name), join(FOLDER, name));
    return 'fetched';
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function tool(name, args, cwd) {
  const { status, stderr, error } = spawnSync(name, args, { cwd, encoding: 'utf8' });
  return { ok: status === 0, problem: error?.message ?? stderr?.trim().split('\n').at(-1) };
}
