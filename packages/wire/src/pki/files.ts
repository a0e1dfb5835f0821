/** Keys and certificates as files: secrets 0600 in folders 0700, replaced as a whole, never read if others can read them. */
import {
  chmodSync,
  closeSync,
  fstatSync,
  fsyncSync,
  statSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { WireError } from '../errors';
import { MAX_PEM_BYTES } from '../limits';

const OTHERS = 0o077;

/** Makes the folder, 0700, or checks that it is one. @throws WireError 'precondition' */
export function secretFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { mode } = statSync(folder);
  if (mode & OTHERS)
    throw new WireError(
      'precondition',
      `the folder ${folder} holds secrets and is open to others (mode ${octal(mode)}): run chmod 700 ${folder}`,
    );
}

/** Durable before it returns; readers find the old text or the new, never a part. @throws as `fs` does */
export function writeFile(file: string, text: string, mode: 0o600 | 0o644): void {
  const fresh = `${file}.${process.pid}.new`;
  rmSync(fresh, { force: true });
  try {
    const fd = openSync(fresh, 'wx', mode);
    try {
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    // The umask may have taken bits from it.
    chmodSync(fresh, mode);
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
  const folder = openSync(path.dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** @throws WireError 'precondition': missing, too long, or open to others, with what to do */
export function readSecret(file: string): string {
  return read(file, (mode) => {
    if (mode & OTHERS)
      throw new WireError(
        'precondition',
        `the key file ${file} can be read by others (mode ${octal(mode)}): run chmod 600 ${file}, and renew the key if somebody else may have read it`,
      );
  });
}

/** @throws WireError 'precondition': missing or too long */
export const readPublic = (file: string): string => read(file, () => {});

function read(file: string, check: (mode: number) => void): string {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    throw new WireError('precondition', `the file ${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    // Of the open file: its name may lead elsewhere by now.
    const { mode, size } = fstatSync(fd);
    check(mode);
    if (size > MAX_PEM_BYTES) throw new WireError('precondition', `the file ${file} is no certificate or key: it has ${size} bytes`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');
