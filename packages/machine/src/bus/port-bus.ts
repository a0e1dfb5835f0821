/**
 * The 64 Ki I/O ports. A device registers a range and the widths it knows;
 * the bus answers for the rest as the chipset does: a wider access to narrower
 * registers is split, low half first; a read nobody answers floats to ones; a
 * write nobody takes is lost. No access by the guest can fail here.
 *
 * Two kinds of range: fixed ones, which may not overlap for the same width
 * (that is a wiring mistake and asserts), and those that the guest places
 * through a PCI base address register. The guest may put the latter anywhere,
 * so they give way to fixed ones and, among themselves, to the one whose name
 * sorts first: the outcome is the same after a restore, in whatever order the
 * ranges came.
 */
import type { PortIo } from '@godwit/cpu';

/** Methods get the absolute port; missing ones make the bus split or float. Values are unsigned. */
export interface PortHandler {
  in8?(port: number): number;
  out8?(port: number, value: number): void;
  in16?(port: number): number;
  out16?(port: number, value: number): void;
  in32?(port: number): number;
  out32?(port: number, value: number): void;
}

export interface PortRange {
  readonly name: string;
  readonly first: number;
  readonly last: number;
  readonly handler: PortHandler;
}

type Access = keyof PortHandler;
const ACCESSES: readonly Access[] = ['in8', 'out8', 'in16', 'out16', 'in32', 'out32'];
const PORT_COUNT = 0x10000;
type Table<A extends Access> = (NonNullable<PortHandler[A]> | undefined)[];

export class PortBus implements PortIo {
  private readonly tables: { [A in Access]: Table<A> };
  private fixed: PortRange[] = [];
  private placed: PortRange[] = [];

  constructor() {
    const table = (): never[] => new Array(PORT_COUNT).fill(undefined) as never[];
    this.tables = { in8: table(), out8: table(), in16: table(), out16: table(), in32: table(), out32: table() };
  }

  /** Wires a device to ports that never move. */
  register(name: string, first: number, last: number, handler: PortHandler): void {
    const range = { name, first, last, handler };
    for (const other of this.fixed) {
      const overlaps = first <= other.last && other.first <= last;
      const clash = overlaps && ACCESSES.find((access) => handler[access] && other.handler[access]);
      if (clash) throw new Error(`ports of ${name} and ${other.name} overlap (${clash})`);
    }
    this.fixed.push(range);
    this.rebuild(range);
  }

  /** Wires ports where the guest put them. */
  place(range: PortRange): void {
    this.placed = [...this.placed, range].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.rebuild(range);
  }

  remove(range: PortRange): void {
    this.placed = this.placed.filter((each) => each !== range);
    this.rebuild(range);
  }

  in(port: number, size: 1 | 2 | 4): number {
    const at = port & 0xffff;
    if (size === 1) {
      const read = this.tables.in8[at];
      return read ? read(at) & 0xff : 0xff;
    }
    if (size === 2) {
      const read = this.tables.in16[at];
      return read ? read(at) & 0xffff : this.in(at, 1) | (this.in(at + 1, 1) << 8);
    }
    const read = this.tables.in32[at];
    return (read ? read(at) : this.in(at, 2) | (this.in(at + 2, 2) << 16)) >>> 0;
  }

  out(port: number, size: 1 | 2 | 4, value: number): void {
    const at = port & 0xffff;
    if (size === 1) {
      this.tables.out8[at]?.(at, value & 0xff);
      return;
    }
    if (size === 2) {
      const write = this.tables.out16[at];
      if (write) return write(at, value & 0xffff);
      this.out(at, 1, value);
      this.out(at + 1, 1, value >>> 8);
      return;
    }
    const write = this.tables.out32[at];
    if (write) return write(at, value >>> 0);
    this.out(at, 2, value);
    this.out(at + 2, 2, value >>> 16);
  }

  /** Names of the ranges that answer at a port: for diagnostics. */
  ownersOf(port: number): string[] {
    return this.ranges().filter((range) => range.first <= port && port <= range.last).map((range) => range.name);
  }

  private ranges(): PortRange[] {
    return [...this.fixed, ...this.placed];
  }

  private rebuild(changed: PortRange): void {
    const near = this.ranges().filter((range) => range.first <= changed.last && changed.first <= range.last);
    for (const access of ACCESSES) this.rebuildTable(access, changed, near);
  }

  private rebuildTable<A extends Access>(access: A, changed: PortRange, near: PortRange[]): void {
    const table: Table<A> = this.tables[access];
    for (let port = changed.first; port <= changed.last; port++) {
      const owner = near.find((range) => range.first <= port && port <= range.last && range.handler[access]);
      const method = owner?.handler[access];
      table[port] = owner && method ? (method.bind(owner.handler) as NonNullable<PortHandler[A]>) : undefined;
    }
  }
}
