/**
 * A file in memory that knows what a crash may leave of it: what was synced,
 * plus any part, sector by sector, of what was written since. Answers at once
 * or later in random order, and fails where a test wants it to.
 */
import { byteLength } from '../bytes';
import type { FilePort } from '../ports';
import type { Random } from './random';

interface Change {
  readonly offset: number;
  readonly bytes: Uint8Array;
  done: boolean;
}

export type Operation = 'read' | 'write' | 'sync';

export interface MemoryFileOptions {
  /** Answers come later, in random order. */
  readonly later?: Random;
  /** A code to fail with, for operation number `count` of its kind from 1 on. */
  readonly fail?: (operation: Operation, count: number, offset: number) => string | undefined;
  /** A write waits for this before anything happens. */
  readonly hold?: (offset: number) => Promise<void> | undefined;
  readonly durable?: boolean;
  readonly noDiscard?: boolean;
}

export class MemoryFile implements FilePort {
  readonly readNow?: FilePort['readNow'];
  readonly writeNow?: FilePort['writeNow'];
  readonly syncNow?: FilePort['syncNow'];
  discard?: FilePort['discard'];
  readonly durable?: boolean;
  readonly counts: Record<Operation, number> = { read: 0, write: 0, sync: 0 };
  closed = false;
  private stable: Uint8Array;
  private pending: Change[] = [];

  constructor(
    private bytes: Uint8Array = new Uint8Array(0),
    private readonly options: MemoryFileOptions = {},
  ) {
    this.stable = bytes.slice();
    this.durable = options.durable;
    if (!options.noDiscard) this.discard = (offset, length) => this.punch(offset, length);
    if (options.later) return;
    this.readNow = (buffer, offset) => this.doRead(buffer, offset);
    this.writeNow = (buffers, offset) => {
      this.doWrite(this.begin(buffers, offset));
    };
    this.syncNow = () => {
      this.check('sync', 0);
      this.settle(this.pending.length);
    };
  }

  /** What the file holds now. */
  content(): Uint8Array {
    return this.bytes.slice();
  }

  /** What a crash could leave now. */
  afterCrash(random: Random): Uint8Array {
    let image: Uint8Array = this.stable.slice();
    // Sometimes nothing, sometimes everything, most often something.
    const share = random.pick([0, 0.1, 0.5, 0.9, 1]);
    for (const change of this.pending) {
      const sectors = Math.ceil(change.bytes.length / 512);
      const whole = random.chance(0.7);
      const kept = random.chance(share);
      for (let i = 0; i < sectors; i++) {
        if (whole ? !kept : !random.chance(share)) continue;
        image = overlay(image, change.offset + i * 512, change.bytes.subarray(i * 512, i * 512 + 512));
      }
    }
    return image;
  }

  async size(): Promise<number> {
    return this.bytes.length;
  }

  async read(buffer: Uint8Array, offset: number): Promise<number> {
    await this.wait();
    return this.doRead(buffer, offset);
  }

  async write(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    await this.wait();
    await this.options.hold?.(offset);
    const change = this.begin(buffers, offset);
    await this.wait();
    this.doWrite(change);
  }

  async sync(): Promise<void> {
    // Only what was answered before it began is covered.
    const covered = this.pending.filter((change) => change.done);
    await this.wait();
    this.check('sync', 0);
    for (const change of covered) this.stable = overlay(this.stable, change.offset, change.bytes);
    this.pending = this.pending.filter((change) => !covered.includes(change));
  }

  async truncate(size: number): Promise<void> {
    const resize = (old: Uint8Array): Uint8Array => {
      const next = new Uint8Array(size);
      next.set(old.subarray(0, size));
      return next;
    };
    this.bytes = resize(this.bytes);
    this.stable = resize(this.stable);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  private async punch(offset: number, length: number): Promise<void> {
    const end = Math.min(offset + length, this.bytes.length);
    if (end > offset) await this.write([new Uint8Array(end - offset)], offset);
  }

  private async wait(): Promise<void> {
    const { later } = this.options;
    for (let i = later?.below(4) ?? 0; i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
  }

  private doRead(buffer: Uint8Array, offset: number): number {
    this.check('read', offset);
    const count = Math.max(0, Math.min(buffer.length, this.bytes.length - offset));
    if (count > 0) buffer.set(this.bytes.subarray(offset, offset + count));
    return count;
  }

  private begin(buffers: readonly Uint8Array[], offset: number): Change {
    const bytes = new Uint8Array(byteLength(buffers));
    let at = 0;
    for (const buffer of buffers) {
      bytes.set(buffer, at);
      at += buffer.length;
    }
    const change = { offset, bytes, done: false };
    this.pending.push(change);
    return change;
  }

  private doWrite(change: Change): void {
    try {
      this.check('write', change.offset);
    } catch (error) {
      // A failed write may have got anywhere.
      this.bytes = overlay(this.bytes, change.offset, change.bytes.subarray(0, Math.floor(change.bytes.length / 2)));
      throw error;
    }
    this.bytes = overlay(this.bytes, change.offset, change.bytes);
    change.done = true;
  }

  private settle(count: number): void {
    for (const change of this.pending.splice(0, count)) this.stable = overlay(this.stable, change.offset, change.bytes);
  }

  private check(operation: Operation, offset: number): void {
    if (this.closed) throw Object.assign(new Error('closed'), { code: 'EBADF' });
    const count = ++this.counts[operation];
    const code = this.options.fail?.(operation, count, offset);
    if (code) throw Object.assign(new Error(`${operation} failed on purpose`), { code });
  }
}

/** Larger images than this are a mistake of the code under test. */
const MOST_BYTES = 1 << 28;

function overlay(image: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const end = offset + bytes.length;
  if (end > MOST_BYTES) throw new Error(`a write to ${offset}`);
  if (end <= image.length) {
    image.set(bytes, offset);
    return image;
  }
  const larger = new Uint8Array(end);
  larger.set(image);
  larger.set(bytes, offset);
  return larger;
}
