/** Machine state as it arrives: grows as it must, to a limit. */
import { StreamError } from './errors';
import { MAX_STATE_BYTES, STATE_CHUNK_BYTES } from './limits';
import { padded } from './stream/frame';
import { StateSum } from './stream/page-sum';

export class StateBuffer {
  private room = new Uint8Array(0);
  private used = 0;
  private readonly sums = new StateSum();

  /** @param chunk body of a message, followed by its padding @throws StreamError */
  add(chunk: Uint8Array): void {
    const needed = this.used + chunk.length;
    if (chunk.length === 0 || chunk.length > STATE_CHUNK_BYTES || needed > MAX_STATE_BYTES) {
      throw new StreamError('bounds', `machine state of ${needed} bytes is more than any machine has`);
    }
    if (needed > this.room.length) {
      const larger = new Uint8Array(Math.min(MAX_STATE_BYTES, Math.max(needed, 2 * this.room.length)));
      larger.set(this.bytes);
      this.room = larger;
    }
    this.room.set(chunk, this.used);
    this.used = needed;
    this.sums.add(new Uint8Array(chunk.buffer, chunk.byteOffset, padded(chunk.length)));
  }

  get bytes(): Uint8Array {
    return this.room.subarray(0, this.used);
  }

  get sum(): { low: number; high: number } {
    return { ...this.sums.total };
  }
}
