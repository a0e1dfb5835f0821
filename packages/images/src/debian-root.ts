/**
 * Builds the Debian system itself, as a tar archive, with mmdebstrap: as root directly,
 * else in a user namespace (which needs subordinate ids in /etc/subuid and newuidmap).
 * The i386 programs of the new system run on the x86-64 kernel as they are.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DEBIAN_FILES, EARLY_FILES, EXPORT_FOLDER, finishScript } from './debian-files';
import { LEFT_OUT, MASKED_UNITS, PACKAGES } from './debian-packages';
import type { InitramfsFile } from './initramfs';
import { SYSTEM_TIMEOUT_MS } from './limits';
import { runTool } from './run-tool';

/** The files that the build hands out beside the system. */
export const EXPORTS = ['boot.img', 'core.img', 'vmlinuz', 'initrd.img', 'id_ed25519'] as const;

export const isRoot = () => process.getuid?.() === 0;

/** @param work gets `root.tar` and the EXPORTS; @param source a line for sources.list */
export function buildDebianRoot(work: string, source: string, suite: string, architecture: string): void {
  const early = writeOverlay(join(work, 'early'), EARLY_FILES);
  const late = writeOverlay(join(work, 'late'), DEBIAN_FILES);
  const finish = join(work, 'finish.sh');
  writeFileSync(finish, finishScript(MASKED_UNITS));
  // Where root may write, all scratch goes with the work folder; a subordinate user gets into /tmp at least.
  const env: Record<string, string> = isRoot() ? { TMPDIR: work } : {};
  const args = [
    `--mode=${isRoot() ? 'root' : 'unshare'}`,
    '--variant=required',
    `--architectures=${architecture}`,
    '--format=tar',
    // Its look whether i386 programs run here wants one more tool; if they do not, the first one says so.
    '--skip=check/qemu',
    '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
    `--include=${PACKAGES.join(',')}`,
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    '--dpkgopt=force-unsafe-io',
    `--essential-hook=tar-in ${quote(early)} /`,
    `--customize-hook=tar-in ${quote(late)} /`,
    `--customize-hook=upload ${quote(finish)} /finish.sh`,
    '--customize-hook=chroot "$1" sh /finish.sh',
    ...EXPORTS.map((name) => `--customize-hook=download ${EXPORT_FOLDER}/${name} ${quote(join(work, name))}`),
    `--customize-hook=rm -r "$1/finish.sh" "$1${EXPORT_FOLDER}"`,
    // A build that fails is thrown away as a whole; in the guest, dpkg is to force its writes out as everywhere.
    '--customize-hook=sed -i /force-unsafe-io/d "$1"/etc/dpkg/dpkg.cfg.d/*',
    suite,
    join(work, 'root.tar'),
    source,
  ];
  runTool('mmdebstrap', args, { env, timeoutMs: SYSTEM_TIMEOUT_MS });
}

/** mmdebstrap takes its own hooks apart as a shell does. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function writeOverlay(folder: string, files: readonly InitramfsFile[]): string {
  for (const { path, data, mode } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), data, { mode: mode ?? 0o644 });
  }
  const archive = `${folder}.tar`;
  runTool('tar', ['--create', '--file', archive, '--owner=0', '--group=0', '--mode=u=rwX,go=rX', '--directory', folder, '.']);
  return archive;
}
