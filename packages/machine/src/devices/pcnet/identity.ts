/** The adapter as a PCI function: one set of registers, in I/O and in memory space. */
import type { MmioHandler } from '../../bus/mmio-bus';
import type { PortHandler } from '../../bus/port-bus';
import type { PciIdentity } from '../pci-function';
import { REGISTER_BYTES } from './io-map';
import type { PcnetModel } from './models';

type Size = 1 | 2 | 4;

export function pciIdentity({ fast, pciRevision }: PcnetModel, registers: MmioHandler): PciIdentity {
  const read = (size: Size) => (port: number) => registers.read(port & (REGISTER_BYTES - 1), size);
  const write = (size: Size) => (port: number, value: number) => registers.write(port & (REGISTER_BYTES - 1), size, value);
  const ports: PortHandler = { in8: read(1), in16: read(2), in32: read(4), out8: write(1), out16: write(2), out32: write(4) };
  return {
    vendor: 0x1022,
    device: 0x2000,
    revision: pciRevision,
    classCode: 0x020000,
    interruptPin: 1,
    subsystemVendor: fast ? 0x1022 : 0,
    subsystem: fast ? 0x2000 : 0,
    bars: {
      0: { kind: 'io', size: REGISTER_BYTES, handler: () => ports },
      1: { kind: 'memory', size: REGISTER_BYTES, handler: registers },
    },
    // Status: fast back-to-back, medium DEVSEL; then MIN_GNT and MAX_LAT of the data sheet.
    registers: [
      { at: 0x06, value: 0x80, writable: 0 },
      { at: 0x07, value: 0x02, writable: 0 },
      { at: 0x3e, value: 0x06, writable: 0 },
      { at: 0x3f, value: 0xff, writable: 0 },
    ],
  };
}
