/**
 * The file's tables, and how a file of an older version becomes one of this. A migration, once
 * released, is never changed: add one below it.
 *
 * `changes` holds every key's last change (`latest` = 1; `value` null: deleted) and the ones before
 * it, as far as they are kept. Its key is the revision.
 */
import { StoreError } from '../errors';
import { damagedText, onFile, type Sqlite } from './sqlite';
import { defineSums } from './sums';

export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE changes (
     revision INTEGER PRIMARY KEY AUTOINCREMENT,
     key      TEXT    NOT NULL,
     time_ms  INTEGER NOT NULL,
     latest   INTEGER NOT NULL,
     value    BLOB
   ) STRICT;
   CREATE UNIQUE INDEX changes_latest ON changes (key) WHERE latest = 1;
   CREATE INDEX changes_key ON changes (key, revision);
   CREATE INDEX changes_order ON changes (revision) WHERE latest = 1;
   CREATE TABLE facts (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT;
   INSERT INTO facts VALUES ('floor', 0);
   CREATE TABLE events (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT,
     time_ms  INTEGER NOT NULL,
     kind     TEXT    NOT NULL,
     id       TEXT    NOT NULL,
     data     TEXT    NOT NULL
   ) STRICT;
   CREATE INDEX events_subject ON events (kind, id, sequence);
   CREATE INDEX events_id ON events (id, sequence);`,
  // A checksum for each row: sums.ts.
  `ALTER TABLE changes ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
   ALTER TABLE events ADD COLUMN sum INTEGER NOT NULL DEFAULT -1;
   UPDATE changes SET sum = change_sum(key, time_ms, value);
   UPDATE events SET sum = event_sum(time_ms, kind, id, data);`,
];

/** From this version on each row has its checksum. */
export const SUMS_VERSION = 2;

/** "gdwt": tells a store from any other SQLite file. */
export const APPLICATION_ID = 0x67647774;

/** Its version, if the file is a store and none from a later one; 0: an empty file. @throws StoreError 'corrupt', 'newer-schema' */
export function checkVersion(file: string, db: Sqlite, migrations = MIGRATIONS): number {
  const version = number(db, 'user_version');
  const isEmpty = version === 0 && number(db, 'page_count') <= 1 && db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0;
  if (!isEmpty && number(db, 'application_id') !== APPLICATION_ID) {
    throw new StoreError('corrupt', `${file} is a database, but not a Godwit store; give the store another file`);
  }
  if (!isEmpty && version < 1) throw new StoreError('corrupt', damagedText(file, `its version is ${version}`));
  if (version > migrations.length) {
    throw new StoreError(
      'newer-schema',
      `the store ${file} was written by a newer Godwit (schema ${version}, this one knows ${migrations.length}); install that version, or restore a backup from before the upgrade`,
    );
  }
  return version;
}

/** Brings the file to this version, each step whole or not at all. */
export function migrate(file: string, db: Sqlite, migrations = MIGRATIONS): void {
  defineSums(db);
  for (let version = number(db, 'user_version'); version < migrations.length; version++) {
    const step = db.transaction(() => {
      db.exec(migrations[version]);
      db.pragma(`application_id = ${APPLICATION_ID}`);
      db.pragma(`user_version = ${version + 1}`);
    });
    onFile(file, () => step.immediate());
  }
}

const number = (db: Sqlite, pragma: string): number => db.pragma(pragma, { simple: true }) as number;
