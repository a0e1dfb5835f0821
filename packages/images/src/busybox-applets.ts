/**
 * The applets a busybox binary holds, read from the binary itself: it is an i386
 * program, and a host need not be able to run those. Busybox keeps their names as one
 * sorted run of NUL-terminated strings that begins with `[` and `[[` and is closed by
 * an empty string (busybox, include/applet_tables.h).
 */
import { ImageError } from './run-tool';

const FIRST_NAMES = Buffer.from('\0[\0[[\0');
const NAME = /^[a-z0-9[][a-z0-9_.[-]*$/i;

export function busyboxApplets(binary: Buffer): string[] {
  const start = binary.indexOf(FIRST_NAMES);
  const end = start < 0 ? -1 : binary.indexOf('\0\0', start + 1);
  const names = end < 0 ? [] : binary.toString('latin1', start + 1, end).split('\0');
  if (!names.includes('sh') || !names.every((name) => NAME.test(name))) {
    throw new ImageError('this busybox holds no applet names where they are expected');
  }
  return names;
}
