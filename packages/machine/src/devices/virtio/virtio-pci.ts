/**
 * A virtio device as a PCI function, transitional: BAR 0 holds the legacy
 * header in I/O space, BAR 1 the modern structures in memory, and MSI-X when
 * somebody takes its messages. Source: VIRTIO 1.1, 4.1.
 *
 *   BAR 0  0000 legacy header, device configuration (behind two vectors while MSI-X is on)
 *   BAR 1  0000 common   0100 interrupt status   0200 device configuration
 *          0300 notification   1000 MSI-X table   1800 pending bits
 *
 * Notification and interrupt status are offered twice, first in the legacy
 * header: a port access leaves translated code by a cheaper way than an access
 * to device memory, and drivers take the first they can use (4.1.4).
 */
import { Msix, type MsiSink, msixCapability } from '../msix';
import { type PciBar, type PciCapability, PciFunction } from '../pci-function';
import type { PortHandler } from '../../bus/port-bus';
import {
  COMMON_BYTES,
  commonRegisters,
  LEGACY_ISR,
  LEGACY_NOTIFY,
  LEGACY_STATUS,
  legacyRegisters,
  legacyRegistersWithMsix,
  type RegisterOwner,
} from './registers';
import { type InterruptSink, Status, type VirtioCore } from './virtio-core';

export interface VirtioPciShape {
  /** PCI device number << 3 | function number. */
  readonly slot: number;
  /** Virtio device type: 1 network, 2 block. */
  readonly type: number;
  readonly classCode: number;
  readonly queues: number;
  readonly msi?: MsiSink;
}

const VENDOR = 0x1af4;
/** Transitional devices: 1000 network, 1001 block (4.1.2.1). */
const TRANSITIONAL = 0x0fff;

const PCI_COMMAND = 4;
const PCI_COMMAND_BUS_MASTER = 4;

const IO_BAR = 0;
const IO_BYTES = 128;
const LEGACY_HEADER = 0x14;
const LEGACY_HEADER_WITH_MSIX = 0x18;

const MEMORY_BAR = 1;
const MEMORY_BYTES = 0x2000;
const COMMON = 0x0000;
const ISR = 0x0100;
const DEVICE = 0x0200;
const NOTIFY = 0x0300;
const STRUCTURE_BYTES = 0x100;
const MSIX_TABLE = 0x1000;
const MSIX_PENDING = 0x1800;

const CapabilityType = { common: 1, notify: 2, isr: 3, device: 4, window: 5 } as const;
/** The window's registers within its capability. */
const WINDOW = { bar: 4, offset: 8, length: 12, data: 16 } as const;

type Size = 1 | 2 | 4;

export class VirtioPci implements InterruptSink, RegisterOwner {
  readonly function: PciFunction;
  readonly msix: Msix | undefined;
  private readonly windowAt: number;
  private readonly msixAt: number;
  private attached: VirtioCore | undefined;

  constructor(shape: VirtioPciShape) {
    const vectors = shape.queues + 1;
    this.msix = shape.msi && new Msix(vectors, shape.msi);
    const capabilities = [...virtioCapabilities()];
    if (this.msix) capabilities.push(msixCapability(vectors, MEMORY_BAR, MSIX_TABLE, MSIX_PENDING));
    const bars: Record<number, PciBar> = {
      [IO_BAR]: { kind: 'io', size: IO_BYTES, handler: (base) => this.ports(base) },
      [MEMORY_BAR]: {
        kind: 'memory',
        size: MEMORY_BYTES,
        handler: {
          read: (offset, size) => this.readMemory(offset, size),
          write: (offset, size, value) => this.writeMemory(offset, size, value),
        },
      },
    };
    this.function = new PciFunction(
      shape.slot,
      {
        vendor: VENDOR,
        device: TRANSITIONAL + shape.type,
        revision: 0,
        classCode: shape.classCode,
        subsystemVendor: VENDOR,
        subsystem: shape.type,
        interruptPin: 1,
        bars,
        capabilities,
      },
      (at) => this.configWritten(at),
      (at) => this.windowByte(at),
    );
    this.windowAt = this.function.capabilityOffsets[virtioCapabilities().length - 1];
    this.msixAt = this.function.capabilityOffsets[virtioCapabilities().length] ?? 256;
    this.msix?.bind(this.function, this.msixAt);
  }

  /** Once, before the machine runs. */
  attach(core: VirtioCore): void {
    this.attached = core;
  }

  get core(): VirtioCore {
    return this.attached!;
  }

  usesVectors(): boolean {
    return this.msix?.enabled ?? false;
  }

  raise(vector: number): void {
    this.msix?.raise(vector);
  }

  isrChanged(): void {
    this.function.setInterrupt(this.core.isr !== 0 && !this.usesVectors());
  }

  busMaster(): boolean {
    return this.function.busMaster;
  }

  private ports(base: number): PortHandler {
    const read = (size: Size) => (port: number) => this.readPorts(port - base, size);
    const write = (size: Size) => (port: number, value: number) => this.writePorts(port - base, size, value);
    return { in8: read(1), in16: read(2), in32: read(4), out8: write(1), out16: write(2), out32: write(4) };
  }

  private readPorts(offset: number, size: Size): number {
    const header = this.usesVectors() ? LEGACY_HEADER_WITH_MSIX : LEGACY_HEADER;
    if (offset >= header) return this.readConfig(offset - header, size);
    return (this.usesVectors() ? legacyRegistersWithMsix : legacyRegisters).read(this, offset, size);
  }

  private writePorts(offset: number, size: Size, value: number): void {
    if (offset === LEGACY_NOTIFY && size === 2) return this.core.notify(value);
    const header = this.usesVectors() ? LEGACY_HEADER_WITH_MSIX : LEGACY_HEADER;
    if (offset >= header) return this.writeConfig(offset - header, size, value);
    if (offset === LEGACY_STATUS && value & Status.driverOk) this.enableBusMaster();
    (this.usesVectors() ? legacyRegistersWithMsix : legacyRegisters).write(this, offset, size, value);
  }

  /** Old drivers say DRIVER_OK and never ask for bus mastering; the hosts of their day did not check. */
  private enableBusMaster(): void {
    this.function.write(PCI_COMMAND, 1, this.function.stored8(PCI_COMMAND) | PCI_COMMAND_BUS_MASTER);
  }

  private readMemory(offset: number, size: Size): number {
    if (offset < COMMON + COMMON_BYTES) return commonRegisters.read(this, offset - COMMON, size);
    if (offset >= DEVICE && offset < DEVICE + STRUCTURE_BYTES) return this.readConfig(offset - DEVICE, size);
    if (offset === ISR) return this.core.takeIsr();
    if (offset >= MSIX_PENDING) return this.msix?.readPending(offset - MSIX_PENDING, size) ?? 0;
    if (offset >= MSIX_TABLE) return this.msix?.readTable(offset - MSIX_TABLE, size) ?? 0;
    return 0;
  }

  private writeMemory(offset: number, size: Size, value: number): void {
    if (offset < COMMON + COMMON_BYTES) commonRegisters.write(this, offset - COMMON, size, value);
    else if (offset >= DEVICE && offset < DEVICE + STRUCTURE_BYTES) this.writeConfig(offset - DEVICE, size, value);
    else if (offset === NOTIFY) this.core.notify(value & 0xffff);
    else if (offset >= MSIX_TABLE && offset < MSIX_PENDING) this.msix?.writeTable(offset - MSIX_TABLE, size, value);
  }

  private readConfig(at: number, size: Size): number {
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.core.readConfig(at + byte) << (8 * byte);
    return value >>> 0;
  }

  private writeConfig(at: number, size: Size, value: number): void {
    for (let byte = 0; byte < size; byte++) this.core.writeConfig(at + byte, (value >>> (8 * byte)) & 0xff);
  }

  private configWritten(at: number): void {
    if (!this.attached) return;
    if (at === this.msixAt + 3) {
      this.msix?.controlWritten();
      this.isrChanged();
    }
    const byte = at - this.windowAt - WINDOW.data;
    if (byte < 0 || byte > 3) return;
    const window = this.window();
    // The data's last byte comes last in any one access.
    if (!window || byte !== window.size - 1) return;
    let value = 0;
    for (let each = 0; each < window.size; each++) value |= this.function.stored8(this.windowAt + WINDOW.data + each) << (8 * each);
    if (window.bar === IO_BAR) this.writePorts(window.offset, window.size, value >>> 0);
    else this.writeMemory(window.offset, window.size, value >>> 0);
  }

  /** Configuration reads of the window's data come from the BAR, byte by byte (4.1.4.7). */
  private windowByte(at: number): number | undefined {
    const byte = at - this.windowAt - WINDOW.data;
    if (!(byte >= 0 && byte <= 3)) return undefined;
    const window = this.window();
    if (!window || byte >= window.size) return undefined;
    return window.bar === IO_BAR ? this.readPorts(window.offset + byte, 1) : this.readMemory(window.offset + byte, 1);
  }

  /** What the window shows, if the driver set it up as the rules say. */
  private window(): { bar: number; offset: number; size: Size } | undefined {
    const word = (at: number): number => {
      let value = 0;
      for (let byte = 3; byte >= 0; byte--) value = value * 256 + this.function.stored8(this.windowAt + at + byte);
      return value;
    };
    const [bar, offset, size] = [this.function.stored8(this.windowAt + WINDOW.bar), word(WINDOW.offset), word(WINDOW.length)];
    const bytes = bar === IO_BAR ? IO_BYTES : bar === MEMORY_BAR ? MEMORY_BYTES : 0;
    const valid = (size === 1 || size === 2 || size === 4) && offset % size === 0 && offset + size <= bytes;
    return valid ? { bar, offset, size: size as Size } : undefined;
  }
}

/** In the order a driver finds them; the window, which the driver writes to, is last. */
function virtioCapabilities(): PciCapability[] {
  const le32 = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
  const structure = (type: number, bar: number, offset: number, length: number, ...more: number[]): PciCapability => ({
    id: 0x09,
    body: [16 + more.length, type, bar, 0, 0, 0, ...le32(offset), ...le32(length), ...more],
  });
  const everywhere = le32(0);
  const window = structure(CapabilityType.window, 0, 0, 0, ...le32(0));
  return [
    structure(CapabilityType.common, MEMORY_BAR, COMMON, COMMON_BYTES),
    structure(CapabilityType.notify, IO_BAR, LEGACY_NOTIFY, 2, ...everywhere),
    structure(CapabilityType.notify, MEMORY_BAR, NOTIFY, 4, ...everywhere),
    structure(CapabilityType.isr, IO_BAR, LEGACY_ISR, 1),
    structure(CapabilityType.isr, MEMORY_BAR, ISR, 1),
    structure(CapabilityType.device, MEMORY_BAR, DEVICE, STRUCTURE_BYTES),
    { ...window, writable: [0, 0, 0xff, 0, 0, 0, ...new Array<number>(12).fill(0xff)] },
  ];
}
