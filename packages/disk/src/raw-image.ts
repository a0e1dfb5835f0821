/** A disk whose bytes are the file's bytes. */
import { roundUp } from './bytes';
import { DiskImage, type Extent } from './disk-image';
import { codeOf } from './errors';
import type { ImageFile } from './image-file';
import { SECTOR_BYTES, ZERO_CHUNK_BYTES } from './limits';
import { Batch, type Step } from './steps';

/** A file system that cannot punch holes answers so; zeroes are written instead. */
const CANNOT = new Set(['EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL', 'ENODEV']);

export class RawImage extends DiskImage {
  readonly format = 'raw';
  private canDiscard: boolean;

  constructor(
    private readonly file: ImageFile,
    readOnly: boolean,
  ) {
    // A file that ends within a sector: the rest of that sector reads as zeroes.
    super(file.name, roundUp(file.end, SECTOR_BYTES), readOnly);
    this.canDiscard = file.port.discard !== undefined;
  }

  get immediate(): boolean {
    return this.file.immediate;
  }

  set immediate(on: boolean) {
    this.file.immediate = on;
  }

  async extent(offset: number): Promise<Extent> {
    return { zero: false, length: this.bytes - offset };
  }

  protected *readSteps(offset: number, segments: readonly Uint8Array[]): Step<void> {
    const wait = this.file.read(segments, offset);
    if (wait) yield wait;
  }

  protected *writeSteps(offset: number, segments: readonly Uint8Array[]): Step<void> {
    const wait = this.file.write(segments, offset);
    if (wait) yield wait;
  }

  protected *flushSteps(): Step<void> {
    const wait = this.file.sync();
    if (wait) yield wait;
  }

  protected *discardSteps(offset: number, length: number): Step<void> {
    yield* this.punch(offset, length);
  }

  protected *zeroSteps(offset: number, length: number, unmap: boolean): Step<void> {
    if (unmap && (yield* this.punch(offset, length))) return;
    const zeroes = new Uint8Array(Math.min(length, ZERO_CHUNK_BYTES));
    for (let done = 0; done < length; done += zeroes.length) {
      const wait = this.file.write([zeroes.subarray(0, Math.min(zeroes.length, length - done))], offset + done);
      if (wait) yield wait;
    }
  }

  private *punch(offset: number, length: number): Step<boolean> {
    if (!this.canDiscard) return false;
    const batch = new Batch();
    batch.add(this.file.port.discard!(offset, length));
    try {
      yield* batch.settle();
    } catch (error) {
      if (!CANNOT.has(codeOf(error))) throw error;
      this.canDiscard = false;
    }
    return this.canDiscard;
  }

  protected async grow(bytes: number): Promise<void> {
    await this.file.port.truncate(bytes);
    await this.file.sync();
    this.file.end = this.bytes = bytes;
  }

  protected async finishFiles(): Promise<void> {
    try {
      if (!this.readOnly) await this.file.sync();
    } finally {
      await this.file.port.close();
    }
  }
}
