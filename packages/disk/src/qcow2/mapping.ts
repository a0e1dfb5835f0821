/**
 * Where each cluster of the disk lies in the file: the L1 table, in memory as
 * a whole, points to L2 tables, which are cached (qcow2.txt, "Cluster mapping").
 */
import { viewOf } from '../bytes';
import { ImageFormatError } from '../errors';
import type { ImageFile } from '../image-file';
import type { Step } from '../steps';
import { COPIED_HI, hostOffset, isCopied, kindOf, type EntryKind } from './entries';
import type { Qcow2Header } from './header';
import type { OwnClusters } from './own-clusters';
import type { Refcounts } from './refcounts';
import { type Table, TableCache } from './table-cache';

/** A stretch of the disk that is stored in one way, and in one piece. */
export interface MappedRun {
  readonly kind: EntryKind;
  /** Offset in the file of the first byte; only for 'data'. */
  readonly host: number;
  readonly length: number;
  /** The entry itself, for 'compressed'. */
  readonly hi: number;
  readonly lo: number;
}

export class Mapping {
  readonly l2: TableCache;
  /** Bytes of the disk behind one L2 table. */
  readonly span: number;
  readonly entriesPerTable: number;
  /** Entries of the L1 table changed since the last commit, from inclusive, to exclusive. */
  changedFrom = Number.POSITIVE_INFINITY;
  changedTo = 0;
  readonly clusterBytes: number;
  private view: DataView;

  constructor(
    private readonly file: ImageFile,
    private readonly header: Qcow2Header,
    /** The L1 table. */
    public l1: Uint8Array,
    public l1Offset: number,
    commit: () => Step<void>,
    cacheBytes: number,
  ) {
    this.clusterBytes = header.clusterBytes;
    this.entriesPerTable = header.clusterBytes / 8;
    this.span = header.clusterBytes * this.entriesPerTable;
    this.view = viewOf(l1);
    this.l2 = new TableCache(file, header.clusterBytes, cacheBytes, commit);
  }

  /** Claims the L1 table and all L2 tables, before anything is written. */
  claim(own: OwnClusters): void {
    own.claimRange(this.l1Offset, this.l1.length, 'the L1 table');
    for (let i = 0; i < this.l1.length / 8; i++) {
      const offset = this.tableOffset(i);
      if (offset !== 0) own.claim(offset, 'an L2 table');
    }
  }

  replaceL1(l1: Uint8Array, offset: number): void {
    this.l1 = l1;
    this.l1Offset = offset;
    this.view = viewOf(l1);
  }

  /** The L2 table for a place on the disk; undefined: there is none, all of its span is unallocated. */
  *table(at: number): Step<Table | undefined> {
    const index = Math.floor(at / this.span);
    const cached = this.l2.get(index);
    if (cached) return cached;
    const offset = this.tableOffset(index);
    if (offset === 0) return undefined;
    if (offset % this.clusterBytes !== 0 || offset >= this.file.end) throw this.damaged(`an L2 table at ${offset}`);
    return yield* this.l2.load(index, offset);
  }

  /** The same, made when there is none; only this image uses it. */
  *tableForWrite(at: number, refcounts: Refcounts, own: OwnClusters): Step<Table> {
    const index = Math.floor(at / this.span);
    for (;;) {
      if (this.tableOffset(index) !== 0) {
        if (!isCopied(this.view.getUint32(index * 8))) yield* this.claimTable(index, refcounts);
        return (yield* this.table(at))!;
      }
      yield* this.l2.makeRoom();
      const run = yield* refcounts.allocate(1);
      if (this.tableOffset(index) !== 0) {
        // Another request made it during a wait.
        yield* refcounts.release(run);
        continue;
      }
      const table = this.l2.create(index, run.first * this.clusterBytes);
      own.add(run.first);
      this.setL1(index, table.offset);
      return table;
    }
  }

  /** The run from `at` on: at most `length` bytes, and within one table. */
  run(table: Table | undefined, at: number, length: number): MappedRun {
    const limit = Math.min(length, this.span - (at % this.span));
    if (!table) return { kind: 'unallocated', host: 0, length: limit, hi: 0, lo: 0 };
    const within = at % this.clusterBytes;
    let slot = Math.floor((at % this.span) / this.clusterBytes);
    const hi = table.view.getUint32(slot * 8);
    const lo = table.view.getUint32(slot * 8 + 4);
    const kind = this.kind(hi, lo);
    const host = kind === 'data' ? this.checkHost(hostOffset(hi, lo)) : 0;
    let covered = this.clusterBytes - within;
    while (covered < limit && kind !== 'compressed') {
      slot++;
      const nextHi = table.view.getUint32(slot * 8);
      const nextLo = table.view.getUint32(slot * 8 + 4);
      if (this.kind(nextHi, nextLo) !== kind) break;
      if (kind === 'data' && hostOffset(nextHi, nextLo) !== host + within + covered) break;
      covered += this.clusterBytes;
    }
    return { kind, host: host + within, length: Math.min(covered, limit), hi, lo };
  }

  /** Like `run`, for a write: `host` is where the data may simply go; -1: the clusters must be allocated first. */
  writableRun(table: Table, at: number, length: number, own: OwnClusters): { host: number; length: number } {
    const limit = Math.min(length, this.span - (at % this.span));
    const within = at % this.clusterBytes;
    let slot = Math.floor((at % this.span) / this.clusterBytes);
    const host = this.inPlace(table, slot, own);
    let covered = this.clusterBytes - within;
    while (covered < limit) {
      const next = this.inPlace(table, ++slot, own);
      if (host < 0 ? next >= 0 : next !== host + within + covered) break;
      covered += this.clusterBytes;
    }
    return { host: host < 0 ? -1 : host + within, length: Math.min(covered, limit) };
  }

  entry(table: Table, slot: number): { hi: number; lo: number } {
    return { hi: table.view.getUint32(slot * 8), lo: table.view.getUint32(slot * 8 + 4) };
  }

  setEntry(table: Table, slot: number, hi: number, lo: number): void {
    table.view.setUint32(slot * 8, hi);
    table.view.setUint32(slot * 8 + 4, lo);
    this.l2.change(table, slot * 8, slot * 8 + 8);
  }

  kind(hi: number, lo: number): EntryKind {
    const kind = kindOf(hi, lo);
    if (kind === 'zero' && this.header.version === 2) throw this.damaged('a zero cluster, which version 2 does not have');
    return kind;
  }

  damaged(what: string): ImageFormatError {
    return new ImageFormatError(`${this.file.name} is damaged (${what}): see what a check finds, or restore it`);
  }

  /** Where a cluster that is this image's alone lies; -1: nowhere, or it is shared, compressed or zero. */
  private inPlace(table: Table, slot: number, own: OwnClusters): number {
    const hi = table.view.getUint32(slot * 8);
    const lo = table.view.getUint32(slot * 8 + 4);
    if (!isCopied(hi) || this.kind(hi, lo) !== 'data') return -1;
    const host = this.checkHost(hostOffset(hi, lo));
    if (host >= this.file.end) throw this.damaged(`a cluster at ${host}, past the end of the file`);
    if (own.has(host / this.clusterBytes)) throw own.damaged(`a table at ${host} is mapped as data`);
    return host;
  }

  private checkHost(host: number): number {
    if (host % this.clusterBytes !== 0) throw this.damaged(`a cluster at ${host}`);
    return host;
  }

  private tableOffset(index: number): number {
    return hostOffset(this.view.getUint32(index * 8), this.view.getUint32(index * 8 + 4));
  }

  /** Without snapshots a table has one user, even where the COPIED flag is missing; else the image is damaged. */
  private *claimTable(index: number, refcounts: Refcounts): Step<void> {
    const offset = this.tableOffset(index);
    if ((yield* refcounts.get(offset / this.clusterBytes)) !== 1) throw this.damaged(`an L2 table at ${offset} whose refcount is not 1`);
    this.setL1(index, offset);
  }

  private setL1(index: number, offset: number): void {
    this.view.setUint32(index * 8, (COPIED_HI | Math.floor(offset / 2 ** 32)) >>> 0);
    this.view.setUint32(index * 8 + 4, offset % 2 ** 32);
    this.changedFrom = Math.min(this.changedFrom, index);
    this.changedTo = Math.max(this.changedTo, index + 1);
  }
}
