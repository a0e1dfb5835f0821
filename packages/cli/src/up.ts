import path from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import { buildInitramfs, ensureGuestImages, ImageError } from '@godwit/images';
import { CliError, exitCodes } from './errors';
import { run } from './run';

const root = path.join(__dirname, '..', '..', '..');

/**
 * `godwit up`: a real Debian kernel with a busybox root file system, on this
 * terminal, with nothing to choose. Further options go to `run` as they are.
 */
export async function up(argv: string[]): Promise<number> {
  const cache = path.join(root, '.cache', 'images');
  try {
    const images = await ensureGuestImages(cache);
    mkdirSync(cache, { recursive: true });
    const initrd = path.join(cache, 'up-initrd.gz');
    writeFileSync(initrd, buildInitramfs({ busybox: images.busybox }));
    const command = ['--kernel', images.kernel686, '--initrd', initrd, '--append', 'console=ttyS0 quiet', '--memory', '256M'];
    process.stderr.write(`${introduction(command)}\n`);
    return await run([...command, ...argv]);
  } catch (error) {
    if (error instanceof ImageError) throw new CliError(exitCodes.precondition, error.message);
    throw error;
  }
}

function introduction(command: string[]): string {
  const shown = ['npx godwit run', ...command.map((w) => (w.includes(' ') ? `'${w}'` : w.startsWith(root) ? path.relative(process.cwd(), w) : w))];
  return [
    'godwit: booting a Debian i386 kernel by binary translation; its serial console is this terminal.',
    'godwit: poweroff -f ends the guest, Ctrl-] leaves it. The same by hand:',
    `godwit:   ${shown.join(' ')}`,
  ].join('\n');
}
