/**
 * Descriptors in the three forms that software styles give them (data sheet,
 * "Receive Descriptors", "Transmit Descriptors"); s: status, c: byte count,
 * a: buffer address, m: message byte count or errors.
 *
 *   bytes     0 1 2 3 4 5 6 7 8 9 a b c d e f
 *   style 0   a a a s c c m m                   address and status share a dword
 *   style 2   a a a a c c s s m m m m - - - -   and 1
 *   style 3   m m m m c c s s a a a a - - - -
 *
 * One is read once, in whole; after that the guest may change it as it likes.
 */
import { get16, get32, set16, set32 } from './bytes';
import { Bcr, Status, Style } from './bits';
import { type Chip, highAddress, is32Bit, viewOf, writableOf } from './chip';
import type { PcnetState } from './state';

interface Layout {
  readonly bytes: number;
  readonly address: number;
  readonly count: number;
  readonly status: number;
  /** Where the message byte count and where the transmit errors are. */
  readonly message: number;
  readonly errors: number;
}

const LAYOUTS = {
  lance: { bytes: 8, address: 0, count: 4, status: 2, message: 6, errors: 6 },
  pci: { bytes: 16, address: 0, count: 4, status: 6, message: 8, errors: 10 },
  pci2: { bytes: 16, address: 8, count: 4, status: 6, message: 0, errors: 2 },
} as const satisfies Record<string, Layout>;

function layoutOf(state: PcnetState): Layout {
  if (!is32Bit(state)) return LAYOUTS.lance;
  return (state.bcr[Bcr.style] & Style.number) === 3 ? LAYOUTS.pci2 : LAYOUTS.pci;
}

export const descriptorBytes = (state: PcnetState): number => layoutOf(state).bytes;

export class Descriptor {
  private gpa = 0;
  private layout: Layout = LAYOUTS.lance;
  /** The status word; in style 0 the low byte is part of the address. */
  status = 0;
  bufferGpa = 0;
  bufferBytes = 0;

  constructor(private readonly chip: Chip) {}

  get owned(): boolean {
    return (this.status & Status.own) !== 0;
  }

  /** Has room in its status word for which address matched. */
  get wide(): boolean {
    return this.layout !== LAYOUTS.lance;
  }

  /** Entry `index` of the ring at `base`. False when it is not in RAM. */
  load(base: number, index: number): boolean {
    const { registers } = this.chip;
    const layout = layoutOf(registers);
    const gpa = base + index * layout.bytes;
    const bytes = viewOf(this.chip, gpa, layout.bytes);
    if (!bytes) return false;
    this.gpa = gpa;
    this.layout = layout;
    this.status = get16(bytes, layout.status);
    const address = get32(bytes, layout.address);
    this.bufferGpa = this.wide ? address : ((address & 0xffffff) | highAddress(registers)) >>> 0;
    this.bufferBytes = 4096 - (get16(bytes, layout.count) & 0xfff);
    return true;
  }

  /** Gives it back to the driver: what its status is now, and for the last of a received frame its length. */
  releaseReceived(status: number, messageBytes?: number): boolean {
    const kept = this.wide ? 0 : this.status & 0xff;
    return this.write(kept | status, (bytes) => {
      if (messageBytes === undefined) return;
      if (this.wide) set32(bytes, this.layout.message, messageBytes);
      else set16(bytes, this.layout.message, messageBytes);
    });
  }

  releaseSent(status: number, errors?: number): boolean {
    return this.write(status, (bytes) => {
      if (errors === undefined) return;
      if (this.wide) set32(bytes, this.layout.message, errors * 0x10000);
      else set16(bytes, this.layout.errors, errors);
    });
  }

  private write(status: number, more: (bytes: Uint8Array) => void): boolean {
    const bytes = writableOf(this.chip, this.gpa, this.layout.bytes);
    if (!bytes) return false;
    more(bytes);
    set16(bytes, this.layout.status, status);
    return true;
  }
}
