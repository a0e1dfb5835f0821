/**
 * A checksum for each row of the store's file. SQLite's own check sees whether pages, rows and indexes fit together; a
 * bit that has turned within a value fits everywhere. So a value is given out only if it is the one that was stored.
 */
import { crc32 } from 'node:zlib';
import { StoreError } from '../errors';
import { damagedText, type Sqlite } from './sqlite';

export interface ChangeRow {
  readonly key: string;
  readonly time_ms: number;
  /** Null: deleted. */
  readonly value: Uint8Array | null;
  readonly sum: number;
}

export interface EventRow {
  readonly time_ms: number;
  readonly kind: string;
  readonly id: string;
  readonly data: string;
  readonly sum: number;
}

/** CRC-32 of a change, 0 to 2³² − 1. The revision is the row's id, which the indexes repeat. */
export function changeSum({ key, time_ms, value }: Omit<ChangeRow, 'sum'>): number {
  const head = crc32(`${key}\n${time_ms}\n${value ? 'put' : 'delete'}\n`);
  // zlib takes an empty array that lies nowhere for the question where sums begin, and answers 0.
  return value && value.length > 0 ? crc32(value, head) : head;
}

export const eventSum = ({ time_ms, kind, id, data }: Omit<EventRow, 'sum'>): number => crc32(`${time_ms}\n${kind}\n${id}\n${data}`);

/** @throws StoreError 'corrupt' */
export function checkedChange<Row extends ChangeRow>(file: string, row: Row): Row {
  if (row.sum !== changeSum(row)) throw new StoreError('corrupt', damagedText(file, `the value of ${row.key} is not what was stored`));
  return row;
}

/** @throws StoreError 'corrupt' */
export function checkedEvent<Row extends EventRow>(file: string, row: Row): Row {
  if (row.sum !== eventSum(row)) throw new StoreError('corrupt', damagedText(file, `an event of ${row.kind} is not what was stored`));
  return row;
}

/** Every row, and the numbers beside them. @throws StoreError 'corrupt' */
export function checkSums(file: string, db: Sqlite): void {
  for (const row of db.prepare('SELECT key, time_ms, value, sum FROM changes').iterate()) checkedChange(file, row as ChangeRow);
  for (const row of db.prepare('SELECT time_ms, kind, id, data, sum FROM events').iterate()) checkedEvent(file, row as EventRow);
  for (const [table, column] of [
    ['changes', 'revision'],
    ['events', 'sequence'],
  ] as const) {
    const next = (db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = '${table}'`).pluck().get() as number | undefined) ?? 0;
    const last = (db.prepare(`SELECT max(${column}) FROM ${table}`).pluck().get() as number | null) ?? 0;
    const isNumber = Number.isSafeInteger(next) && next >= last;
    if (!isNumber) throw new StoreError('corrupt', damagedText(file, `its last ${column} does not fit`));
  }
  const floor = db.prepare(`SELECT number FROM facts WHERE name = 'floor'`).pluck().get() as number | undefined;
  const revision = (db.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'changes'`).pluck().get() as number | undefined) ?? 0;
  if (floor === undefined || floor < 0 || floor > revision)
    throw new StoreError('corrupt', damagedText(file, 'its oldest revision does not fit'));
}

/** For the migration that brings them: SQL functions of the same names. */
export function defineSums(db: Sqlite): void {
  db.function('change_sum', { deterministic: true }, (key, time_ms, value) => changeSum({ key, time_ms, value } as ChangeRow));
  db.function('event_sum', { deterministic: true }, (time_ms, kind, id, data) => eventSum({ time_ms, kind, id, data } as EventRow));
}
