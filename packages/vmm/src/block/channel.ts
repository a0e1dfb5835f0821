/**
 * How disk requests cross from the vCPU's thread to the disk's thread: one
 * SharedArrayBuffer a disk, a table of request slots and two rings of slot
 * numbers. Each ring has one producer and one consumer.
 *
 *      vCPU's thread                          disk's thread
 *   fill slot, submitted[head++] ──────────► read slot, do it in guest RAM
 *   free slot ◄────────────────────────────  completed[head++], kick
 *
 * Data itself never passes through here: guest RAM is one mapping that both
 * threads see. Only adapters' own buffers (PIO) go by the bounce area.
 */

/** Requests on their way at one time; adapters' further ones wait in the client. */
export const SLOTS = 64;
/** Stretches of guest RAM in one slot: a request with more is split. */
export const SEGMENTS = 512;
/** Largest request from an adapter's own buffer: 256 sectors, the most that PIO moves. */
export const BOUNCE_BYTES = 128 * 1024;
/** Segment addresses from here on mean the bounce area: guest RAM ends below. */
export const BOUNCE_BASE = 0xf0000000;

export const enum Cell {
  SubmitHead = 0,
  SubmitTail = 1,
  CompleteHead = 2,
  CompleteTail = 3,
  /** 1 while the disk's thread waits on Doorbell: only then does a submission need to ring. */
  Sleeping = 4,
  /** Requests that wait for the datastore to come back; the vCPU does not run meanwhile. */
  Held = 5,
  /** Changed and notified to wake the disk's thread. */
  Doorbell = 6,
  /** Orders that the shell has posted; the thread counts those it got. */
  Orders = 7,
}
const CELLS = 16;

export const enum SlotField {
  Kind = 0,
  Flags = 1,
  SectorLow = 2,
  SectorHigh = 3,
  Sectors = 4,
  SegmentCount = 5,
  Status = 6,
  Segments = 8,
}
const SLOT_WORDS = SlotField.Segments + SEGMENTS * 2;

export const FLAG_FUA = 1;

export const KINDS = ['read', 'write', 'flush', 'discard', 'write-zeroes'] as const;
export const STATUSES = ['ok', 'error', 'unsupported'] as const;

const RING_AT = CELLS;
const SLOTS_AT = RING_AT + 2 * SLOTS;
const BOUNCE_AT = (SLOTS_AT + SLOTS * SLOT_WORDS) * 4;
const CHANNEL_BYTES = BOUNCE_AT + BOUNCE_BYTES;

export const createChannel = (): SharedArrayBuffer => new SharedArrayBuffer(CHANNEL_BYTES);

/** Wakes the disk's thread. A ring between its last look and its wait is not lost: the wait sees another value. */
export function ring(cells: Int32Array): void {
  Atomics.add(cells, Cell.Doorbell, 1);
  Atomics.notify(cells, Cell.Doorbell);
}

/** One thread's view of a channel. */
export class Channel {
  readonly cells: Int32Array;
  readonly bounce: Uint8Array;
  private readonly words: Uint32Array;

  constructor(memory: SharedArrayBuffer) {
    if (memory.byteLength !== CHANNEL_BYTES) throw new RangeError(`a disk channel has ${CHANNEL_BYTES} bytes, not ${memory.byteLength}`);
    this.cells = new Int32Array(memory, 0, CELLS);
    this.words = new Uint32Array(memory, 0, BOUNCE_AT / 4);
    this.bounce = new Uint8Array(memory, BOUNCE_AT);
  }

  slot(index: number): Uint32Array {
    const at = SLOTS_AT + index * SLOT_WORDS;
    return this.words.subarray(at, at + SLOT_WORDS);
  }

  /** Producer's end of a ring. */
  push(ring: 'submit' | 'complete', slot: number): void {
    const head = ring === 'submit' ? Cell.SubmitHead : Cell.CompleteHead;
    const position = this.cells[head];
    this.words[this.entry(ring, position)] = slot;
    Atomics.store(this.cells, head, (position + 1) | 0);
  }

  /** Consumer's end: a slot number, or -1 when the ring is empty. */
  take(ring: 'submit' | 'complete'): number {
    const [head, tail] = ring === 'submit' ? [Cell.SubmitHead, Cell.SubmitTail] : [Cell.CompleteHead, Cell.CompleteTail];
    const position = this.cells[tail];
    if (Atomics.load(this.cells, head) === position) return -1;
    const slot = this.words[this.entry(ring, position)];
    Atomics.store(this.cells, tail, (position + 1) | 0);
    return slot;
  }

  private entry(ring: 'submit' | 'complete', position: number): number {
    return RING_AT + (ring === 'submit' ? 0 : SLOTS) + (position & (SLOTS - 1));
  }
}
