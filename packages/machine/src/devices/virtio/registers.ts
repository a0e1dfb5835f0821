/**
 * The registers by which a driver reaches a virtio device over PCI, as tables:
 * the legacy header (VIRTIO 1.1, 4.1.4.8) and the common configuration
 * structure (4.1.4.3). A driver reads and writes whole registers; other
 * accesses read the bytes they cover and write nothing.
 */
import type { Msix } from '../msix';
import type { VirtioCore } from './virtio-core';
import { Area, NO_VECTOR, type Virtqueue } from './virtqueue';

export interface RegisterOwner {
  readonly core: VirtioCore;
  readonly msix: Msix | undefined;
}

interface Register {
  readonly at: number;
  readonly size: 1 | 2 | 4;
  readonly read?: (owner: RegisterOwner) => number;
  readonly write?: (owner: RegisterOwner, value: number) => void;
}

/** Offsets in the legacy header; the modern capabilities for notification and interrupt status point there, too. */
export const LEGACY_NOTIFY = 0x10;
export const LEGACY_STATUS = 0x12;
export const LEGACY_ISR = 0x13;

const queue = (owner: RegisterOwner): Virtqueue | undefined => owner.core.selectedQueue;
/** A vector that the device has, or none: what the driver reads back tells it. */
const vector = ({ msix }: RegisterOwner, value: number): number => (value < (msix?.vectors ?? 0) ? value : NO_VECTOR);

const configVector = (at: number): Register => ({
  at,
  size: 2,
  read: ({ core }) => core.configVector,
  write: (owner, value) => {
    owner.core.configVector = vector(owner, value);
  },
});
const queueVector = (at: number): Register => ({
  at,
  size: 2,
  read: (owner) => queue(owner)?.vector ?? NO_VECTOR,
  write: (owner, value) => {
    const selected = queue(owner);
    if (selected) selected.vector = vector(owner, value);
  },
});
const queueSelect = (at: number): Register => ({
  at,
  size: 2,
  read: ({ core }) => core.queueSelect,
  write: ({ core }, value) => {
    core.queueSelect = value;
  },
});
const status = (at: number, legacy: boolean): Register => ({
  at,
  size: 1,
  read: ({ core }) => core.readStatus(legacy),
  write: ({ core }, value) => core.writeStatus(value),
});

const LEGACY: readonly Register[] = [
  { at: 0x00, size: 4, read: ({ core }) => core.offeredFeatures(0) },
  { at: 0x04, size: 4, read: ({ core }) => core.acceptedFeatures(0), write: ({ core }, value) => core.acceptFeatures(0, value, true) },
  { at: 0x08, size: 4, read: (owner) => queue(owner)?.legacyPage() ?? 0, write: (owner, value) => queue(owner)?.placeLegacy(value) },
  { at: 0x0c, size: 2, read: (owner) => queue(owner)?.size ?? 0 },
  queueSelect(0x0e),
  { at: LEGACY_NOTIFY, size: 2, write: ({ core }, value) => core.notify(value) },
  status(LEGACY_STATUS, true),
  { at: LEGACY_ISR, size: 1, read: ({ core }) => core.takeIsr() },
];
/** There only while MSI-X is enabled; without, the device's configuration begins here. */
const LEGACY_MSIX: readonly Register[] = [configVector(0x14), queueVector(0x16)];

/** A queue's areas may be set until the driver enables it. */
const queueAddress = (at: number, word: number): Register => ({
  at,
  size: 4,
  read: (owner) => queue(owner)?.addresses[word] ?? 0,
  write: (owner, value) => {
    const selected = queue(owner);
    if (selected && !selected.enabled) selected.addresses[word] = value;
  },
});

const COMMON: readonly Register[] = [
  {
    at: 0x00,
    size: 4,
    read: ({ core }) => core.featureSelect,
    write: ({ core }, value) => {
      core.featureSelect = value;
    },
  },
  { at: 0x04, size: 4, read: ({ core }) => core.offeredFeatures(core.featureSelect) },
  {
    at: 0x08,
    size: 4,
    read: ({ core }) => core.driverFeatureSelect,
    write: ({ core }, value) => {
      core.driverFeatureSelect = value;
    },
  },
  {
    at: 0x0c,
    size: 4,
    read: ({ core }) => core.acceptedFeatures(core.driverFeatureSelect),
    write: ({ core }, value) => core.acceptFeatures(core.driverFeatureSelect, value, false),
  },
  configVector(0x10),
  { at: 0x12, size: 2, read: ({ core }) => core.queues.length },
  status(0x14, false),
  { at: 0x15, size: 1, read: ({ core }) => core.generation },
  queueSelect(0x16),
  {
    at: 0x18,
    size: 2,
    read: (owner) => queue(owner)?.size ?? 0,
    write: (owner, value) => {
      const selected = queue(owner);
      if (selected && !selected.enabled && selected.validSize(value)) selected.size = value;
    },
  },
  queueVector(0x1a),
  {
    at: 0x1c,
    size: 2,
    read: (owner) => Number(queue(owner)?.enabled ?? false),
    write: (owner, value) => {
      const selected = queue(owner);
      if (selected && !selected.enabled && value === 1) selected.start(true);
    },
  },
  // All queues notify at one place, by their number.
  { at: 0x1e, size: 2, read: () => 0 },
  queueAddress(0x20, Area.descriptors),
  queueAddress(0x24, Area.descriptors + 1),
  queueAddress(0x28, Area.available),
  queueAddress(0x2c, Area.available + 1),
  queueAddress(0x30, Area.used),
  queueAddress(0x34, Area.used + 1),
];
export const COMMON_BYTES = 0x38;

class RegisterTable {
  private readonly byOffset: readonly (Register | undefined)[];

  constructor(registers: readonly Register[]) {
    const bytes = Math.max(...registers.map(({ at, size }) => at + size));
    this.byOffset = Array.from({ length: bytes }, (_, offset) => registers.find(({ at, size }) => at <= offset && offset < at + size));
  }

  read(owner: RegisterOwner, offset: number, size: number): number {
    const register = this.byOffset[offset];
    if (register?.at === offset && register.size === size) return (register.read?.(owner) ?? 0) >>> 0;
    let value = 0;
    for (let byte = 0; byte < size; byte++) value |= this.byteAt(owner, offset + byte) << (8 * byte);
    return value >>> 0;
  }

  write(owner: RegisterOwner, offset: number, size: number, value: number): void {
    const register = this.byOffset[offset];
    if (register?.at === offset && register.size === size) register.write?.(owner, value);
  }

  private byteAt(owner: RegisterOwner, offset: number): number {
    const register = this.byOffset[offset];
    return register ? ((register.read?.(owner) ?? 0) >>> (8 * (offset - register.at))) & 0xff : 0;
  }
}

export const commonRegisters = new RegisterTable(COMMON);
export const legacyRegisters = new RegisterTable(LEGACY);
export const legacyRegistersWithMsix = new RegisterTable([...LEGACY, ...LEGACY_MSIX]);
