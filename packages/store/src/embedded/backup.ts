/** Copies of the store's file: made while it is in use, checked before they count, put back with the old file kept. */
import fs from 'node:fs';
import path from 'node:path';
import { closedError, StoreError } from '../errors';
import { checkFile, syncFile } from './database';
import { APPLICATION_ID } from './schema';
import { Database, onFile, type Sqlite, toStoreError } from './sqlite';

/**
 * Added to a restored store's revision, so that none from after the backup is used a second time:
 * whoever still holds one meets a conflict or, in a watch, a reset.
 */
const RESTORED_REVISION_STEP = 2 ** 32;

export async function backUp(file: string, db: Sqlite, target: string): Promise<void> {
  if (!db.open) throw closedError();
  if (path.resolve(target) === path.resolve(file)) throw new RangeError('a backup needs another file than the store itself');
  const part = `${target}.part`;
  try {
    fs.rmSync(part, { force: true });
    fs.closeSync(fs.openSync(part, 'wx', 0o600));
    await db.backup(part);
    withoutWal(part);
    checkFile(part);
    syncFile(part);
    fs.renameSync(part, target);
    syncFile(target);
  } catch (error) {
    removeStore(part);
    throw plain(toStoreError(target, error), `the backup ${target} was not made`);
  }
}

/**
 * Puts a backup in the place of the store, which must not be in use. What stood there is kept as
 * `<file>.replaced-<time>`; returns that name, undefined if there was nothing.
 * @throws StoreError, with the store as it was
 */
export function restoreBackup(backup: string, file: string): string | undefined {
  if (!path.isAbsolute(file)) throw new RangeError(`the store's file needs an absolute path, not '${file}'`);
  if (!fs.existsSync(backup)) throw new StoreError('not-found', `there is no backup ${backup}; name one that is there`);
  refuseIfUsed(file);
  const part = `${file}.restored`;
  try {
    removeStore(part);
    fs.copyFileSync(backup, part);
    fs.chmodSync(part, 0o600);
    withoutWal(part);
    checkFile(part);
    advance(part);
    syncFile(part);
    const kept = setAside(file);
    fs.renameSync(part, file);
    syncFile(file);
    return kept;
  } catch (error) {
    removeStore(part);
    throw plain(error, `the backup ${backup} was not restored`);
  }
}

/** One file with no other beside it: it is about to be renamed. */
function withoutWal(part: string): void {
  onFile(part, () => {
    const db = new Database(part, { fileMustExist: true });
    try {
      db.pragma('journal_mode = DELETE');
    } finally {
      db.close();
    }
  });
}

function advance(part: string): void {
  onFile(part, () => {
    const db = new Database(part, { fileMustExist: true });
    try {
      if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) {
        throw new StoreError('corrupt', `${part} is empty; name a backup that the store made`);
      }
      for (const table of ['changes', 'events']) {
        db.exec(`INSERT INTO sqlite_sequence (name, seq) SELECT '${table}', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = '${table}');
                 UPDATE sqlite_sequence SET seq = seq + ${RESTORED_REVISION_STEP} WHERE name = '${table}'`);
      }
      db.exec(`UPDATE facts SET number = (SELECT seq FROM sqlite_sequence WHERE name = 'changes') WHERE name = 'floor'`);
    } finally {
      db.close();
    }
  });
}

/** @throws StoreError 'unavailable', by name */
function refuseIfUsed(file: string): void {
  if (!fs.existsSync(file)) return;
  try {
    checkFile(file);
  } catch (error) {
    // Damaged is no obstacle: that is what restoring is for.
    if (error instanceof StoreError && error.code === 'unavailable') throw error;
  }
}

function setAside(file: string): string | undefined {
  if (!fs.existsSync(file)) return undefined;
  const kept = `${file}.replaced-${new Date().toISOString().replaceAll(':', '')}`;
  // A second name, so that there is no moment without a store: the next start would make an empty one.
  fs.linkSync(file, kept);
  // The WAL goes: beside the restored file it would be taken for that one's own.
  for (const end of ['-wal', '-shm', '-journal']) if (fs.existsSync(file + end)) fs.renameSync(file + end, kept + end);
  return kept;
}

const removeStore = (file: string): void => {
  for (const end of ['', '-wal', '-shm', '-journal']) fs.rmSync(file + end, { force: true });
};

function plain(error: unknown, what: string): unknown {
  if (error instanceof StoreError) return new StoreError(error.code, `${what}: ${error.message}`);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return new StoreError('full', `${what}: its disk is full; make room there and try again`);
  if (typeof code === 'string') return new StoreError('unavailable', `${what}: ${message}; check the folder and who may write there`);
  return error;
}
