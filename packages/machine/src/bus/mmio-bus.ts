/**
 * Device memory: physical ranges that are not RAM. Few and rarely touched, so
 * a linear list is enough. As on the port bus, fixed ranges may not overlap
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
}

const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;

export class MmioBus {
  private fixed: MmioRange[] = [];
  private placed: MmioRange[] = [];
  /** Called after any range came or went. */
  onChange: () => void = () => {};

  register(range: MmioRange): void {
    const other = this.fixed.find((each) => range.base < each.base + each.length && each.base < range.base + range.length);
    if (other) throw new Error(`memory of ${range.name} and ${other.name} overlaps`);
    this.fixed.push(range);
    this.onChange();
  }

  place(range: MmioRange): void {
    this.placed = [...this.placed, range].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.onChange();
  }

  remove(range: MmioRange): void {
    this.placed = this.placed.filter((each) => each !== range);
    this.onChange();
  }

  ranges(): readonly MmioRange[] {
    return [...this.fixed, ...this.placed];
  }

  /** The range that answers at gpa, or undefined for a hole. */
  find(gpa: number): MmioRange | undefined {
    const holds = (range: MmioRange): boolean => gpa >= range.base && gpa < range.base + range.length;
    return this.fixed.find(holds) ?? this.placed.find(holds);
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
      return;
    }
    if (size === 1) return;
    for (let byte = 0; byte < size; byte++) this.write((gpa + byte) % 2 ** 32, 1, value >>> (8 * byte));
  }
}
