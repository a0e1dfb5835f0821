/** SQLite's errors in the store's terms. */
/// <reference path="./better-sqlite3.d.ts" />
import Database from 'better-sqlite3';
import { StoreError } from '../errors';

export type Sqlite = Database.Database;
export type Statement = Database.Statement;
export { Database };

/**
 * Runs an action on the file.
 * @throws StoreError with the cause; `writes`: a fault of the disk leaves open whether the write will be there after a crash
 */
export function onFile<T>(file: string, act: () => T, writes = false): T {
  try {
    return act();
  } catch (error) {
    throw toStoreError(file, error, writes);
  }
}

export function toStoreError(file: string, error: unknown, writes = false): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (error instanceof StoreError || typeof code !== 'string' || !code.startsWith('SQLITE_')) return error;
  const known = TABLE.find(([prefix]) => code.startsWith(prefix));
  if (!known) return error;
  const [, storeCode, text] = known;
  return new StoreError(storeCode, text.replaceAll('FILE', file), writes && code.startsWith('SQLITE_IOERR'));
}

export const damagedText = (file: string, how: string): string =>
  `the store ${file} is damaged (${how}); nothing was changed: stop the controller and restore the newest backup (godwit store restore ${file}), the damaged file is then kept beside it`;

const TABLE: readonly (readonly [prefix: string, code: StoreError['code'], text: string])[] = [
  ['SQLITE_FULL', 'full', 'the disk of the store FILE is full; nothing was lost or changed: make room there and try again'],
  // The file that the check at opening makes beside the store did not fit.
  ['SQLITE_IOERR_SHMSIZE', 'full', 'the disk of the store FILE is full; nothing was lost or changed: make room there and try again'],
  ['SQLITE_NOTADB', 'corrupt', damagedText('FILE', 'it is not a store')],
  ['SQLITE_CORRUPT', 'corrupt', damagedText('FILE', 'a page does not fit')],
  ['SQLITE_BUSY', 'unavailable', 'the store FILE is in use by another process; stop that one first'],
  ['SQLITE_CANTOPEN', 'unavailable', 'the store FILE cannot be opened; check that its folder exists and that this user may write there'],
  ['SQLITE_PERM', 'unavailable', 'the store FILE may not be opened by this user; check its owner and mode'],
  ['SQLITE_READONLY', 'unavailable', 'the store FILE cannot be written; check its owner, its mode and that its disk is not read-only'],
  ['SQLITE_IOERR', 'unavailable', "the disk of the store FILE fails or its quota is used up; look at the system's log, then try again"],
  ['SQLITE_NOMEM', 'unavailable', 'this process has no memory left for the store FILE; give it more and try again'],
];
