/**
 * Gathers small pieces into large writes. What is written is put together right in
 * the buffer that goes to the sink; a few writes may be under way while the next
 * buffer fills, never more, so memory is bounded and a slow sink slows the writer.
 */
import { fromPort, type SnapshotError } from './errors';
import { IO_BUFFERS, IO_BYTES } from './limits';
import type { StateSink } from './ports';

export class ByteWriter {
  private readonly free = Array.from({ length: IO_BUFFERS }, () => new Uint8Array(IO_BYTES));
  /** Writes under way, oldest first. */
  private readonly pending: Promise<void>[] = [];
  private buffer = this.free.pop()!;
  private used = 0;
  private failure: SnapshotError | undefined;
  /** Bytes so far, wherever they are. */
  total = 0;

  constructor(private readonly sink: StateSink) {}

  /** Room for at least `size` bytes, at most IO_BYTES; `advance` says how many of them were filled. */
  async reserve(size: number): Promise<Uint8Array> {
    if (IO_BYTES - this.used < size) await this.send();
    return this.buffer.subarray(this.used);
  }

  advance(size: number): void {
    this.used += size;
    this.total += size;
  }

  /** Copies. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const room = await this.reserve(1);
      const part = bytes.subarray(done, done + room.length);
      room.set(part);
      this.advance(part.length);
      done += part.length;
    }
  }

  /** All of it is with the sink. */
  async flush(): Promise<void> {
    await this.send();
    await this.settled();
    if (this.failure) throw this.failure;
  }

  /** No write is under way any more; failures are kept for later. */
  async settled(): Promise<void> {
    while (this.pending.length > 0) await this.pending.shift();
  }

  private async send(): Promise<void> {
    if (this.failure) throw this.failure;
    if (this.used === 0) return;
    const buffer = this.buffer;
    this.pending.push(this.pass(buffer.subarray(0, this.used)).then(() => void this.free.push(buffer)));
    this.used = 0;
    while (this.free.length === 0) await this.pending.shift();
    if (this.failure) throw this.failure;
    this.buffer = this.free.pop()!;
  }

  private async pass(bytes: Uint8Array): Promise<void> {
    try {
      await this.sink.write(bytes);
    } catch (error) {
      this.failure ??= fromPort(this.sink.name, 'write', error);
    }
  }
}
