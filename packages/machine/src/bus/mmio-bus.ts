/**
 * Device memory: physical ranges that are not RAM. Some are touched at every
 * interrupt, so the address space is kept cut into spans with one owner each,
 * and the last one found is tried first. As on the port bus, fixed ranges may not overlap
 * and ranges placed by the guest through PCI give way to them, and among
 * themselves to the one whose name sorts first. An access that
 * straddles the border of a range is split into bytes; holes read as ones and
 * swallow writes.
 *
 * Whether a page is RAM is decided elsewhere: this bus is asked only for
 * addresses where there is none.
 */

export interface MmioHandler {
  /** `offset` from the start of the range; the value is unsigned. */
  read(offset: number, size: 1 | 2 | 4): number;
  write(offset: number, size: 1 | 2 | 4, value: number): void;
}

export interface MmioRange {
  readonly name: string;
  readonly base: number;
  readonly length: number;
  readonly handler: MmioHandler;
  /** The guest chose the address. */
  readonly placed?: boolean;
}

interface Span {
  readonly from: number;
  /** The first address behind it. */
  readonly to: number;
  readonly range: MmioRange | undefined;
}

const NOWHERE: Span = { from: 0, to: 0, range: undefined };
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;

export class MmioBus {
  private fixed: MmioRange[] = [];
  private placed: MmioRange[] = [];
  /** Disjoint, by address; what lies between is a hole. */
  private spans: Span[] = [];
  private last: Span = NOWHERE;
  /** Called after a write to a range that the guest placed: a device there may have work or another deadline now. */
  onPlacedWrite: () => void = () => {};
  /** Called after any range came or went. */
  onChange: () => void = () => {};

  register(range: MmioRange): void {
    const other = this.fixed.find((each) => range.base < each.base + each.length && each.base < range.base + range.length);
    if (other) throw new Error(`memory of ${range.name} and ${other.name} overlaps`);
    this.fixed.push(range);
    this.changed();
  }

  place(range: MmioRange): void {
    this.placed = [...this.placed, range].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.changed();
  }

  remove(range: MmioRange): void {
    this.placed = this.placed.filter((each) => each !== range);
    this.changed();
  }

  ranges(): readonly MmioRange[] {
    return [...this.fixed, ...this.placed];
  }

  /** The range that answers at gpa, or undefined for a hole. */
  find(gpa: number): MmioRange | undefined {
    const { last } = this;
    if (gpa >= last.from && gpa < last.to) return last.range;
    let low = 0;
    let high = this.spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.spans[middle].to <= gpa) low = middle + 1;
      else high = middle;
    }
    const span = this.spans[low];
    if (!span || gpa < span.from) return undefined;
    this.last = span;
    return span.range;
  }

  read(gpa: number, size: 1 | 2 | 4): number {
    const range = this.find(gpa);
    if (range && gpa + size <= range.base + range.length) {
      return (range.handler.read(gpa - range.base, size) & ALL_ONES[size]) >>> 0;
    }
    if (size === 1) return 0xff;
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.read((gpa + byte) % 2 ** 32, 1) << (8 * byte);
    return value >>> 0;
  }

  write(gpa: number, size: 1 | 2 | 4, value: number): void {
    const range = this.find(gpa);
    if (range && gpa + size <= range.base + range.length) {
      range.handler.write(gpa - range.base, size, (value & ALL_ONES[size]) >>> 0);
      if (range.placed) this.onPlacedWrite();
      return;
    }
    if (size === 1) return;
    for (let byte = 0; byte < size; byte++) this.write((gpa + byte) % 2 ** 32, 1, value >>> (8 * byte));
  }

  private changed(): void {
    const ranges = this.ranges();
    const borders = [...new Set(ranges.flatMap((range) => [range.base, range.base + range.length]))].sort((a, b) => a - b);
    this.spans = [];
    for (const [index, from] of borders.slice(0, -1).entries()) {
      // Fixed ranges stand first in the list, the others by name.
      const range = ranges.find((each) => from >= each.base && from < each.base + each.length);
      if (range) this.spans.push({ from, to: borders[index + 1], range });
    }
    this.last = NOWHERE;
    this.onChange();
  }
}
