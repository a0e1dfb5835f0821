/**
 * An image's file: picks the synchronous call where there is one, reads zeroes
 * past the end, knows up to where anything was ever written, and stops all
 * writing after a failed sync.
 */
import { byteLength, scatter, zeroFrom } from './bytes';
import { codeOf, ImageRequestError } from './errors';
import { SCRATCH_BYTES } from './limits';
import type { FilePort } from './ports';

export class ImageFile {
  /** Use the port's synchronous calls where it has them. */
  immediate = true;
  /** Times the file was synced. */
  syncs = 0;
  private failure: ImageRequestError | undefined;
  private scratch: Uint8Array | undefined;

  private constructor(
    readonly port: FilePort,
    /** For messages, and to find a backing file by a relative name. */
    readonly name: string,
    /** Nothing was ever written at or behind this offset: there the file reads as zeroes. */
    public end: number,
  ) {}

  static async open(port: FilePort, name: string): Promise<ImageFile> {
    return new ImageFile(port, name, await port.size());
  }

  /** Fills all of the buffers; what lies past the end of the file is zero. */
  read(buffers: readonly Uint8Array[], offset: number): Promise<void> | undefined {
    const { port } = this;
    if (buffers.length === 1) {
      const buffer = buffers[0];
      if (this.immediate && port.readNow) {
        const count = port.readNow(buffer, offset);
        if (count < buffer.length) buffer.fill(0, count);
        return undefined;
      }
      return port.read(buffer, offset).then((count) => {
        if (count < buffer.length) buffer.fill(0, count);
      });
    }
    if (this.immediate && port.readPartsNow) {
      zeroFrom(buffers, port.readPartsNow(buffers, offset));
      return undefined;
    }
    if (port.readParts) return port.readParts(buffers, offset).then((count) => zeroFrom(buffers, count));
    return this.readThroughCopy(buffers, offset);
  }

  private readThroughCopy(buffers: readonly Uint8Array[], offset: number): Promise<void> | undefined {
    const length = byteLength(buffers);
    const { port } = this;
    if (this.immediate && port.readNow) {
      const whole = length <= SCRATCH_BYTES ? (this.scratch ??= new Uint8Array(SCRATCH_BYTES)).subarray(0, length) : new Uint8Array(length);
      whole.fill(0, port.readNow(whole, offset));
      scatter(whole, buffers);
      return undefined;
    }
    const whole = new Uint8Array(length);
    return port.read(whole, offset).then((count) => {
      whole.fill(0, count);
      scatter(whole, buffers);
    });
  }

  write(buffers: readonly Uint8Array[], offset: number): Promise<void> | undefined {
    if (this.failure) throw this.failure;
    const end = offset + byteLength(buffers);
    // Before the write: one that fails may have got half-way.
    if (end > this.end) this.end = end;
    if (this.immediate && this.port.writeNow) {
      this.port.writeNow(buffers, offset);
      return undefined;
    }
    return this.port.write(buffers, offset);
  }

  sync(): Promise<void> | undefined {
    if (this.failure) throw this.failure;
    this.syncs++;
    if (this.immediate && this.port.syncNow) {
      try {
        this.port.syncNow();
      } catch (error) {
        this.syncFailed(error);
      }
      return undefined;
    }
    return this.port.sync().catch((error) => this.syncFailed(error));
  }

  /** From now on every write and sync fails with this. */
  stop(error: ImageRequestError): void {
    this.failure ??= error;
  }

  /**
   * A host that could not write out a page of its cache reports it once and
   * forgets the page: the next sync would succeed over lost data.
   */
  private syncFailed(error: unknown): never {
    if (!this.port.durable) {
      const what = `${this.name}: the host could not bring written data to the disk (${codeOf(error)}), so nothing more is written`;
      this.stop(new ImageRequestError('EIO', `${what}; what was flushed before is safe. Mend the storage, then start the VM again`));
    }
    throw error;
  }
}
