/** Hands a built disk out: a copy under a name of the user's, with what boots and opens it beside it. */
import { constants, chmodSync, copyFileSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, extname, resolve } from 'node:path';
import type { DebianDisk } from './debian-disk';
import { SYSTEM_TIMEOUT_MS } from './limits';
import { ImageError, runTool } from './run-tool';

/** By the copy's ending: the command that makes it. Both keep holes. */
const FORMATS: Record<string, (from: string, to: string) => [string, string[]]> = {
  '.raw': (from, to) => ['cp', ['--sparse=always', '--reflink=auto', from, to]],
  '.qcow2': (from, to) => ['qemu-img', ['convert', '-O', 'qcow2', from, to]],
};

/** Before a disk is built for it. @throws ImageError unless `out` has an ending that `exportDisk` knows */
export function checkExportPath(out: string): void {
  if (!FORMATS[extname(out)]) throw new ImageError(`${out}: an image is called *${Object.keys(FORMATS).join(' or *')}`);
}

/** @param out path ending in .raw or .qcow2; kernel, initrd and key get its name with endings of their own */
export function exportDisk(disk: DebianDisk, out: string): DebianDisk {
  checkExportPath(out);
  const path = resolve(out);
  const ending = extname(path);
  const stem = path.slice(0, -ending.length);
  const copy = { ...disk, disk: path, kernel: `${stem}.vmlinuz`, initrd: `${stem}.initrd.img`, sshKey: `${stem}.id_ed25519` };
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.partial-${process.pid}`;
  try {
    const [command, args] = FORMATS[ending](disk.disk, partial);
    runTool(command, args, { timeoutMs: SYSTEM_TIMEOUT_MS });
    for (const beside of ['kernel', 'initrd', 'sshKey'] as const) copyFileSync(disk[beside], copy[beside], constants.COPYFILE_FICLONE);
    chmodSync(copy.sshKey, 0o600);
    renameSync(partial, path);
  } finally {
    rmSync(partial, { force: true });
  }
  return copy;
}
