/** Reads the disk through the tables, from the file or the image behind it. */
import { slice, zeroFrom } from '../bytes';
import type { DiskImage, Extent } from '../disk-image';
import type { ImageFile } from '../image-file';
import { DECOMPRESSED_CLUSTERS_KEPT, MAX_PARTS_UNDER_WAY } from '../limits';
import type { InflateRaw } from '../ports';
import { Batch, run, type Step } from '../steps';
import { compressedRange } from './entries';
import type { Qcow2Header } from './header';
import type { MappedRun, Mapping } from './mapping';

export class Reader {
  /** By offset in the file: no compressed cluster is ever written, so what was read there stays right. */
  private readonly decompressed = new Map<number, Uint8Array>();

  constructor(
    private readonly file: ImageFile,
    private readonly header: Qcow2Header,
    private readonly mapping: Mapping,
    readonly backing: DiskImage | undefined,
    private readonly inflateRaw: InflateRaw | undefined,
  ) {}

  *read(offset: number, segments: readonly Uint8Array[], length: number): Step<void> {
    const { mapping } = this;
    const batch = new Batch();
    try {
      for (let done = 0; done < length; ) {
        const at = offset + done;
        const table = mapping.l2.get(Math.floor(at / mapping.span)) ?? (yield* mapping.table(at));
        const found = mapping.run(table, at, length - done);
        batch.add(this.readRun(found, at, found.length === length ? segments : slice(segments, done, found.length)));
        if (batch.size >= MAX_PARTS_UNDER_WAY) yield* batch.settle();
        done += found.length;
      }
    } catch (error) {
      batch.fail(error);
    }
    yield* batch.settle();
  }

  /** Whether a run of this kind reads as zeroes, as far as can be told from its entry. */
  isZero(found: Pick<MappedRun, 'kind'>, at: number): boolean {
    return found.kind === 'zero' || (found.kind === 'unallocated' && !this.backs(at));
  }

  /** The image behind has something at this place. */
  backs(at: number): boolean {
    return this.backing !== undefined && at < this.backing.bytes;
  }

  async extent(offset: number, bytes: number): Promise<Extent> {
    const { backing, mapping } = this;
    const table = await run(mapping.table(offset));
    const found = mapping.run(table, offset, bytes - offset);
    if (this.isZero(found, offset)) {
      return { zero: true, length: found.length };
    }
    if (found.kind !== 'unallocated' || !backing) return { zero: false, length: found.length };
    const behind = await backing.extent(offset);
    return { zero: behind.zero, length: Math.min(behind.length, found.length) };
  }

  private readRun(found: MappedRun, at: number, parts: readonly Uint8Array[]): Promise<unknown> | undefined {
    switch (found.kind) {
      case 'data':
        return this.file.read(parts, found.host);
      case 'compressed':
        return run(this.readCompressed(found, at % this.header.clusterBytes, parts)) as Promise<void> | undefined;
      case 'unallocated':
        if (this.backs(at)) return this.readBacking(at, parts, found.length);
    }
    zeroFrom(parts);
    return undefined;
  }

  /** The image behind may be shorter than this one. */
  private readBacking(at: number, parts: readonly Uint8Array[], length: number): Promise<void> | undefined {
    const backing = this.backing!;
    const there = Math.min(length, backing.bytes - at);
    if (there === length) return backing.read(at, parts);
    zeroFrom(parts, there);
    return backing.read(at, slice(parts, 0, there));
  }

  private *readCompressed(found: MappedRun, within: number, parts: readonly Uint8Array[]): Step<void> {
    const cluster = yield* this.decompress(found);
    let at = within;
    for (const part of parts) {
      part.set(cluster.subarray(at, at + part.length));
      at += part.length;
    }
  }

  private *decompress({ hi, lo }: MappedRun): Step<Uint8Array> {
    const { offset, bytes } = compressedRange(hi, lo, this.header.clusterBits);
    const kept = this.decompressed.get(offset);
    if (kept) return kept;
    if (!this.inflateRaw || offset >= this.file.end) throw this.mapping.damaged(`a compressed cluster at ${offset}`);
    const compressed = new Uint8Array(bytes);
    const wait = this.file.read([compressed], offset);
    if (wait) yield wait;
    const cluster = this.inflate(compressed, offset);
    if (this.decompressed.size >= DECOMPRESSED_CLUSTERS_KEPT) this.decompressed.delete(this.decompressed.keys().next().value!);
    this.decompressed.set(offset, cluster);
    return cluster;
  }

  private inflate(compressed: Uint8Array, offset: number): Uint8Array {
    const { clusterBytes } = this.header;
    try {
      const cluster = this.inflateRaw!(compressed, clusterBytes);
      if (cluster.length >= clusterBytes) return cluster;
    } catch {
      // The same as too few bytes.
    }
    throw this.mapping.damaged(`a compressed cluster at ${offset} that cannot be decompressed`);
  }
}
