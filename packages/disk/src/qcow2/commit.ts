/**
 * Brings changed tables to the file so that a crash at any moment, with any
 * part of the unsynced writes lost, leaves an image that is sound but for
 * leaked clusters, and holds all that was flushed:
 *
 *     1. refcount blocks; new L2 tables, still as zeroes
 *     2. only if it changed:  sync, refcount table;  if it moved: sync, header
 *     3. only if L1 or L2 changed:  sync, L2 tables and L1 entries
 *     4. sync
 *
 * The sync before 3 covers the data and the copied parts too: a request enters
 * its cluster in the L2 table after its data was written. So at each moment an
 * entry on the disk refers only to what is there and counted.
 *
 * A cluster that an entry no longer refers to is free only after step 4, and
 * after requests that may still read or write it have ended (reclaim.ts).
 *
 * What is written is a copy from the start of the commit: requests go on
 * meanwhile. A failed commit leaves everything marked as changed.
 */
import type { ImageFile } from '../image-file';
import { MAX_PARTS_UNDER_WAY } from '../limits';
import { Batch, run, type Later, type Step } from '../steps';
import { At } from './header';
import { refcountTableFields } from './header-writes';
import type { Mapping } from './mapping';
import type { OwnClusters } from './own-clusters';
import type { Reclaim } from './reclaim';
import type { Refcounts, Run } from './refcounts';
import type { TableChange } from './table-cache';

/** A changed stretch of a table that is in memory as a whole. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly bytes: Uint8Array;
  /** Of `bytes` in the file. */
  readonly offset: number;
}

interface Changes {
  readonly blocks: readonly TableChange[];
  readonly l2: readonly TableChange[];
  readonly l1: Stretch | undefined;
  readonly refcountTable: Stretch | undefined;
  /** Where the refcount table was before it moved. */
  readonly moved: Run | undefined;
  readonly freed: readonly number[];
}

export class Commits {
  private started = 0;
  private ended = 0;
  private failure: unknown;
  private failedNumber = 0;
  private underWay: Promise<unknown> | undefined;

  constructor(
    private readonly file: ImageFile,
    private readonly mapping: Mapping,
    private readonly refcounts: Refcounts,
    private readonly own: OwnClusters,
    private readonly reclaim: Reclaim,
  ) {}

  get isDirty(): boolean {
    return this.refcounts.isDirty || this.mapping.l2.isDirty || this.mapping.changedTo > 0;
  }

  /** Returns when a commit that began after this call has ended; requests that wait together share one. */
  *commit(): Step<void> {
    const wanted = this.started + 1;
    while (this.ended < wanted) {
      if (this.underWay) yield this.underWay;
      else {
        const number = ++this.started;
        const work: Later<void> = run(this.attempt(number));
        if (work) this.underWay = work.finally(() => (this.underWay = undefined));
      }
    }
    if (this.failedNumber >= wanted) throw this.failure;
  }

  private *attempt(number: number): Step<void> {
    const changes = this.take();
    let written = false;
    try {
      yield* this.write(changes);
      written = true;
    } catch (error) {
      this.failure = error;
      this.failedNumber = number;
    }
    this.settle(changes, written);
    this.ended = number;
  }

  private take(): Changes {
    const { mapping, refcounts } = this;
    const stretch = (source: { changedFrom: number; changedTo: number }, table: Uint8Array, offset: number): Stretch | undefined => {
      if (source.changedTo === 0) return undefined;
      const [from, to] = [source.changedFrom, source.changedTo];
      source.changedFrom = Number.POSITIVE_INFINITY;
      source.changedTo = 0;
      return { from, to, bytes: table.slice(from * 8, to * 8), offset: offset + from * 8 };
    };
    return {
      blocks: refcounts.blocks.takeChanges(),
      l2: mapping.l2.takeChanges(),
      l1: stretch(mapping, mapping.l1, mapping.l1Offset),
      refcountTable: stretch(refcounts, refcounts.table, refcounts.tableOffset),
      moved: refcounts.moved,
      freed: this.reclaim.take(),
    };
  }

  private *write(changes: Changes): Step<void> {
    yield* this.writeTables(changes.blocks);
    yield* this.writeFresh(changes.l2);
    if (changes.refcountTable) {
      yield* this.sync();
      yield* this.writeStretch(changes.refcountTable);
      if (changes.moved) yield* this.moveRefcountTable(changes);
    }
    if (changes.l2.length > 0 || changes.l1) {
      yield* this.sync();
      for (const { table } of changes.l2) table.fresh = false;
      yield* this.writeTables(changes.l2);
      if (changes.l1) yield* this.writeStretch(changes.l1);
    }
    yield* this.sync();
  }

  private *writeTables(changes: readonly TableChange[]): Step<void> {
    const batch = new Batch();
    try {
      for (const { table, from, bytes } of changes) {
        batch.add(this.file.write([bytes], table.offset + from));
        if (batch.size >= MAX_PARTS_UNDER_WAY) yield* batch.settle();
      }
    } catch (error) {
      batch.fail(error);
    }
    yield* batch.settle();
  }

  private *writeFresh(changes: readonly TableChange[]): Step<void> {
    for (const { table } of changes) {
      if (!table.fresh) continue;
      const wait = this.file.write([new Uint8Array(table.bytes.length)], table.offset);
      if (wait) yield wait;
    }
  }

  private *writeStretch(stretch: Stretch): Step<void> {
    const wait = this.file.write([stretch.bytes], stretch.offset);
    if (wait) yield wait;
  }

  private *moveRefcountTable(changes: Changes): Step<void> {
    yield* this.sync();
    const { offset, bytes } = changes.refcountTable!;
    const wait = this.file.write([refcountTableFields(offset, bytes.length / this.mapping.clusterBytes)], At.refcountTableOffset);
    if (wait) yield wait;
  }

  private *sync(): Step<void> {
    const wait = this.file.sync();
    if (wait) yield wait;
  }

  private settle(changes: Changes, written: boolean): void {
    const { mapping, refcounts, reclaim } = this;
    refcounts.blocks.release(changes.blocks, written);
    mapping.l2.release(changes.l2, written);
    if (!written) {
      remark(mapping, changes.l1);
      remark(refcounts, changes.refcountTable);
      reclaim.putBack(changes.freed);
      return;
    }
    reclaim.ready(changes.freed);
    if (changes.moved) {
      refcounts.moved = undefined;
      for (let i = 0; i < changes.moved.count; i++) {
        this.own.delete(changes.moved.first + i);
        reclaim.add(changes.moved.first + i);
      }
    }
  }
}

function remark(target: { changedFrom: number; changedTo: number }, stretch: Stretch | undefined): void {
  if (!stretch) return;
  target.changedFrom = Math.min(target.changedFrom, stretch.from);
  target.changedTo = Math.max(target.changedTo, stretch.to);
}
