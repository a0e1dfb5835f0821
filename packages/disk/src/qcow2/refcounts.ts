/**
 * Who uses which cluster of the file (qcow2.txt, "Host cluster management"):
 * a table in memory points to refcount blocks, which are cached. Allocation
 * takes the lowest free clusters, in runs.
 *
 * A block is placed in the first cluster that it covers itself. Counts in
 * memory run ahead of the file by what the next commit writes.
 */
import { readU64, viewOf, writeU64 } from '../bytes';
import { ImageRequestError } from '../errors';
import type { ImageFile } from '../image-file';
import { MAX_FILE_BYTES, MAX_REFCOUNT_TABLE_BYTES } from '../limits';
import type { Step } from '../steps';
import { readCount, writeCount } from './counts';
import type { Qcow2Header } from './header';
import type { OwnClusters } from './own-clusters';
import { type Table, TableCache } from './table-cache';

export interface Run {
  /** Number of the first cluster. */
  readonly first: number;
  readonly count: number;
}

export class Refcounts {
  readonly blocks: TableCache;
  /** The refcount table: offsets of the blocks. */
  table: Uint8Array;
  tableOffset: number;
  /** Entries of the table changed since the last commit, from inclusive, to exclusive. */
  changedFrom = Number.POSITIVE_INFINITY;
  changedTo = 0;
  /** The table lies in a new place, which the header does not name yet. */
  moved: Run | undefined;
  private view: DataView;
  private readonly perBlock: number;
  private readonly clusterBytes: number;
  /** No cluster before this one is free. */
  private lowestFree = 0;

  private constructor(
    private readonly file: ImageFile,
    private readonly header: Qcow2Header,
    private readonly own: OwnClusters,
    /** Writes all changed tables, and settles `moved`. */
    private readonly commit: () => Step<void>,
    table: Uint8Array,
    cacheBytes: number,
  ) {
    this.clusterBytes = header.clusterBytes;
    this.perBlock = (header.clusterBytes * 8) / header.refcountBits;
    this.blocks = new TableCache(file, header.clusterBytes, cacheBytes, commit);
    this.table = table;
    this.tableOffset = header.refcountTableOffset;
    this.view = viewOf(table);
  }

  static async open(
    file: ImageFile,
    header: Qcow2Header,
    own: OwnClusters,
    commit: () => Step<void>,
    cacheBytes: number,
  ): Promise<Refcounts> {
    const table = new Uint8Array(header.refcountTableClusters * header.clusterBytes);
    await file.read([table], header.refcountTableOffset);
    const refcounts = new Refcounts(file, header, own, commit, table, cacheBytes);
    own.claimRange(header.refcountTableOffset, table.length, 'the refcount table');
    for (let i = 0; i < refcounts.entries; i++) {
      const offset = refcounts.blockOffset(i);
      if (offset !== 0) own.claim(offset, 'a refcount block');
    }
    return refcounts;
  }

  get entries(): number {
    return this.table.length / 8;
  }

  get isDirty(): boolean {
    return this.blocks.isDirty || this.changedTo > 0;
  }

  *get(cluster: number): Step<number> {
    const index = Math.floor(cluster / this.perBlock);
    const offset = index < this.entries ? this.blockOffset(index) : 0;
    if (offset === 0) return 0;
    const block = this.blocks.get(index) ?? (yield* this.blocks.load(index, offset));
    return readCount(block.view, cluster % this.perBlock, this.header.refcountBits);
  }

  /** Takes up to `count` adjoining free clusters, at least one. They count as used from now on. */
  *allocate(count: number): Step<Run> {
    const start = this.lowestFree;
    for (let cluster = start; ; ) {
      const index = Math.floor(cluster / this.perBlock);
      if ((index + 1) * this.perBlock * this.clusterBytes > MAX_FILE_BYTES) throw this.tooLarge();
      if (index >= this.entries) {
        yield* this.growTable();
        continue;
      }
      let block = this.blocks.get(index);
      if (!block) {
        if (this.blockOffset(index) !== 0) yield* this.blocks.load(index, this.blockOffset(index));
        else yield* this.makeBlock(index, cluster);
        // Something else may have run meanwhile: look at the same place once more.
        block = this.blocks.get(index);
        if (!block) continue;
      }
      const found = this.findFree(block, cluster % this.perBlock, count);
      const blockStart = index * this.perBlock;
      if (!found) {
        cluster = blockStart + this.perBlock;
        continue;
      }
      const first = blockStart + found.first;
      for (let i = 0; i < found.count; i++) this.own.checkFree(first + i);
      for (let i = 0; i < found.count; i++) this.put(block, found.first + i, 1);
      // Unless something before the start was freed during a wait.
      if (this.lowestFree >= start) this.lowestFree = Math.max(this.lowestFree, first + found.count);
      return { first, count: found.count };
    }
  }

  /** Adjoining clusters, as many as asked for; behind all others if need be. */
  *allocateAll(count: number): Step<number> {
    const run = yield* this.allocate(count);
    if (run.count === count) return run.first;
    yield* this.release(run);
    return yield* this.reserveAtEnd(count);
  }

  /** One user of the cluster less; true when it was the last. */
  *decrement(cluster: number, mayRelieve = true): Step<boolean> {
    const index = Math.floor(cluster / this.perBlock);
    const offset = index < this.entries ? this.blockOffset(index) : 0;
    if (offset === 0) return false;
    const block = this.blocks.get(index) ?? (yield* this.blocks.load(index, offset, mayRelieve));
    const slot = cluster % this.perBlock;
    const count = readCount(block.view, slot, this.header.refcountBits);
    if (count === 0) return false;
    this.put(block, slot, count - 1);
    if (count === 1 && cluster < this.lowestFree) this.lowestFree = cluster;
    return count === 1;
  }

  /** Gives back what was allocated and never referred to. */
  *release(run: Run): Step<void> {
    for (let i = 0; i < run.count; i++) yield* this.decrement(run.first + i);
  }

  private blockOffset(index: number): number {
    return readU64(this.view, index * 8);
  }

  private put(block: Table, slot: number, count: number): void {
    const bits = this.header.refcountBits;
    writeCount(block.view, slot, bits, count);
    const at = Math.floor((slot * bits) / 8);
    this.blocks.change(block, at, at + Math.ceil(bits / 8));
  }

  private findFree(block: Table, from: number, count: number): Run | undefined {
    const bits = this.header.refcountBits;
    let first = from;
    while (first < this.perBlock && readCount(block.view, first, bits) !== 0) first++;
    if (first === this.perBlock) return undefined;
    let end = first + 1;
    while (end < this.perBlock && end - first < count && readCount(block.view, end, bits) === 0) end++;
    return { first, count: end - first };
  }

  /** A block for a stretch that has none, in `cluster`, the first free one of that stretch. */
  private *makeBlock(index: number, cluster: number): Step<void> {
    yield* this.blocks.makeRoom();
    if (this.blockOffset(index) !== 0) return;
    this.own.checkFree(cluster);
    this.setBlock(index, cluster);
  }

  private setBlock(index: number, cluster: number): void {
    const block = this.blocks.create(index, cluster * this.clusterBytes);
    this.own.add(cluster);
    writeU64(this.view, index * 8, block.offset);
    this.changedFrom = Math.min(this.changedFrom, index);
    this.changedTo = Math.max(this.changedTo, index + 1);
    if (Math.floor(cluster / this.perBlock) === index) this.put(block, cluster % this.perBlock, 1);
  }

  /** A stretch behind everything that has blocks, which starts with the blocks that cover it. */
  private *reserveAtEnd(count: number): Step<number> {
    for (;;) {
      const { index, blocks } = this.atEnd(() => count);
      if (index + blocks > this.entries) {
        yield* this.growTable(blocks);
        continue;
      }
      return this.placeBlocks(index, blocks, count);
    }
  }

  private *growTable(further = 1): Step<void> {
    if (this.moved) {
      // One move at a time; the caller looks again whether the table is large enough now.
      yield* this.commit();
      return;
    }
    const tableClusters = (entries: number): number => Math.ceil((entries * 8) / this.clusterBytes);
    const goal = this.entries * 2 + further;
    const { index, blocks } = this.atEnd((blocks) => tableClusters(goal + blocks));
    const clusters = tableClusters(goal + blocks);
    if (clusters * this.clusterBytes > MAX_REFCOUNT_TABLE_BYTES) throw this.tooLarge();
    const larger = new Uint8Array(clusters * this.clusterBytes);
    larger.set(this.table);
    const old = { first: this.tableOffset / this.clusterBytes, count: this.table.length / this.clusterBytes };
    this.table = larger;
    this.view = viewOf(larger);
    const first = this.placeBlocks(index, blocks, clusters);
    for (let i = 0; i < clusters; i++) this.own.add(first + i);
    this.tableOffset = first * this.clusterBytes;
    this.moved = old;
    this.changedFrom = 0;
    this.changedTo = this.entries;
  }

  private atEnd(clusters: (blocks: number) => number): { index: number; blocks: number } {
    let index = this.entries;
    while (index > 0 && this.blockOffset(index - 1) === 0) index--;
    let blocks = 1;
    while (blocks * this.perBlock < blocks + clusters(blocks)) blocks++;
    return { index, blocks };
  }

  /** Makes `blocks` blocks at the start of what they cover, and takes the `count` clusters behind them. */
  private placeBlocks(index: number, blocks: number, count: number): number {
    const start = index * this.perBlock;
    for (let i = 0; i < blocks + count; i++) this.own.checkFree(start + i);
    for (let i = 0; i < blocks; i++) this.setBlock(index + i, start + i);
    for (let i = 0; i < blocks + count; i++) {
      const block = this.blocks.get(index + Math.floor(i / this.perBlock))!;
      this.put(block, i % this.perBlock, 1);
    }
    return start + blocks;
  }

  private tooLarge(): Error {
    return new ImageRequestError('EFBIG', `${this.file.name} has grown to the limit of its cluster size: copy it with larger clusters`);
  }
}
