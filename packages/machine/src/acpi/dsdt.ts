/**
 * The machine as ACPI describes it to an operating system: the S5 sleep type,
 * the PCI bus with its windows and interrupt routing, and the ISA devices. An
 * operating system that uses the I/O APIC says so by \_PIC; until then routing
 * is that of the 8259 pair (ACPI 2.0, 5.8.1).
 */
import { SLEEP_TYPE_S5 } from '../devices/acpi-pm';
import { pciGsi, pciIrq } from '../devices/pci-host';
import {
  type Aml, ARG0, busNumbers, device, eisaId, ifTrue, integer, ioPorts, ioWindow, irq, memoryWindow, method, name, packageOf, resources,
  returnValue, scope, store, valueOf,
} from './aml';

/** Where PCI memory may be placed: above the largest RAM, below the firmware area. */
export const PCI_MEMORY_WINDOW = { first: 0xc0000000, last: 0xfebfffff } as const;
const PCI_DEVICE_COUNT = 32;
/** The argument of the last \_PIC: 0 for the 8259 pair, 1 for the I/O APIC. */
const IN_APIC_MODE = '\\PICM';

export function dsdtBody(): Uint8Array {
  return Uint8Array.from([
    ...name('\\_S5', packageOf(integer(SLEEP_TYPE_S5), integer(SLEEP_TYPE_S5), integer(0), integer(0))),
    ...name(IN_APIC_MODE, integer(0)),
    ...method('\\_PIC', 1, store(ARG0, IN_APIC_MODE)),
    ...scope('\\_SB', device('PCI0', ...pciHostBridge(), device('ISA', name('_ADR', integer(0x00010000)), ...isaDevices()))),
  ]);
}

function pciHostBridge(): Aml[] {
  return [
    name('_HID', eisaId('PNP0A03')),
    name('_UID', integer(0)),
    name('_CRS', resources(
      busNumbers({ first: 0, last: 0xff }),
      ioPorts(0xcf8, 8),
      ioWindow({ first: 0x0000, last: 0x0cf7 }),
      ioWindow({ first: 0x0d00, last: 0xffff }),
      memoryWindow({ first: 0xa0000, last: 0xbffff }),
      memoryWindow(PCI_MEMORY_WINDOW),
    )),
    name('PRTP', interruptRouting(pciIrq)),
    name('PRTA', interruptRouting(pciGsi)),
    method('_PRT', 0, ifTrue(valueOf(IN_APIC_MODE), returnValue(valueOf('PRTA'))), returnValue(valueOf('PRTP'))),
  ];
}

/**
 * Address with all functions, pin, no link device, interrupt: for every device number
 * and pin. A package counts its entries in one byte; 31 devices of 4 pins fit.
 */
function interruptRouting(interruptOf: (device: number, pin: number) => number): Aml {
  const entries: Aml[] = [];
  for (let slot = 1; slot < PCI_DEVICE_COUNT; slot++) {
    for (let pin = 0; pin < 4; pin++) {
      entries.push(packageOf(integer(((slot << 16) | 0xffff) >>> 0), integer(pin), integer(0), integer(interruptOf(slot, pin + 1))));
    }
  }
  return packageOf(...entries);
}

function isaDevices(): Aml[] {
  const isaDevice = (path: string, hid: string, ...descriptors: Aml[]): Aml =>
    device(path, name('_HID', eisaId(hid)), name('_CRS', resources(...descriptors)));
  const serialPort = (unit: number, base: number, line: number): Aml =>
    device(`COM${unit}`, name('_HID', eisaId('PNP0501')), name('_UID', integer(unit)), name('_STA', integer(0x0f)),
      name('_CRS', resources(ioPorts(base, 8), irq(line))));
  return [
    isaDevice('PIC', 'PNP0000', ioPorts(0x20, 2), ioPorts(0xa0, 2), ioPorts(0x4d0, 2), irq(2)),
    isaDevice('TMR', 'PNP0100', ioPorts(0x40, 4), irq(0)),
    isaDevice('RTC', 'PNP0B00', ioPorts(0x70, 2), irq(8)),
    isaDevice('KBD', 'PNP0303', ioPorts(0x60, 1), ioPorts(0x64, 1), irq(1)),
    isaDevice('DMA', 'PNP0200', ioPorts(0x00, 16), ioPorts(0x81, 15), ioPorts(0xc0, 32)),
    isaDevice('SPKR', 'PNP0800', ioPorts(0x61, 1)),
    serialPort(1, 0x3f8, 4),
    serialPort(2, 0x2f8, 3),
  ];
}
