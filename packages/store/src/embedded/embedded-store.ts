/** The Store in one SQLite file; its tables are in schema.ts. */
import { bytesOf, refusal, type Situation, type Write } from '../conditions';
import { closedError, type StoreError } from '../errors';
import { checkKey, checkPrefix, checkValue } from '../keys';
import { type DeletionLimits, HISTORY_PER_KEY } from '../limits';
import type { Change, Entry, Revision, Store, Watch, WatchOptions, WriteOptions } from '../store';
import { type ChangeIndex, Watches } from '../watches';
import type { Commits } from './commits';
import { onFile, type Sqlite, type Statement } from './sqlite';
import { type ChangeRow, changeSum, checkedChange } from './sums';

interface Row extends ChangeRow {
  readonly revision: Revision;
}

const COLUMNS = 'revision, key, time_ms, value, sum';

export class EmbeddedStore implements Store, ChangeIndex, Situation {
  readonly generation = 0;
  revision: Revision = 0;
  floor: Revision = 0;
  bytes = 0;
  private deletions = 0;
  private closed = false;
  private readonly watches = new Watches(this);
  private readonly sql: Record<keyof typeof STATEMENTS, Statement>;

  constructor(
    private readonly file: string,
    db: Sqlite,
    private readonly commits: Commits,
    readonly maxBytes: number,
    private readonly deletionLimits: DeletionLimits,
  ) {
    this.sql = Object.fromEntries(Object.entries(STATEMENTS).map(([name, text]) => [name, db.prepare(text)])) as typeof this.sql;
    for (const name of ['revision', 'floor', 'bytes', 'deletions', 'nextDeletion'] as const) this.sql[name].pluck();
    this.refresh();
  }

  async get(key: string): Promise<Entry | undefined> {
    checkKey(key);
    this.checkOpen();
    return onFile(this.file, () => this.entry(key));
  }

  async list(prefix: string): Promise<{ entries: Entry[]; revision: Revision }> {
    checkPrefix(prefix);
    this.checkOpen();
    const rows = this.checked(onFile(this.file, () => this.sql.list.all(prefix, endOf(prefix))));
    return { entries: Array.from(rows, toEntry), revision: this.revision };
  }

  async put(key: string, value: Uint8Array, options: WriteOptions = {}): Promise<Revision> {
    checkKey(key);
    checkValue(key, value);
    return this.write({ key, value: Uint8Array.from(value), options });
  }

  async delete(key: string, options: WriteOptions = {}): Promise<Revision> {
    checkKey(key);
    return this.write({ key, options });
  }

  async history(key: string): Promise<Change[]> {
    checkKey(key);
    this.checkOpen();
    return Array.from(this.checked(onFile(this.file, () => this.sql.history.all(key))), toChange);
  }

  watch(prefix: string, options?: WatchOptions): Watch {
    this.checkOpen();
    return this.watches.watch(prefix, options);
  }

  /** Whoever opened the file closes it. */
  async close(): Promise<void> {
    this.closed = true;
    this.watches.close();
  }

  /** After a commit. If it was undone, what was counted in it is counted anew. */
  committed(undone: boolean): void {
    if (undone) this.refresh();
    else this.watches.wake();
  }

  entry(key: string): Entry | undefined {
    const row = this.sql.get.get(key) as Row | undefined;
    return row && toEntry(checkedChange(this.file, row));
  }

  changesAfter(after: Revision, prefix: string, limit: number): Change[] {
    return Array.from(this.checked(this.sql.after.all(after, prefix, endOf(prefix), limit)), toChange);
  }

  private checked(rows: unknown[]): Row[] {
    for (const row of rows as Row[]) checkedChange(this.file, row);
    return rows as Row[];
  }

  private write(write: Write): Promise<Revision> {
    this.checkOpen();
    return this.commits.run(() => {
      const refused: StoreError | undefined = refusal(write, this);
      if (refused) throw refused;
      return this.apply(write);
    });
  }

  /** Within a transaction. */
  private apply({ key, value }: Write): Revision {
    const old = this.entry(key);
    this.sql.age.run(key);
    const row = { key, time_ms: Date.now(), value: value ?? null };
    const revision = Number(this.sql.insert.run(key, row.time_ms, row.value, changeSum(row)).lastInsertRowid);
    this.sql.forget.run(key, key, HISTORY_PER_KEY);
    this.revision = revision;
    this.bytes += (value ? bytesOf(key, value) : 0) - (old ? bytesOf(key, old.value) : 0);
    if (!value && ++this.deletions > this.deletionLimits.tidyAt) this.tidy();
    return revision;
  }

  private tidy(): void {
    const { kept } = this.deletionLimits;
    this.floor = this.sql.nextDeletion.get(this.deletions - kept - 1) as Revision;
    this.sql.tidy.run(this.floor);
    this.sql.setFloor.run(this.floor);
    this.deletions = kept;
  }

  /** Reads what is otherwise kept in step with the file. */
  private refresh(): void {
    onFile(this.file, () => {
      this.revision = (this.sql.revision.get() as number | undefined) ?? 0;
      this.floor = this.sql.floor.get() as number;
      this.bytes = this.sql.bytes.get() as number;
      this.deletions = this.sql.deletions.get() as number;
    });
  }

  private checkOpen(): void {
    if (this.closed) throw closedError();
  }
}

/** The first key behind all those with the prefix; keys are ASCII. */
const endOf = (prefix: string): string => (prefix === '' ? '\x7f' : `${prefix.slice(0, -1)}0`); // '0' follows '/'

function toEntry({ revision, key, time_ms, value }: Row): Entry {
  return { key, value: new Uint8Array(value!), revision, timeMs: time_ms };
}

function toChange(row: Row): Change {
  const { key, revision, time_ms: timeMs } = row;
  return row.value === null ? { type: 'delete', key, revision, timeMs } : { type: 'put', ...toEntry(row) };
}

const STATEMENTS = {
  get: `SELECT ${COLUMNS} FROM changes WHERE key = ? AND latest = 1 AND value IS NOT NULL`,
  list: `SELECT ${COLUMNS} FROM changes WHERE latest = 1 AND value IS NOT NULL AND key >= ? AND key < ? ORDER BY key`,
  history: `SELECT ${COLUMNS} FROM changes WHERE key = ? ORDER BY revision DESC`,
  after: `SELECT ${COLUMNS} FROM changes INDEXED BY changes_order
          WHERE latest = 1 AND revision > ? AND key >= ? AND key < ? ORDER BY revision LIMIT ?`,
  age: 'UPDATE changes SET latest = 0 WHERE key = ? AND latest = 1',
  insert: 'INSERT INTO changes (key, time_ms, latest, value, sum) VALUES (?, ?, 1, ?, ?)',
  forget: `DELETE FROM changes WHERE key = ? AND revision <=
           (SELECT revision FROM changes WHERE key = ? ORDER BY revision DESC LIMIT 1 OFFSET ?)`,
  revision: `SELECT seq FROM sqlite_sequence WHERE name = 'changes'`,
  floor: `SELECT number FROM facts WHERE name = 'floor'`,
  setFloor: `UPDATE facts SET number = ? WHERE name = 'floor'`,
  bytes: 'SELECT coalesce(sum(length(key) + length(value)), 0) FROM changes WHERE latest = 1 AND value IS NOT NULL',
  deletions: 'SELECT count(*) FROM changes WHERE latest = 1 AND value IS NULL',
  nextDeletion: 'SELECT revision FROM changes WHERE latest = 1 AND value IS NULL ORDER BY revision LIMIT 1 OFFSET ?',
  tidy: 'DELETE FROM changes WHERE key IN (SELECT key FROM changes WHERE latest = 1 AND value IS NULL AND revision <= ?)',
} as const;
