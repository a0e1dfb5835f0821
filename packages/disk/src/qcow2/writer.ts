/**
 * Writes to the disk: in place where the cluster is this image's alone, else
 * into newly allocated clusters, with what the write leaves out copied from
 * what the disk showed there before. The entry follows the data.
 */
import { slice } from '../bytes';
import { isFull } from '../errors';
import type { ImageFile } from '../image-file';
import { MAX_PARTS_UNDER_WAY } from '../limits';
import { Batch, type Step } from '../steps';
import { ClusterLocks } from './cluster-locks';
import type { Commits } from './commit';
import { COPIED_HI, hostOffset, isCopied, ZERO_LO } from './entries';
import type { Qcow2Header } from './header';
import type { Mapping } from './mapping';
import type { OwnClusters } from './own-clusters';
import type { Reader } from './reader';
import type { Reclaim } from './reclaim';
import type { Refcounts } from './refcounts';
import type { Table } from './table-cache';

export interface WriterParts {
  readonly file: ImageFile;
  readonly header: Qcow2Header;
  readonly mapping: Mapping;
  readonly reader: Reader;
  readonly refcounts: Refcounts;
  readonly own: OwnClusters;
  readonly commits: Commits;
  readonly reclaim: Reclaim;
}

/** Where the data of clusters goes. */
interface Place {
  readonly host: number;
  readonly count: number;
  /** Allocated for this request: given back when it fails. */
  readonly allocated: boolean;
  /** Nothing was ever written there: it reads as zeroes. */
  readonly blank: boolean;
}

export class Writer {
  readonly locks = new ClusterLocks();

  constructor(private readonly parts: WriterParts) {}

  *write(offset: number, segments: readonly Uint8Array[], length: number): Step<void> {
    const { file, mapping, refcounts, own } = this.parts;
    const batch = new Batch();
    try {
      for (let done = 0; done < length; ) {
        const at = offset + done;
        const table = yield* mapping.tableForWrite(at, refcounts, own);
        const found = mapping.writableRun(table, at, length - done, own);
        if (found.host < 0) {
          done += yield* this.writeNew(table, at, segments, done, found.length);
        } else {
          batch.add(file.write(found.length === length ? segments : slice(segments, done, found.length), found.host));
          if (batch.size >= MAX_PARTS_UNDER_WAY) yield* batch.settle();
          done += found.length;
        }
      }
    } catch (error) {
      batch.fail(error);
    }
    yield* batch.settle();
  }

  /** Bytes written; 0: the clusters are in place by now, look again. */
  private *writeNew(table: Table, at: number, segments: readonly Uint8Array[], done: number, limit: number): Step<number> {
    const { mapping, own } = this.parts;
    const first = Math.floor(at / mapping.clusterBytes);
    const last = Math.floor((at + limit - 1) / mapping.clusterBytes);
    let locked = first;
    table.pins++;
    try {
      for (; locked <= last; locked++) yield* this.locks.lock(locked);
      const found = mapping.writableRun(table, at, limit, own);
      if (found.host >= 0) return 0;
      const slot = first % mapping.entriesPerTable;
      const place = yield* this.findPlace(table, slot, Math.floor((at + found.length - 1) / mapping.clusterBytes) - first + 1);
      if (!place) return 0;
      const length = Math.min(found.length, place.count * mapping.clusterBytes - (at % mapping.clusterBytes));
      yield* this.fill(table, slot, at, place, slice(segments, done, length), length);
      return length;
    } finally {
      while (locked > first) this.locks.unlock(--locked);
      table.pins--;
    }
  }

  /** Undefined: the cluster turned out to be this image's alone, so it can be written in place. */
  private *findPlace(table: Table, slot: number, count: number): Step<Place | undefined> {
    const { file, mapping, refcounts, reclaim } = this.parts;
    for (let i = 0; i < count; i++) {
      const { hi, lo } = mapping.entry(table, slot + i);
      reclaim.checkEntry(hi, lo);
    }
    const { hi, lo } = mapping.entry(table, slot);
    const kind = mapping.kind(hi, lo);
    const host = kind === 'compressed' ? 0 : hostOffset(hi, lo);
    if (host !== 0) {
      if (host % mapping.clusterBytes !== 0 || host >= file.end) throw mapping.damaged(`a cluster at ${host}`);
      // The flag may be missing where the count says the same (qcow2.txt: it is only a shortcut).
      const alone = isCopied(hi) || (yield* refcounts.get(host / mapping.clusterBytes)) === 1;
      if (alone && kind === 'data') {
        mapping.setEntry(table, slot, (hi | COPIED_HI) >>> 0, lo);
        return undefined;
      }
      // A zero cluster that kept its space: what lies there counts as garbage.
      if (alone) return { host, count: 1, allocated: false, blank: false };
    }
    const run = yield* refcounts.allocate(count);
    const start = run.first * mapping.clusterBytes;
    // Decided right after the allocation: later writes move the end past it.
    return { host: start, count: run.count, allocated: true, blank: start >= file.end };
  }

  private *fill(table: Table, slot: number, at: number, place: Place, data: Uint8Array[], length: number): Step<void> {
    const { file, mapping, refcounts, reclaim } = this.parts;
    const { clusterBytes } = mapping;
    const head = at % clusterBytes;
    const tail = place.count * clusterBytes - head - length;
    try {
      const before = yield* this.copyOld(table, at - head, head, place.blank);
      const behind = yield* this.copyOld(table, at + length, tail, place.blank);
      const wait = file.write([...before, ...data, ...behind], place.host + (before.length > 0 ? 0 : head));
      if (wait) yield wait;
    } catch (error) {
      // After other errors a write may still be on its way: then the clusters are better lost than used twice.
      if (place.allocated && isFull(error)) yield* refcounts.release({ first: place.host / clusterBytes, count: place.count });
      throw error;
    }
    for (let i = 0; i < place.count; i++) {
      const old = mapping.entry(table, slot + i);
      const host = place.host + i * clusterBytes;
      mapping.setEntry(table, slot + i, (COPIED_HI | Math.floor(host / 2 ** 32)) >>> 0, host % 2 ** 32);
      if (place.allocated) reclaim.addEntry(old.hi, old.lo);
    }
  }

  /** What the disk shows in a part of a cluster that the write leaves out; nothing where zeroes are there already. */
  private *copyOld(table: Table, at: number, length: number, blank: boolean): Step<Uint8Array[]> {
    if (length === 0) return [];
    const { mapping, reader } = this.parts;
    const zero = reader.isZero(mapping.run(table, at, length), at);
    if (zero && blank) return [];
    const bytes = new Uint8Array(length);
    if (!zero) yield* reader.read(at, [bytes], length);
    return [bytes];
  }

  /** Full clusters of the range become zeroes; `keep`: they stay where they are. Partial ones are not touched. */
  *zeroClusters(first: number, end: number, keep: boolean): Step<void> {
    const { mapping, reader, refcounts, own } = this.parts;
    const { clusterBytes, entriesPerTable } = mapping;
    for (let cluster = first; cluster < end; ) {
      const tableEnd = Math.min(end, (Math.floor(cluster / entriesPerTable) + 1) * entriesPerTable);
      const at = cluster * clusterBytes;
      if (!reader.backs(at) && !(yield* mapping.table(at))) {
        cluster = tableEnd;
        continue;
      }
      const table = yield* mapping.tableForWrite(at, refcounts, own);
      table.pins++;
      try {
        for (; cluster < tableEnd; cluster++) {
          yield* this.locks.wait(cluster);
          this.zeroCluster(table, cluster, keep);
        }
      } finally {
        table.pins--;
      }
    }
  }

  private zeroCluster(table: Table, cluster: number, keep: boolean): void {
    const { mapping, reader, reclaim, header } = this.parts;
    const slot = cluster % mapping.entriesPerTable;
    const backed = reader.backs(cluster * mapping.clusterBytes);
    const { hi, lo } = mapping.entry(table, slot);
    const kind = mapping.kind(hi, lo);
    if (kind === 'unallocated' && !backed) return;
    if (kind === 'zero' && (keep || hostOffset(hi, lo) === 0)) return;
    reclaim.checkEntry(hi, lo);
    if (keep && kind === 'data' && isCopied(hi) && header.version === 3) {
      mapping.setEntry(table, slot, hi, (lo | ZERO_LO) >>> 0);
      return;
    }
    mapping.setEntry(table, slot, 0, backed ? ZERO_LO : 0);
    reclaim.addEntry(hi, lo);
  }
}
