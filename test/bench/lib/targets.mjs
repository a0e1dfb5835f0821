/*
 * The two VMMs under the same conditions: one CPU, the same memory, kernel,
 * initramfs and kernel command line, the serial port on standard output.
 */
import { join } from 'node:path';
import { guestMemoryMiB } from './limits.mjs';
import { cache, root } from './paths.mjs';

const append = 'console=ttyS0 quiet';

export function godwitCommand({ kernel, initrd }) {
  const statsFile = join(cache, `stats-${process.pid}.json`);
  return {
    command: process.execPath,
    args: [
      join(root, 'packages', 'cli', 'dist', 'main.js'), 'run',
      '--kernel', kernel, '--initrd', initrd, '--append', append, '--memory', `${guestMemoryMiB}M`, '--stats', statsFile,
    ],
    statsFile,
  };
}

export function qemuCommand({ kernel, initrd, options }) {
  return {
    command: 'qemu-system-i386',
    args: [
      '-accel', 'tcg', '-cpu', options.qemuCpu, '-m', String(guestMemoryMiB), '-nographic', '-no-reboot', '-nic', 'none',
      '-kernel', kernel, '-initrd', initrd, '-append', append,
    ],
  };
}
