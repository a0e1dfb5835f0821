/**
 * PCI bus 0 behind configuration mechanism 1 (ports CF8, CFC), with the three
 * functions every machine has: the i440FX host bridge, the PIIX3 ISA bridge
 * and the PIIX4 power management function. Sources: PCI Local Bus
 * Specification 2.2; Intel 82441FX and 82371 data sheets.
 *
 * Interrupt pins are swizzled over four PIRQ lines, (device + pin - 1) mod 4,
 * and the ISA bridge's registers 60-63 say which IRQ of the 8259 pair each
 * drives. Firmware's choice of 10, 11, 10, 11 is what the ACPI tables promise.
 * The same pins are swizzled over eight pins of the I/O APIC, 16 to 23, by
 * (device + pin - 1) mod 8. A line is the OR of the functions on it.
 */
import type { MmioRange } from '../bus/mmio-bus';
import type { PortRange } from '../bus/port-bus';
import { type AnyDevice, type Buses, type Line } from '../device';
import { list, record, StateFormat, StateFormatError, u32 } from '../state-format';
import { PM_BASE_PORT } from './acpi-pm';
import { PciFunction, pciFunctionFields } from './pci-function';

const ENABLE = 0x80000000;
const PIRQ_REGISTERS = 0x60;
/** Which IRQ firmware gives each of the four PIRQ lines. */
export const PIRQ_IRQS = [10, 11, 10, 11] as const;
/** IRQs a PIRQ line can reach: those that nothing else drives. */
const ROUTABLE_IRQS = [...new Set(PIRQ_IRQS)];
const MAX_FUNCTIONS = 256;
const INTERRUPT_LINE = 0x3c;

const FIRST_PCI_GSI = 16;
const PCI_GSIS = 8;
/** Which IRQ of the 8259 pair a function's pin drives, as firmware sets it; `pin` is 1 for INTA. */
export const pciIrq = (device: number, pin: number): number => PIRQ_IRQS[(device + pin - 1) & 3];
/** Which pin of the I/O APIC it drives. */
export const pciGsi = (device: number, pin: number): number => FIRST_PCI_GSI + ((device + pin - 1) & (PCI_GSIS - 1));

const FORMAT = new StateFormat('pci-host', 1, {
  address: u32('CF8'),
  functions: list(record(pciFunctionFields, 'the functions on bus 0'), { maxLength: MAX_FUNCTIONS }),
});

type Mapping = { ports?: PortRange; memory?: MmioRange };

export class PciHost implements AnyDevice {
  readonly name = FORMAT.device;
  private address = 0;
  private readonly functions = new Map<number, PciFunction>();
  private readonly mappings = new Map<string, Mapping>();
  private readonly isaBridge: PciFunction;
  private buses: Buses | undefined;

  private readonly irqLines: readonly Line[];
  private readonly gsiLines: readonly Line[];

  /** Wires of the 8259 pair and of the I/O APIC; those that ROUTABLE_IRQS and `pciGsi` name belong to PCI alone. */
  constructor(irqLine: (irq: number) => Line, gsiLine: (gsi: number) => Line) {
    this.irqLines = ROUTABLE_IRQS.map(irqLine);
    this.gsiLines = Array.from({ length: PCI_GSIS }, (_, index) => gsiLine(FIRST_PCI_GSI + index));
    this.add(hostBridge());
    this.isaBridge = isaBridge(() => this.route());
    this.add(this.isaBridge);
    this.add(powerManagement());
  }

  /** Plugs a function in; done while the machine is built, before it runs. */
  add(pciFunction: PciFunction): void {
    if (this.functions.has(pciFunction.slot)) throw new Error(`PCI slot ${slotName(pciFunction.slot)} is taken`);
    this.functions.set(pciFunction.slot, pciFunction);
    pciFunction.onLayout = () => this.layOut(pciFunction);
    pciFunction.onInterrupt = () => this.route();
    assignLine(pciFunction);
    this.layOut(pciFunction);
  }

  attach(buses: Buses): void {
    this.buses = buses;
    buses.ports.register('pci-host address', 0xcf8, 0xcf8, {
      in32: () => this.address,
      out32: (_port, value) => { this.address = (value & 0x80fffffc) >>> 0; },
    });
    buses.ports.register('pci-host data', 0xcfc, 0xcff, {
      in8: (port) => this.target()?.read8(this.offset(port)) ?? 0xff,
      out8: (port, value) => this.target()?.write(this.offset(port), 1, value),
    });
    // Aligned wider writes reach a function as one; others are split by the bus.
    buses.ports.register('pci-host data', 0xcfc, 0xcfc, { out32: (_port, value) => this.target()?.write(this.offset(0), 4, value) });
    for (const port of [0xcfc, 0xcfe]) {
      buses.ports.register('pci-host data', port, port, { out16: (_port, value) => this.target()?.write(this.offset(port), 2, value) });
    }
    for (const each of this.functions.values()) this.layOut(each);
  }

  reset(): void {
    this.address = 0;
    for (const each of this.functions.values()) {
      each.reset();
      assignLine(each);
    }
  }

  save(): { readonly version: number } {
    return FORMAT.save({ address: this.address, functions: [...this.functions.values()].map((each) => each.save()) });
  }

  restore(saved: unknown): void {
    const state = FORMAT.parse(saved);
    if (state.functions.length !== this.functions.size) {
      throw new StateFormatError(`pci-host: ${state.functions.length} functions saved, this machine has ${this.functions.size}`);
    }
    for (const each of state.functions) {
      const mine = this.functions.get(each.slot);
      if (!mine) throw new StateFormatError(`pci-host: no function at ${slotName(each.slot)} in this machine`);
      mine.restore(each);
    }
    this.address = state.address;
  }

  nextDeadlineNs(): number {
    return Infinity;
  }

  advance(): void {}

  private target(): PciFunction | undefined {
    const onBus0 = (this.address & 0x80ff0000) >>> 0 === ENABLE;
    return onBus0 ? this.functions.get((this.address >> 8) & 0xff) : undefined;
  }

  private offset(port: number): number {
    return (this.address & 0xfc) | (port & 3);
  }

  private layOut(pciFunction: PciFunction): void {
    for (const [index, bar] of Object.entries(pciFunction.identity.bars ?? {})) {
      if (!bar || !this.buses) continue;
      const { ports, mmio } = this.buses;
      const key = `${slotName(pciFunction.slot)} bar ${index}`;
      const old = this.mappings.get(key) ?? {};
      const base = pciFunction.barBase(Number(index));
      if (base === (old.ports?.first ?? old.memory?.base)) continue;
      if (old.ports) ports.remove(old.ports);
      if (old.memory) mmio.remove(old.memory);
      this.mappings.delete(key);
      if (base === undefined) continue;
      if (bar.kind === 'io') {
        const range = { name: key, first: base, last: base + bar.size - 1, handler: bar.handler(base) };
        ports.place(range);
        this.mappings.set(key, { ports: range });
      } else {
        const range = { name: key, base, length: bar.size, handler: bar.handler, placed: true };
        mmio.place(range);
        this.mappings.set(key, { memory: range });
      }
    }
  }

  /** Drives the PCI interrupt lines by what the functions assert. */
  private route(): void {
    let irqs = 0;
    let gsis = 0;
    for (const each of this.functions.values()) {
      if (!each.interruptAsserted || each.interruptPin === 0) continue;
      const device = each.slot >> 3;
      const routed = this.isaBridge.read8(PIRQ_REGISTERS + ((device + each.interruptPin - 1) & 3));
      if (!(routed & 0x80)) irqs |= 1 << (routed & 15);
      gsis |= 1 << (pciGsi(device, each.interruptPin) - FIRST_PCI_GSI);
    }
    for (const [index, irq] of ROUTABLE_IRQS.entries()) this.irqLines[index]((irqs & (1 << irq)) !== 0);
    for (const [index, line] of this.gsiLines.entries()) line((gsis & (1 << index)) !== 0);
  }
}

export const slotOf = (device: number, pciFunction: number): number => (device << 3) | pciFunction;
const slotName = (slot: number): string => `00:${(slot >> 3).toString(16).padStart(2, '0')}.${slot & 7}`;

/** As firmware leaves it, for systems that read no routing table. */
function assignLine(pciFunction: PciFunction): void {
  const { slot, interruptPin } = pciFunction;
  if (interruptPin > 0 && pciFunction.read8(INTERRUPT_LINE) === 0) pciFunction.write(INTERRUPT_LINE, 1, pciIrq(slot >> 3, interruptPin));
}

function hostBridge(): PciFunction {
  const PAM_AND_SMRAM = Array.from({ length: 20 }, (_, index) => ({ at: 0x59 + index, value: 0, writable: 0xff }));
  return new PciFunction(slotOf(0, 0), {
    vendor: 0x8086, device: 0x1237, revision: 2, classCode: 0x060000, registers: PAM_AND_SMRAM,
  });
}

function isaBridge(onRouting: () => void): PciFunction {
  const registers = PIRQ_IRQS.map((irq, line) => ({ at: PIRQ_REGISTERS + line, value: irq as number, writable: 0x8f }));
  return new PciFunction(
    slotOf(1, 0),
    { vendor: 0x8086, device: 0x7000, revision: 0, classCode: 0x060100, headerType: 0x80, registers },
    (at) => {
      if (at >= PIRQ_REGISTERS && at < PIRQ_REGISTERS + 4) onRouting();
    },
  );
}

/** The I/O base is where AcpiPm sits; it cannot be moved. */
function powerManagement(): PciFunction {
  return new PciFunction(slotOf(1, 3), {
    vendor: 0x8086, device: 0x7113, revision: 3, classCode: 0x068000,
    registers: [
      { at: 0x04, value: 1, writable: 0 },
      { at: 0x40, value: (PM_BASE_PORT & 0xff) | 1, writable: 0 },
      { at: 0x41, value: PM_BASE_PORT >> 8, writable: 0 },
      { at: 0x80, value: 1, writable: 0 },
      { at: 0x3c, value: 9, writable: 0xff },
      // The SCI is wired to IRQ 9; the pin only says that there is one.
      { at: 0x3d, value: 1, writable: 0 },
    ],
  });
}
