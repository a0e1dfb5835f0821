/**
 * The tables of Intel's MultiProcessor Specification 1.4, chapter 4, for
 * systems that know APICs but not ACPI. They say what the MADT and the DSDT's
 * _PRT say.
 *
 *   _MP_ floating pointer ─► PCMP: processors, buses, I/O APIC, interrupts
 */
import { IO_APIC_AT } from '../devices/io-apic';
import { LOCAL_APIC_AT } from '../devices/local-apic';
import { pciGsi } from '../devices/pci-host';
import { TIMER_GSI } from '../interrupts';
import { dword, word } from './aml';
import { SCI_IRQ } from './sci';

const POINTER_BYTES = 16;
const HEADER_BYTES = 44;
const REVISION = 4;
const PCI_BUS = 0;
const ISA_BUS = 1;
const APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x20;
const ALL_APICS = 0xff;
const ISA_IRQS = 16;
const CASCADE_IRQ = 2;
/** IRQ 0 is on its own pin, IRQs 10 and 11 are PCI's on the 8259 pair. */
const IRQS_OF_NO_ISA_DEVICE = [CASCADE_IRQ, 10, 11];
const PCI_DEVICES = 32;

/** What CPUID says in full. */
const SIXTH_FAMILY = 0x600;
const FPU_AND_APIC = 0x201;

/** Interrupt types. */
const VECTORED = 0;
const NMI = 1;
const EXTERNAL = 3;
/** Flags: polarity in bits 1-0, trigger in bits 3-2. */
const AS_THE_BUS_HAS_IT = 0;
const LEVEL_ACTIVE_HIGH = 0x0d;
const LEVEL_ACTIVE_LOW = 0x0f;

const text = (value: string, length: number): number[] => [...value.padEnd(length)].map((c) => c.charCodeAt(0));
const withChecksum = (bytes: number[], at: number): number[] => {
  bytes[at] = -bytes.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return bytes;
};

/** Both tables as one block to be written at `base`: a multiple of 16 within F0000-FFFFF, where systems look for it. */
export function buildMpTables(base: number, cpuCount: number): Uint8Array {
  const ioApicId = cpuCount;
  const entries = [
    ...Array.from({ length: cpuCount }, (_, id) => processor(id)),
    [1, PCI_BUS, ...text('PCI', 6)],
    [1, ISA_BUS, ...text('ISA', 6)],
    [2, ioApicId, IO_APIC_VERSION, 1, ...dword(IO_APIC_AT)],
    ...isaInterrupts(ioApicId),
    ...pciInterrupts(ioApicId),
    [4, EXTERNAL, ...word(AS_THE_BUS_HAS_IT), ISA_BUS, 0, ALL_APICS, 0],
    [4, NMI, ...word(AS_THE_BUS_HAS_IT), ISA_BUS, 0, ALL_APICS, 1],
  ];
  const body = entries.flat();
  const table = withChecksum(
    [
      ...text('PCMP', 4),
      ...word(HEADER_BYTES + body.length),
      REVISION,
      0,
      ...text('GODWIT', 8),
      ...text('PC', 12),
      ...dword(0),
      ...word(0),
      ...word(entries.length),
      ...dword(LOCAL_APIC_AT),
      ...dword(0),
      ...body,
    ],
    7,
  );
  const pointer = withChecksum([...text('_MP_', 4), ...dword(base + POINTER_BYTES), 1, REVISION, 0, 0, 0, 0, 0, 0], 10);
  return Uint8Array.from([...pointer, ...table]);
}

function processor(id: number): number[] {
  const bootstrap = id === 0 ? 2 : 0;
  return [0, id, APIC_VERSION, 1 | bootstrap, ...dword(SIXTH_FAMILY), ...dword(FPU_AND_APIC), ...dword(0), ...dword(0)];
}

function isaInterrupts(ioApicId: number): number[][] {
  const irqs = Array.from({ length: ISA_IRQS }, (_, irq) => irq).filter((irq) => !IRQS_OF_NO_ISA_DEVICE.includes(irq));
  return irqs.map((irq) => {
    const flags = irq === SCI_IRQ ? LEVEL_ACTIVE_HIGH : AS_THE_BUS_HAS_IT;
    return [3, VECTORED, ...word(flags), ISA_BUS, irq, ioApicId, irq === 0 ? TIMER_GSI : irq];
  });
}

function pciInterrupts(ioApicId: number): number[][] {
  const entries: number[][] = [];
  for (let device = 1; device < PCI_DEVICES; device++) {
    for (let pin = 1; pin <= 4; pin++) {
      entries.push([3, VECTORED, ...word(LEVEL_ACTIVE_LOW), PCI_BUS, (device << 2) | (pin - 1), ioApicId, pciGsi(device, pin)]);
    }
  }
  return entries;
}
