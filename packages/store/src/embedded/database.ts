/**
 * Opens the store's file: checks it before anything is written, takes it for this process alone,
 * brings it to this version.
 *
 * SQLite's exclusive locking mode holds a lock of the kernel, which ends with the process, however
 * that ends; the file `<store>.owner` only tells others whom to blame. The check runs on a
 * read-only connection, since a writing one would alter a damaged file when it closes.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { StoreError } from '../errors';
import { checkVersion, MIGRATIONS, migrate, SUMS_VERSION } from './schema';
import { Database, damagedText, onFile, type Sqlite, toStoreError } from './sqlite';
import { checkSums } from './sums';

const PRIVATE = 0o600;

export function openDatabase(file: string, migrations = MIGRATIONS): Sqlite {
  if (!path.isAbsolute(file)) throw new RangeError(`the store's file needs an absolute path, not '${file}'`);
  create(file);
  checkFile(file, migrations);
  let db: Sqlite | undefined;
  try {
    db = new Database(file, { fileMustExist: true, timeout: 0 });
    // Before the first access: WAL without a shared-memory file, and the lock is kept.
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('trusted_schema = OFF');
    db.exec('BEGIN IMMEDIATE; COMMIT');
    migrate(file, db, migrations);
    writeOwner(file);
    return db;
  } catch (error) {
    db?.close();
    throw named(file, toStoreError(file, error));
  }
}

/** @throws StoreError 'corrupt', 'newer-schema', 'unavailable'; the file is not touched */
export function checkFile(file: string, migrations = MIGRATIONS): void {
  try {
    onFile(file, () => {
      const db = new Database(file, { readonly: true, fileMustExist: true, timeout: 0 });
      try {
        const [first] = db.prepare('PRAGMA integrity_check(1)').pluck().all() as string[];
        if (first !== 'ok') throw new StoreError('corrupt', damagedText(file, oneLine(first)));
        if (checkVersion(file, db, migrations) >= SUMS_VERSION) checkSums(file, db);
      } catch (error) {
        throw isUnreadable(error) ? new StoreError('corrupt', damagedText(file, oneLine((error as Error).message))) : error;
      } finally {
        db.close();
      }
    });
  } catch (error) {
    throw named(file, error);
  }
}

/** Statements that are sound fail on it, or it ends before it says it does. */
const isUnreadable = (error: unknown): boolean =>
  ['SQLITE_ERROR', 'SQLITE_IOERR_SHORT_READ'].includes(String((error as { code?: unknown }).code));

/** Bytes reach the disk, and the name its folder. */
export function syncFile(file: string): void {
  for (const one of [file, path.dirname(file)]) {
    const handle = fs.openSync(one, 'r');
    fs.fsyncSync(handle);
    fs.closeSync(handle);
  }
}

function create(file: string): void {
  try {
    fs.closeSync(fs.openSync(file, 'wx', PRIVATE));
    syncFile(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new StoreError('full', `the disk for the store ${file} is full; make room there and try again`);
    if (code !== 'EEXIST')
      throw new StoreError('unavailable', `the store ${file} cannot be made (${message}); check its folder and who may write there`);
    makePrivate(file);
  }
}

function makePrivate(file: string): void {
  try {
    if ((fs.statSync(file).mode & 0o777) !== PRIVATE) fs.chmodSync(file, PRIVATE);
  } catch (error) {
    throw new StoreError('unavailable', `the store ${file} cannot be made private (${(error as Error).message}); check its owner`);
  }
}

interface Owner {
  readonly pid: number;
  readonly command: string;
  readonly host: string;
}

function writeOwner(file: string): void {
  const owner: Owner = { pid: process.pid, command: path.basename(process.argv[1] ?? process.argv0), host: os.hostname() };
  try {
    fs.writeFileSync(`${file}.owner`, JSON.stringify(owner), { mode: PRIVATE });
  } catch {
    // Only a help for messages; a full disk must not keep the store shut.
  }
}

/** Says who has the file, if that is the trouble. */
function named(file: string, error: unknown): unknown {
  if (!(error instanceof StoreError) || !error.message.includes('in use by another process')) return error;
  try {
    const { pid, command, host } = JSON.parse(fs.readFileSync(`${file}.owner`, 'utf8')) as Owner;
    return new StoreError(
      'unavailable',
      `the store ${file} is in use by process ${Number(pid)} (${oneLine(String(command))}) on ${oneLine(String(host))}; stop that one first`,
    );
  } catch {
    return error;
  }
}

const oneLine = (text: string): string => text.replace(/[\s\p{Cc}]+/gu, ' ').slice(0, 120);
