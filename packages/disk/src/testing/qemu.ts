/** QEMU's own tools (Debian: qemu-utils), the judges of what a qcow2 image means. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

function tool(program: string, ...args: string[]): { status: number; output: string } {
  const result = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 });
  if (result.error) throw new Error(`${program} does not run (${result.error.message}): apt-get install qemu-utils`);
  return { status: result.status ?? -1, output: result.stdout + result.stderr };
}

/** Runs it, and fails unless it succeeds. */
export function qemuImg(...args: string[]): string {
  const { status, output } = tool('qemu-img', ...args);
  if (status !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${output}`);
  return output;
}

/** Commands for one image; whatever the exit status: some end by `abort`. */
export function qemuIo(file: string, ...commands: string[]): string {
  return tool('qemu-io', '-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), file).output;
}

/** Sound, and without leaks. */
export const qemuCheck = (file: string): string => qemuImg('check', '-f', 'qcow2', file);

/** Both show the same, as far as the shorter one goes. */
export const qemuCompare = (a: string, aFormat: string, b: string, bFormat: string): string =>
  qemuImg('compare', '-f', aFormat, '-F', bFormat, a, b);

export function withFolder(act: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-disk-'));
    try {
      await act(folder);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  };
}
