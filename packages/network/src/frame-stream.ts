/**
 * Ethernet frames on a byte stream: each behind its length, 4 bytes,
 * big-endian, as passt and QEMU's `-netdev stream` carry them.
 */
import { MAX_FRAME_BYTES, MIN_FRAME_BYTES } from './limits';

const LENGTH_BYTES = 4;

/** Cuts chunks of the stream into frames. Holds back at most one frame. */
export class FrameReader {
  private held = new Uint8Array(LENGTH_BYTES + MAX_FRAME_BYTES);
  private heldBytes = 0;

  /**
   * Hands each complete frame to `take`, which must not keep it. Returns null,
   * or in words why the stream is broken; then nothing more is to be fed.
   */
  feed(chunk: Uint8Array, take: (frame: Uint8Array) => void): string | null {
    let at = 0;
    if (this.heldBytes > 0) {
      at = this.fillHeld(chunk, 0, LENGTH_BYTES);
      if (this.heldBytes < LENGTH_BYTES) return null;
      const length = lengthAt(this.held, 0);
      if (!isFrameLength(length)) return wrongLength(length);
      at = this.fillHeld(chunk, at, LENGTH_BYTES + length);
      if (this.heldBytes < LENGTH_BYTES + length) return null;
      take(this.held.subarray(LENGTH_BYTES, this.heldBytes));
      this.heldBytes = 0;
    }
    while (chunk.length - at >= LENGTH_BYTES) {
      const length = lengthAt(chunk, at);
      if (!isFrameLength(length)) return wrongLength(length);
      if (chunk.length - at < LENGTH_BYTES + length) break;
      take(chunk.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
      at += LENGTH_BYTES + length;
    }
    this.held.set(chunk.subarray(at));
    this.heldBytes = chunk.length - at;
    return null;
  }

  /** Copies from the chunk until that much is held; where the chunk goes on. */
  private fillHeld(chunk: Uint8Array, at: number, wanted: number): number {
    const count = Math.max(0, Math.min(wanted - this.heldBytes, chunk.length - at));
    this.held.set(chunk.subarray(at, at + count), this.heldBytes);
    this.heldBytes += count;
    return at + count;
  }
}

/** Writes length and frame at that offset, where there is room; the offset behind them. */
export function putFrame(to: Uint8Array, at: number, frame: Uint8Array): number {
  to[at] = frame.length >>> 24;
  to[at + 1] = frame.length >>> 16;
  to[at + 2] = frame.length >>> 8;
  to[at + 3] = frame.length;
  to.set(frame, at + LENGTH_BYTES);
  return at + LENGTH_BYTES + frame.length;
}

/** Bytes that a frame takes on the stream. */
export function streamBytes(frame: Uint8Array): number {
  return LENGTH_BYTES + frame.length;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

function isFrameLength(length: number): boolean {
  return length >= MIN_FRAME_BYTES && length <= MAX_FRAME_BYTES;
}

function wrongLength(length: number): string {
  return `a frame of ${length} bytes was announced: ${MIN_FRAME_BYTES} to ${MAX_FRAME_BYTES} are possible`;
}
