/**
 * L2 tables and refcount blocks in memory, each of one cluster. Changed tables
 * stay until they have been written (commit.ts); a request that keeps a table
 * over a wait pins it. The others go by the clock rule when the cache is full.
 */
import { roundUp, viewOf } from '../bytes';
import type { ImageFile } from '../image-file';
import { MAX_CACHED_TABLES, MIN_CACHED_TABLES, TABLE_WRITE_UNIT_BYTES } from '../limits';
import type { Step } from '../steps';

export class Table {
  readonly view: DataView;
  /** Users that hold on to it over a wait. */
  pins = 0;
  used = true;
  /** Bytes changed since the last snapshot, from inclusive, to exclusive. */
  dirtyFrom = Number.POSITIVE_INFINITY;
  dirtyTo = 0;

  constructor(
    /** L1 entry or refcount table entry that points to it. */
    readonly index: number,
    readonly offset: number,
    readonly bytes: Uint8Array,
    /** Its place in the file holds no valid table yet. */
    public fresh: boolean,
  ) {
    this.view = viewOf(bytes);
  }
}

/** A table on its way in, held for those who wait until each has gone on: it must not be evicted before. */
interface Loading {
  readonly table: Promise<Table>;
  waiters: number;
}

/** A changed stretch as it was at one moment, to be written at `offset`. */
export interface TableChange {
  readonly table: Table;
  readonly from: number;
  readonly bytes: Uint8Array;
}

export class TableCache {
  private readonly tables = new Map<number, Table>();
  private readonly loading = new Map<number, Loading>();
  private readonly dirty = new Set<Table>();
  private readonly capacity: number;

  constructor(
    private readonly file: ImageFile,
    private readonly tableBytes: number,
    cacheBytes: number,
    /** Writes changed tables, when nothing else can go. */
    private readonly relieve: () => Step<void>,
  ) {
    this.capacity = Math.min(MAX_CACHED_TABLES, Math.max(MIN_CACHED_TABLES, Math.floor(cacheBytes / tableBytes)));
  }

  get isDirty(): boolean {
    return this.dirty.size > 0;
  }

  get(index: number): Table | undefined {
    const table = this.tables.get(index);
    if (table) table.used = true;
    return table;
  }

  /** The table is sure to stay until the caller waits again. @param mayRelieve false within a commit, which cannot wait for itself */
  *load(index: number, offset: number, mayRelieve = true): Step<Table> {
    for (let roomMade = false; ; roomMade = true) {
      const cached = this.get(index);
      if (cached) return cached;
      const loading = this.loading.get(index);
      if (loading) return yield* this.join(loading);
      if (roomMade) break;
      yield* this.makeRoom(mayRelieve);
    }
    const bytes = new Uint8Array(this.tableBytes);
    const reading = this.file.read([bytes], offset);
    if (!reading) return this.insert(index, offset, bytes, false);
    // Left and entered in one go: at no moment is it in neither list, to be read a second time.
    const table = reading.then(
      () => {
        this.loading.delete(index);
        const inserted = this.insert(index, offset, bytes, false);
        inserted.pins = loading.waiters;
        return inserted;
      },
      (error) => {
        this.loading.delete(index);
        throw error;
      },
    );
    const loading: Loading = { table, waiters: 0 };
    this.loading.set(index, loading);
    return yield* this.join(loading);
  }

  private *join(loading: Loading): Step<Table> {
    loading.waiters++;
    const table = (yield loading.table) as Table;
    table.pins--;
    return table;
  }

  /** A new table of zeroes. Call `makeRoom` before. */
  create(index: number, offset: number): Table {
    const table = this.insert(index, offset, new Uint8Array(this.tableBytes), true);
    this.change(table, 0, this.tableBytes);
    return table;
  }

  *makeRoom(mayRelieve = true): Step<void> {
    if (this.tables.size < this.capacity || this.evict() || !mayRelieve || this.dirty.size === 0) return;
    yield* this.relieve();
    this.evict();
  }

  change(table: Table, from: number, to: number): void {
    if (from < table.dirtyFrom) table.dirtyFrom = from;
    if (to > table.dirtyTo) table.dirtyTo = to;
    this.dirty.add(table);
  }

  /** What has changed, copied; the tables stay pinned until `release`. */
  takeChanges(): TableChange[] {
    const changes: TableChange[] = [];
    for (const table of this.dirty) {
      const from = table.dirtyFrom - (table.dirtyFrom % TABLE_WRITE_UNIT_BYTES);
      const to = Math.min(this.tableBytes, roundUp(table.dirtyTo, TABLE_WRITE_UNIT_BYTES));
      changes.push({ table, from, bytes: table.bytes.slice(from, to) });
      table.dirtyFrom = Number.POSITIVE_INFINITY;
      table.dirtyTo = 0;
      table.pins++;
    }
    this.dirty.clear();
    return changes;
  }

  /** After they were written, or (`written` false) not: then they count as changed again. */
  release(changes: readonly TableChange[], written: boolean): void {
    for (const { table, from, bytes } of changes) {
      table.pins--;
      if (!written) this.change(table, from, from + bytes.length);
    }
  }

  private insert(index: number, offset: number, bytes: Uint8Array, fresh: boolean): Table {
    const table = new Table(index, offset, bytes, fresh);
    this.tables.set(index, table);
    return table;
  }

  /** Clock: a table used since the hand last passed is spared once. */
  private evict(): boolean {
    let left = this.tables.size * 2;
    for (const [index, table] of this.tables) {
      if (left-- <= 0) return false;
      if (!table.used && table.pins === 0 && !this.dirty.has(table)) {
        this.tables.delete(index);
        return true;
      }
      table.used = false;
      this.tables.delete(index);
      this.tables.set(index, table);
    }
    return false;
  }
}
