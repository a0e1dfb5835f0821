/**
 * Ethernet frames from one thread to one other, through shared memory: a byte
 * ring with a single producer and a single consumer and no lock. The twin of
 * native/ring.h, which lays it out the same way.
 *
 *     head (bytes ever put) ── tail (bytes ever taken) ── flags ── counters ── data (a power of two)
 *
 * A record is a length (4 bytes, little-endian), a virtio-net header (12 bytes,
 * zero where nobody uses it) and the frame; records start at multiples of 16
 * and lie in one piece, so that a consumer can use the frame where it lies. One
 * that does not fit before the ring's end is preceded by SKIP and starts anew
 * at 0.
 *
 * Waking costs a system call, so it is done only when asked for. A consumer
 * that found nothing sets `consumerSleeps` and looks once more; a producer that
 * put a record and finds the flag set clears it and wakes. A producer that
 * found no room sets `producerWaits` and looks once more; a consumer that finds
 * it set, with half of the ring free, clears it and wakes. All of these are
 * sequentially consistent, so one of the two always sees the other.
 */
import { DEFAULT_RING_BYTES, MAX_FRAME_BYTES, MAX_RING_BYTES, MIN_FRAME_BYTES, MIN_RING_BYTES, VIRTIO_HEADER_BYTES } from './limits';

/** Byte offsets of the ring's fields, compared with C++ when the addon is loaded. */
export const RING_LAYOUT = {
  head: 0,
  tail: 64,
  consumerSleeps: 128,
  producerWaits: 132,
  frames: 192,
  bytes: 200,
  dropped: 208,
  data: 256,
} as const;

const HEAD = RING_LAYOUT.head / 4;
const TAIL = RING_LAYOUT.tail / 4;
const CONSUMER_SLEEPS = RING_LAYOUT.consumerSleeps / 4;
const PRODUCER_WAITS = RING_LAYOUT.producerWaits / 4;
const FRAMES = RING_LAYOUT.frames / 8;
const BYTES = RING_LAYOUT.bytes / 8;
const DROPPED = RING_LAYOUT.dropped / 8;

const SKIP = -1;
const ALIGN = 16;
const MAX_RECORD_BYTES = VIRTIO_HEADER_BYTES + MAX_FRAME_BYTES;
const NO_HEADER = new Uint8Array(VIRTIO_HEADER_BYTES);

/** A new ring for `bytes` of frames, which is a power of two. Throws RangeError for a size out of the limits. */
export function createFrameRing(bytes: number = DEFAULT_RING_BYTES): SharedArrayBuffer {
  if (!isCapacity(bytes)) {
    throw new RangeError(`a frame ring holds a power of two of bytes, ${MIN_RING_BYTES} to ${MAX_RING_BYTES}: ${bytes} is none`);
  }
  return new SharedArrayBuffer(RING_LAYOUT.data + bytes);
}

export interface RingCounters {
  readonly frames: number;
  readonly bytes: number;
  /** For want of room, or of a length that no frame has. */
  readonly dropped: number;
}

/** The producer's numbers; any thread may look. */
export function ringCounters(buffer: SharedArrayBuffer): RingCounters {
  const numbers = new Float64Array(buffer, 0, RING_LAYOUT.data / 8);
  return { frames: numbers[FRAMES], bytes: numbers[BYTES], dropped: numbers[DROPPED] };
}

function isCapacity(bytes: number): boolean {
  return Number.isInteger(bytes) && bytes >= MIN_RING_BYTES && bytes <= MAX_RING_BYTES && (bytes & (bytes - 1)) === 0;
}

function spanOf(length: number): number {
  return (length + 4 + ALIGN - 1) & -ALIGN;
}

class RingEnd {
  protected readonly words: Int32Array;
  protected readonly numbers: Float64Array;
  protected readonly data: Uint8Array;
  protected readonly lengths: Int32Array;
  protected readonly capacity: number;

  constructor(buffer: SharedArrayBuffer) {
    this.capacity = buffer.byteLength - RING_LAYOUT.data;
    if (!isCapacity(this.capacity)) throw new RangeError('this is no frame ring: its size is wrong');
    this.words = new Int32Array(buffer, 0, RING_LAYOUT.data / 4);
    this.numbers = new Float64Array(buffer, 0, RING_LAYOUT.data / 8);
    this.data = new Uint8Array(buffer, RING_LAYOUT.data);
    this.lengths = new Int32Array(buffer, RING_LAYOUT.data);
  }

  /** Bytes in the ring. */
  protected used(): number {
    return (Atomics.load(this.words, HEAD) - Atomics.load(this.words, TAIL)) >>> 0;
  }
}

export class FrameProducer extends RingEnd {
  /** `wake` is called when the consumer sleeps and a frame has come. */
  constructor(
    buffer: SharedArrayBuffer,
    private readonly wake: () => void,
  ) {
    super(buffer);
  }

  /** Copies the frame, given in pieces, into the ring. False: dropped and counted (no room, or no frame's length). */
  push(parts: readonly Uint8Array[], header: Uint8Array = NO_HEADER): boolean {
    let length = 0;
    for (const part of parts) length += part.length;
    const start = length >= MIN_FRAME_BYTES && length <= MAX_FRAME_BYTES ? this.reserve(VIRTIO_HEADER_BYTES + length) : -1;
    if (start < 0) {
      this.numbers[DROPPED]++;
      return false;
    }
    let at = (start >>> 0) & (this.capacity - 1);
    this.lengths[at >> 2] = VIRTIO_HEADER_BYTES + length;
    at += 4;
    if (header.length === VIRTIO_HEADER_BYTES) this.data.set(header, at);
    else this.data.fill(0, at, at + VIRTIO_HEADER_BYTES);
    at += VIRTIO_HEADER_BYTES;
    for (const part of parts) {
      this.data.set(part, at);
      at += part.length;
    }
    this.numbers[FRAMES]++;
    this.numbers[BYTES] += length;
    Atomics.store(this.words, HEAD, (start + spanOf(VIRTIO_HEADER_BYTES + length)) | 0);
    if (Atomics.load(this.words, CONSUMER_SLEEPS) !== 0 && Atomics.exchange(this.words, CONSUMER_SLEEPS, 0) !== 0) this.wake();
    return true;
  }

  /** Room for the largest frame. */
  get hasRoom(): boolean {
    return this.capacity - this.used() >= 2 * spanOf(MAX_RECORD_BYTES);
  }

  /** Asks to be woken when half of the ring is free. False: there is room already. */
  awaitRoom(): boolean {
    Atomics.store(this.words, PRODUCER_WAITS, 1);
    if (!this.hasRoom) return true;
    Atomics.store(this.words, PRODUCER_WAITS, 0);
    return false;
  }

  /** Position of a record of that length, in 0..2^32 (as the head counts), or -1. */
  private reserve(length: number): number {
    const head = Atomics.load(this.words, HEAD) >>> 0;
    const free = this.capacity - this.used();
    const at = head & (this.capacity - 1);
    const toEnd = this.capacity - at;
    const span = spanOf(length);
    if (span <= toEnd) return span <= free ? head : -1;
    if (span + toEnd > free) return -1;
    this.lengths[at >> 2] = SKIP;
    return (head + toEnd) % 2 ** 32;
  }
}

/** Takes a frame; it is good only during the call. False: not now, keep it. */
export type FrameTaker = (frame: Uint8Array, header: Uint8Array) => boolean;

export class FrameConsumer extends RingEnd {
  /** `wake` is called when the producer waits for room and there is some. */
  constructor(
    buffer: SharedArrayBuffer,
    private readonly wake: () => void,
  ) {
    super(buffer);
  }

  /**
   * Hands out frames, oldest first, until the ring is empty, `take` refuses, or
   * `limit` frames are out. When it was emptied the consumer counts as asleep:
   * the next frame wakes it. True: frames remain that nobody will wake it for.
   */
  drain(take: FrameTaker, limit: number): boolean {
    let count = 0;
    for (;;) {
      if (!this.peek()) {
        this.offerRoom();
        Atomics.store(this.words, CONSUMER_SLEEPS, 1);
        if (this.used() === 0) return false;
        Atomics.store(this.words, CONSUMER_SLEEPS, 0);
        continue;
      }
      if (count >= limit || !take(this.frame(), this.header())) {
        this.offerRoom();
        return true;
      }
      count++;
      Atomics.store(this.words, TAIL, (Atomics.load(this.words, TAIL) + spanOf(this.length)) | 0);
    }
  }

  private length = 0;
  private at = 0;

  /** Finds the oldest record. What lies in the ring is checked before use: a damaged ring is emptied. */
  private peek(): boolean {
    for (;;) {
      const tail = Atomics.load(this.words, TAIL);
      const used = this.used();
      if (used === 0) return false;
      const at = (tail >>> 0) & (this.capacity - 1);
      const toEnd = this.capacity - at;
      const length = used <= this.capacity && at % ALIGN === 0 ? this.lengths[at >> 2] : 0;
      if (length === SKIP && toEnd <= used) {
        Atomics.store(this.words, TAIL, (tail + toEnd) | 0);
        continue;
      }
      const span = spanOf(length);
      if (length < VIRTIO_HEADER_BYTES + MIN_FRAME_BYTES || length > MAX_RECORD_BYTES || span > used || span > toEnd) {
        Atomics.store(this.words, TAIL, (tail + used) | 0);
        return false;
      }
      this.length = length;
      this.at = at + 4;
      return true;
    }
  }

  private header(): Uint8Array {
    return this.data.subarray(this.at, this.at + VIRTIO_HEADER_BYTES);
  }

  private frame(): Uint8Array {
    return this.data.subarray(this.at + VIRTIO_HEADER_BYTES, this.at + this.length);
  }

  private offerRoom(): void {
    if (Atomics.load(this.words, PRODUCER_WAITS) === 0 || this.used() > this.capacity / 2) return;
    if (Atomics.exchange(this.words, PRODUCER_WAITS, 0) !== 0) this.wake();
  }
}
