/** A disk in a qcow2 file: ties reader, writer and commits together. The parts say how each works. */
import { DiskImage, type Extent } from '../disk-image';
import { roundUp } from '../bytes';
import { ImageFormatError, ImageRequestError } from '../errors';
import type { ImageFile } from '../image-file';
import { MAX_DISK_BYTES, MAX_L1_BYTES, ZERO_CHUNK_BYTES } from '../limits';
import type { InflateRaw } from '../ports';
import { run, type Step } from '../steps';
import { Commits } from './commit';
import { growL1 } from './grow';
import { l1EntriesFor, type Qcow2Header } from './header';
import { clearAutoclear, writeSize } from './header-writes';
import { Mapping } from './mapping';
import { OwnClusters } from './own-clusters';
import { Reader } from './reader';
import { Reclaim } from './reclaim';
import { Refcounts } from './refcounts';
import { Writer, type WriterParts } from './writer';

/** Commits at the end until nothing is left: removed clusters take one more than what removed them. */
const LAST_COMMITS = 4;

export class Qcow2Image extends DiskImage {
  readonly format = 'qcow2';

  private constructor(
    private readonly file: ImageFile,
    private readonly header: Qcow2Header,
    private readonly mapping: Mapping,
    private readonly reader: Reader,
    readOnly: boolean,
  ) {
    super(file.name, header.bytes, readOnly);
  }

  /** Undefined in an image that is open for reading only. */
  private parts: WriterParts | undefined;
  private writer: Writer | undefined;

  static async open(
    file: ImageFile,
    header: Qcow2Header,
    options: { readonly readOnly: boolean; readonly inflateRaw?: InflateRaw; readonly backing?: DiskImage; readonly cacheBytes: number },
  ): Promise<Qcow2Image> {
    const l1 = new Uint8Array(header.l1Entries * 8);
    await file.read([l1], header.l1Offset);
    let image: Qcow2Image;
    const commit = (): Step<void> => image.flushSteps();
    const mapping = new Mapping(file, header, l1, header.l1Offset, commit, options.cacheBytes);
    const reader = new Reader(file, header, mapping, options.backing, options.inflateRaw);
    image = new Qcow2Image(file, header, mapping, reader, options.readOnly);
    if (!options.readOnly) await image.prepareToWrite(commit, options.cacheBytes);
    return image;
  }

  private async prepareToWrite(commit: () => Step<void>, cacheBytes: number): Promise<void> {
    const { file, header, mapping, reader } = this;
    if (header.snapshots > 0) {
      throw new ImageFormatError(
        `${file.name} holds internal snapshots: it can be read, but not written; remove them with qemu-img snapshot -d`,
      );
    }
    if (header.corrupt)
      throw new ImageFormatError(`${file.name} is marked as corrupt: it can be read, but not written, until a check has repaired it`);
    const own = new OwnClusters(header.clusterBytes, file.end, file.name);
    const refcounts = await Refcounts.open(file, header, own, commit, cacheBytes);
    mapping.claim(own);
    const requests = { last: () => this.sequence, oldest: (): number => this.active.keys().next().value ?? Number.POSITIVE_INFINITY };
    const reclaim = new Reclaim(file, refcounts, own, header.clusterBits, requests);
    const commits = new Commits(file, mapping, refcounts, own, reclaim);
    this.parts = { file, header, mapping, reader, refcounts, own, commits, reclaim };
    this.writer = new Writer(this.parts);
    if (header.autoclear) await clearAutoclear(file);
  }

  get immediate(): boolean {
    return this.file.immediate;
  }

  set immediate(on: boolean) {
    this.file.immediate = on;
    if (this.reader.backing) this.reader.backing.immediate = on;
  }

  extent(offset: number): Promise<Extent> {
    return this.reader.extent(offset, this.bytes);
  }

  protected readSteps(offset: number, segments: readonly Uint8Array[], length: number): Step<void> {
    return this.reader.read(offset, segments, length);
  }

  protected writeSteps(offset: number, segments: readonly Uint8Array[], length: number): Step<void> {
    return this.writer!.write(offset, segments, length);
  }

  protected *flushSteps(): Step<void> {
    const { commits, reclaim } = this.parts!;
    yield* commits.commit();
    reclaim.start();
  }

  protected override ended(): void {
    this.parts?.reclaim.start();
  }

  /** Only full clusters are given back; version 2 has no way to say "zero" in front of an image behind. */
  protected *discardSteps(offset: number, length: number): Step<void> {
    const { first, end } = this.fullClusters(offset, length);
    if (this.zeroesInTables(offset)) yield* this.writer!.zeroClusters(first, end, false);
  }

  protected *zeroSteps(offset: number, length: number, unmap: boolean): Step<void> {
    const { first, end } = this.fullClusters(offset, length);
    if (first >= end || !this.zeroesInTables(offset)) {
      yield* this.writeZeroBytes(offset, offset + length);
      return;
    }
    const { clusterBytes } = this.header;
    yield* this.writeZeroBytes(offset, first * clusterBytes);
    yield* this.writer!.zeroClusters(first, end, !unmap);
    yield* this.writeZeroBytes(end * clusterBytes, offset + length);
  }

  protected async grow(bytes: number): Promise<void> {
    const { header, mapping, file, reader } = this;
    const { clusterBytes } = header;
    const entries = l1EntriesFor(bytes, clusterBytes);
    if (entries * 8 > MAX_L1_BYTES || bytes > MAX_DISK_BYTES) {
      throw new ImageRequestError(
        'EFBIG',
        `${file.name}: ${bytes} bytes are too many for clusters of ${clusterBytes} bytes: copy it with larger clusters`,
      );
    }
    const hidden = reader.backs(this.bytes);
    if (hidden && header.version === 2) {
      throw new ImageRequestError(
        'EINVAL',
        `${file.name} is qcow2 version 2, which cannot hide what the larger image behind it holds: copy it first`,
      );
    }
    await this.settle();
    if (entries * 8 > mapping.l1.length) await growL1(this.parts!, entries, () => this.settle());
    if (hidden) {
      const end = roundUp(Math.min(bytes, reader.backing!.bytes), clusterBytes);
      await run(this.zeroSteps(this.bytes, end - this.bytes, true));
    }
    await this.settle();
    await writeSize(file, bytes);
    this.bytes = bytes;
  }

  protected async finishFiles(): Promise<void> {
    try {
      if (this.parts) await this.settle();
    } finally {
      try {
        await this.file.port.close();
      } finally {
        await this.reader.backing?.close();
      }
    }
  }

  /** Everything is in the file, freed clusters included. */
  private async settle(): Promise<void> {
    const { commits, reclaim } = this.parts!;
    for (let i = 0; i === 0 || (i < LAST_COMMITS && (commits.isDirty || reclaim.isPending)); i++) {
      await run(commits.commit());
      await reclaim.finish();
    }
  }

  private zeroesInTables(offset: number): boolean {
    return this.header.version === 3 || !this.reader.backs(offset);
  }

  /** Clusters that lie in the range as a whole; the disk may end within its last one. */
  private fullClusters(offset: number, length: number): { first: number; end: number } {
    const { clusterBytes } = this.header;
    const end = offset + length;
    return {
      first: Math.ceil(offset / clusterBytes),
      end: end === this.bytes ? Math.ceil(end / clusterBytes) : Math.floor(end / clusterBytes),
    };
  }

  /** By data, where it is not zero already. */
  private *writeZeroBytes(from: number, to: number): Step<void> {
    const zeroes = new Uint8Array(Math.max(0, Math.min(to - from, ZERO_CHUNK_BYTES)));
    for (let at = from; at < to; ) {
      const found = this.mapping.run(yield* this.mapping.table(at), at, Math.min(to - at, ZERO_CHUNK_BYTES));
      if (!this.reader.isZero(found, at)) yield* this.writer!.write(at, [zeroes.subarray(0, found.length)], found.length);
      at += found.length;
    }
  }
}
