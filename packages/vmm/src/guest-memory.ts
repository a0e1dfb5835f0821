import type { PhysicalMemory } from '@godwit/cpu';
import type { BusMaster } from '@godwit/machine';
import type { Buffers, Native } from '@godwit/metal';

/** Device memory as the machine's bus offers it. */
export interface DeviceMemory {
  read(gpa: number, size: 1 | 2 | 4): number;
  write(gpa: number, size: 1 | 2 | 4, value: number): void;
}

const LEGACY_HOLE_START = 0xa0000;
const LEGACY_HOLE_END = 0xc0000;

/**
 * Guest-physical memory for TypeScript: RAM by its linear view, all else by the
 * device bus. Writes tell the native layer first when code was translated from
 * the page.
 */
export class GuestMemory implements PhysicalMemory, BusMaster {
  readonly ram: Uint8Array;
  readonly watched: Uint8Array;
  private readonly dirty: Uint8Array;
  private readonly words: DataView;
  /** Called before a watched page is written: the interpreter's own decode cache. */
  onWrite: (gpa: number) => void = () => {};

  constructor(
    private readonly native: Native,
    buffers: Buffers,
    private readonly devices: DeviceMemory,
  ) {
    this.ram = new Uint8Array(buffers.ram);
    this.words = new DataView(buffers.ram);
    this.watched = new Uint8Array(buffers.watched);
    this.dirty = new Uint8Array(buffers.dirty);
  }

  isRam(gpa: number): boolean {
    return gpa < this.ram.length && (gpa < LEGACY_HOLE_START || gpa >= LEGACY_HOLE_END);
  }

  beforeWrite(gpa: number): void {
    const page = gpa >>> 12;
    this.dirty[page] = 1;
    if (this.watched[page] !== 0) this.native.invalidatePage(page);
    this.onWrite(gpa);
  }

  read8(gpa: number): number {
    return this.isRam(gpa) ? this.ram[gpa] : this.devices.read(gpa, 1);
  }

  read16(gpa: number): number {
    return this.isRam(gpa) && gpa + 2 <= this.ram.length ? this.words.getUint16(gpa, true) : this.devices.read(gpa, 2);
  }

  read32(gpa: number): number {
    return this.isRam(gpa) && gpa + 4 <= this.ram.length ? this.words.getUint32(gpa, true) : this.devices.read(gpa, 4);
  }

  write8(gpa: number, value: number): void {
    if (!this.isRam(gpa)) return this.devices.write(gpa, 1, value);
    this.beforeWrite(gpa);
    this.ram[gpa] = value;
  }

  write16(gpa: number, value: number): void {
    if (!this.isRam(gpa) || gpa + 2 > this.ram.length) return this.devices.write(gpa, 2, value);
    this.beforeWrite(gpa);
    this.words.setUint16(gpa, value, true);
  }

  write32(gpa: number, value: number): void {
    if (!this.isRam(gpa) || gpa + 4 > this.ram.length) return this.devices.write(gpa, 4, value);
    this.beforeWrite(gpa);
    this.words.setUint32(gpa, value, true);
  }

  /** All of it plain RAM. */
  isRamRange(gpa: number, length: number): boolean {
    if (!(gpa >= 0 && length >= 0 && gpa + length <= this.ram.length)) return false;
    return gpa + length <= LEGACY_HOLE_START || gpa >= LEGACY_HOLE_END;
  }

  view(gpa: number, length: number): Uint8Array | undefined {
    return this.isRamRange(gpa, length) ? this.ram.subarray(gpa, gpa + length) : undefined;
  }

  writable(gpa: number, length: number): Uint8Array | undefined {
    if (!this.isRamRange(gpa, length)) return undefined;
    this.announceWrite(gpa, length);
    return this.ram.subarray(gpa, gpa + length);
  }

  /** `beforeWrite` for each page of a range of RAM. */
  announceWrite(gpa: number, length: number): void {
    for (let page = gpa - (gpa & 0xfff); page < gpa + length; page += 4096) this.beforeWrite(page);
  }

  /** Whole ranges, as the boot loader writes them. */
  write(gpa: number, bytes: Uint8Array): void {
    this.announceWrite(gpa, bytes.length);
    this.ram.set(bytes, gpa);
  }
}
