/**
 * A virtual disk over a file, whatever its format.
 *
 * Requests give undefined when they are done on return, else a promise; they
 * may fail either way (a throw, or a rejection) with an Error whose `code`
 * says why. Any number may be under way, overlapping or not, as on a real
 * disk: a later one waits for an earlier one only if the caller waits. Buffers
 * belong to the image until the request has ended. A failed request may have
 * changed any part of what it was to change, and may be made again.
 *
 * What was written is on stable storage after a `flush` that began later, or
 * after the write itself with `fua`; not before.
 */
import { byteLength } from './bytes';
import { ImageRequestError } from './errors';
import { SECTOR_BYTES } from './limits';
import { run, type Step } from './steps';

export type ImageFormat = 'raw' | 'qcow2';
export type Pending = Promise<void> | undefined;

export interface WriteOptions {
  /** The write is on stable storage when it ends. */
  readonly fua?: boolean;
}

export interface ZeroOptions {
  /** Space may be given back; else it stays reserved where it is. */
  readonly unmap?: boolean;
}

/** A stretch of the disk: `zero` when it is known to read as zeroes without looking at its data. */
export interface Extent {
  readonly zero: boolean;
  readonly length: number;
}

export interface ImageStats {
  reads: number;
  readBytes: number;
  writes: number;
  writtenBytes: number;
  flushes: number;
  discards: number;
  zeroed: number;
  /** Requests that had to wait for something, the rest were done on return. */
  waited: number;
}

export abstract class DiskImage {
  abstract readonly format: ImageFormat;
  /** Whether requests use the file's synchronous calls where it has them; may change at any time. */
  abstract immediate: boolean;

  readonly stats: ImageStats = { reads: 0, readBytes: 0, writes: 0, writtenBytes: 0, flushes: 0, discards: 0, zeroed: 0, waited: 0 };

  protected sequence = 0;
  /** Requests that wait for something, oldest first. */
  protected readonly active = new Map<number, Promise<unknown>>();
  private closed: Promise<void> | undefined;

  protected constructor(
    /** The file's name. */
    readonly name: string,
    /** The disk's size; grows by `resize`. */
    public bytes: number,
    readonly readOnly: boolean,
  ) {}

  get sectors(): number {
    return this.bytes / SECTOR_BYTES;
  }

  read(offset: number, segments: readonly Uint8Array[]): Pending {
    const length = byteLength(segments);
    this.checkRange(offset, length);
    this.stats.reads++;
    this.stats.readBytes += length;
    return this.start(this.readSteps(offset, segments, length));
  }

  write(offset: number, segments: readonly Uint8Array[], options?: WriteOptions): Pending {
    const length = byteLength(segments);
    this.checkWrite(offset, length);
    this.stats.writes++;
    this.stats.writtenBytes += length;
    const steps = this.writeSteps(offset, segments, length);
    return this.start(options?.fua ? this.thenFlush(steps) : steps);
  }

  flush(): Pending {
    this.checkRange(0, 0);
    this.stats.flushes++;
    return this.readOnly ? undefined : this.start(this.flushSteps());
  }

  /** The range's content is no longer needed. It reads as before or as zeroes afterwards. */
  discard(offset: number, length: number): Pending {
    this.checkWrite(offset, length);
    this.stats.discards++;
    return this.start(this.discardSteps(offset, length));
  }

  writeZeroes(offset: number, length: number, options?: ZeroOptions): Pending {
    this.checkWrite(offset, length);
    this.stats.zeroed++;
    return this.start(this.zeroSteps(offset, length, options?.unmap ?? false));
  }

  /** What is known of the range from `offset` on; at least one sector, at most to the end. */
  abstract extent(offset: number): Promise<Extent>;

  /** Makes the disk larger; what is new reads as zeroes. Not while requests are under way. */
  async resize(bytes: number): Promise<void> {
    this.checkWrite(0, 0);
    if (bytes === this.bytes) return;
    if (bytes < this.bytes || bytes % SECTOR_BYTES !== 0) {
      throw new ImageRequestError(
        'EINVAL',
        `${this.name}: cannot change from ${this.bytes} to ${bytes} bytes: disks only grow, by whole sectors`,
      );
    }
    await this.grow(bytes);
  }

  /** Waits for requests under way, flushes, closes the files. Afterwards requests fail with EBADF. */
  close(): Promise<void> {
    return (this.closed ??= this.finish());
  }

  protected abstract readSteps(offset: number, segments: readonly Uint8Array[], length: number): Step<void>;
  protected abstract writeSteps(offset: number, segments: readonly Uint8Array[], length: number): Step<void>;
  protected abstract flushSteps(): Step<void>;
  protected abstract discardSteps(offset: number, length: number): Step<void>;
  protected abstract zeroSteps(offset: number, length: number, unmap: boolean): Step<void>;
  protected abstract grow(bytes: number): Promise<void>;
  /** Brings everything to the disk, then closes the files, even if that failed. */
  protected abstract finishFiles(): Promise<void>;

  /** A request that had to wait has ended. */
  protected ended(): void {}

  protected start(steps: Step<void>): Pending {
    const number = ++this.sequence;
    let waits = false;
    const result = run(steps, () => (waits = true));
    if (!waits) return undefined;
    this.stats.waited++;
    const done = (): void => {
      this.active.delete(number);
      this.ended();
    };
    this.active.set(number, (result as Promise<void>).then(done, done));
    return result as Promise<void>;
  }

  private *thenFlush(steps: Step<void>): Step<void> {
    yield* steps;
    yield* this.flushSteps();
  }

  private async finish(): Promise<void> {
    await Promise.all(this.active.values());
    await this.finishFiles();
  }

  private checkWrite(offset: number, length: number): void {
    if (this.readOnly) throw new ImageRequestError('EROFS', `${this.name} is open for reading only`);
    this.checkRange(offset, length);
  }

  private checkRange(offset: number, length: number): void {
    if (this.closed) throw new ImageRequestError('EBADF', `${this.name} has been closed`);
    if (!(offset >= 0 && length >= 0 && offset % SECTOR_BYTES === 0 && length % SECTOR_BYTES === 0 && offset + length <= this.bytes)) {
      throw new ImageRequestError('EINVAL', `${this.name}: ${length} bytes at ${offset} are not whole sectors within ${this.bytes} bytes`);
    }
  }
}
