/**
 * One descriptor chain, taken apart: first the stretches that the device may
 * read, then those it may write. Adjacent stretches are merged. Source:
 * VIRTIO 1.1, 2.6.4 to 2.6.5.
 *
 * Every descriptor is read once, at most CHAIN_DESCRIPTORS of them, so a loop
 * ends as an overlong chain. Whether the stretches are RAM shows when they are
 * used; lengths and addresses are plain numbers that cannot overflow. Where a
 * driver puts the border between header and data is its own business (VIRTIO
 * 1.1, 2.6.4.1): all access here is by offset into one of the two parts.
 *
 * The object is used again for each chain: what it gives is good until then.
 */
import type { BusMaster } from '../../ports/bus-master';
import type { Segment } from '../../ports/block';
import { get16, get32, get64 } from './bytes';
import { CHAIN_DESCRIPTORS } from './limits';

const DESCRIPTOR_BYTES = 16;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

export class Chain {
  readableBytes = 0;
  writableBytes = 0;
  private readonly gpas = new Float64Array(CHAIN_DESCRIPTORS);
  private readonly lengths = new Float64Array(CHAIN_DESCRIPTORS);
  /** Stretches 0 to readable - 1 are the device's to read, the rest up to count its to write. */
  private readable = 0;
  private count = 0;

  constructor(private readonly bus: BusMaster) {}

  /** Follows the chain at `head`; the error in it, if there is one. */
  load(table: Uint8Array, head: number, indirectAllowed: boolean): string | undefined {
    this.readableBytes = this.writableBytes = this.readable = this.count = 0;
    let entries = table;
    let size = table.length / DESCRIPTOR_BYTES;
    let indirect = false;
    let index = head;
    for (let steps = 0; steps < CHAIN_DESCRIPTORS; steps++) {
      if (index >= size) return `descriptor ${index} of ${size}`;
      const at = index * DESCRIPTOR_BYTES;
      const gpa = get64(entries, at);
      const length = get32(entries, at + 8);
      const flags = get16(entries, at + 12);
      if (flags & INDIRECT) {
        if (!indirectAllowed) return 'an indirect descriptor without the feature';
        if (indirect || flags & NEXT) return 'an indirect descriptor that is nested or goes on';
        if (length === 0 || length % DESCRIPTOR_BYTES !== 0) return `an indirect table of ${length} bytes`;
        const inner = this.bus.view(gpa, length);
        if (!inner) return 'an indirect table outside RAM';
        entries = inner;
        size = length / DESCRIPTOR_BYTES;
        indirect = true;
        index = 0;
        continue;
      }
      if (!this.add(gpa, length, (flags & WRITE) !== 0)) return 'a readable descriptor behind a writable one';
      if (!(flags & NEXT)) return undefined;
      index = get16(entries, at + 14);
    }
    return 'a chain that is too long or a loop';
  }

  /** Copies `length` bytes at `offset` of the readable part. False when they are not there or not RAM. */
  read(offset: number, into: Uint8Array, length: number): boolean {
    if (offset + length > this.readableBytes) return false;
    return this.visit(0, this.readable, offset, length, (gpa, bytes, done) => {
      const view = this.bus.view(gpa, bytes);
      if (view) into.set(view, done);
      return view !== undefined;
    });
  }

  /** Writes `source` at `offset` of the writable part. False when it is not there or not RAM. */
  write(offset: number, source: Uint8Array): boolean {
    if (offset + source.length > this.writableBytes) return false;
    return this.visit(this.readable, this.count, offset, source.length, (gpa, bytes, done) => {
      const view = this.bus.writable(gpa, bytes);
      view?.set(bytes === source.length ? source : source.subarray(done, done + bytes));
      return view !== undefined;
    });
  }

  /** Views of the readable part from `offset` on, added to `parts`. False when any of it is not RAM. */
  views(offset: number, parts: Uint8Array[]): boolean {
    return this.visit(0, this.readable, offset, this.readableBytes - offset, (gpa, bytes) => {
      const view = this.bus.view(gpa, bytes);
      if (view) parts.push(view);
      return view !== undefined;
    });
  }

  /** Stretches of `length` bytes at `offset` of one part, for a block request. They are not checked to be RAM. */
  segments(part: 'readable' | 'writable', offset: number, length: number): Segment[] {
    const segments: Segment[] = [];
    const [first, end] = part === 'readable' ? [0, this.readable] : [this.readable, this.count];
    this.visit(first, end, offset, length, (gpa, bytes) => segments.push({ gpa, length: bytes }) > 0);
    return segments;
  }

  /** Address of the last byte of the writable part, which must not be empty. */
  lastWritable(): number {
    return this.gpas[this.count - 1] + this.lengths[this.count - 1] - 1;
  }

  private add(gpa: number, length: number, writable: boolean): boolean {
    if (!writable && this.count > this.readable) return false;
    if (length === 0) return true;
    if (writable) this.writableBytes += length;
    else this.readableBytes += length;
    const last = this.count - 1;
    const sameKind = last >= (writable ? this.readable : 0);
    if (sameKind && this.gpas[last] + this.lengths[last] === gpa) {
      this.lengths[last] += length;
      return true;
    }
    this.gpas[this.count] = gpa;
    this.lengths[this.count++] = length;
    if (!writable) this.readable++;
    return true;
  }

  private visit(
    first: number,
    end: number,
    offset: number,
    length: number,
    use: (gpa: number, bytes: number, done: number) => boolean,
  ): boolean {
    let skip = offset;
    let done = 0;
    for (let index = first; index < end && done < length; index++) {
      if (skip >= this.lengths[index]) {
        skip -= this.lengths[index];
        continue;
      }
      const bytes = Math.min(this.lengths[index] - skip, length - done);
      if (!use(this.gpas[index] + skip, bytes, done)) return false;
      done += bytes;
      skip = 0;
    }
    return done === length;
  }
}
