/**
 * Takes exact numbers of bytes from a source, which is read ahead in large pieces.
 */
import { fromPort, truncated } from './errors';
import { IO_BYTES } from './limits';
import type { StateSource } from './ports';

export class ByteReader {
  private chunk: Uint8Array = new Uint8Array(0);
  private at = 0;
  private ahead: Promise<Uint8Array> | undefined;
  /** The two buffers that are read into by turns. */
  private readonly buffers = [uncleared(IO_BYTES), uncleared(IO_BYTES)];
  private ended = false;
  /** Bytes taken so far. */
  total = 0;

  constructor(private readonly source: StateSource) {}

  get name(): string {
    return this.source.name;
  }

  /**
   * The next `size` bytes, good until the next call.
   * @param where for the message should they not be there, as `the section "vcpu"`
   */
  async take(size: number, where: string): Promise<Uint8Array> {
    if (this.chunk.length - this.at < size) {
      const whole = new Uint8Array(size);
      for (let done = 0; done < size; ) {
        if (this.at === this.chunk.length && !(await this.next())) throw truncated(this.name, where);
        const part = this.chunk.subarray(this.at, this.at + size - done);
        whole.set(part, done);
        this.at += part.length;
        done += part.length;
      }
      this.total += size;
      return whole;
    }
    const bytes = this.chunk.subarray(this.at, this.at + size);
    this.at += size;
    this.total += size;
    return bytes;
  }

  async atEnd(): Promise<boolean> {
    return this.at === this.chunk.length && !(await this.next());
  }

  /** Before the source is closed: no read is under way any more. */
  async settled(): Promise<void> {
    await this.ahead?.catch(() => {});
  }

  /** Fetches the next piece; false at the end. */
  private async next(): Promise<boolean> {
    if (this.ended) return false;
    this.chunk = await (this.ahead ?? this.read());
    this.at = 0;
    this.ended = this.chunk.length === 0;
    this.ahead = this.ended ? undefined : this.read();
    // Its failure is met when it is waited for.
    this.ahead?.catch(() => {});
    return !this.ended;
  }

  private async read(): Promise<Uint8Array> {
    const buffer = this.buffers[0];
    this.buffers.reverse();
    try {
      const length = await this.source.read(buffer);
      if (!(length >= 0 && length <= buffer.length)) throw new RangeError(`the source returned ${length} bytes of ${buffer.length}`);
      return buffer.subarray(0, length);
    } catch (error) {
      throw fromPort(this.name, 'read', error);
    }
  }
}

/** Memory with anything in it: only what the source has filled is looked at. A Uint8Array, since a Buffer's slice() copies nothing. */
const uncleared = (size: number) => new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
