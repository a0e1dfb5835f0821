/**
 * The virtual PC without its CPU and RAM: the buses, the devices and the wires
 * between them.
 *
 *   guest ports ──► PortBus ──► devices ──IRQ lines──► Interrupts ──► INT, NMI
 *   guest time  ──► advance ──┘        └──► power off, reset, serial output
 *
 * It is pure: time comes from the clocks given, what happens goes out by the
 * callbacks given, and it never waits. The runner that owns the vCPU asks
 * `irqPending`/`acknowledgeIrq` between blocks, calls `advance` when
 * `nextDeadlineNs` has come (later is allowed), and saves or restores all of it
 * with the vCPU stopped.
 *
 * Callbacks are called from within a port access or `advance`. They should
 * note what happened and act after the instruction; in particular `reset` is
 * to be called then, not from inside `onReset`.
 */
import type { ApicMsrs, PortIo } from '@godwit/cpu';
import { MmioBus } from './bus/mmio-bus';
import { PortBus } from './bus/port-bus';
import type { Clock, TscClock, WallClock } from './clock';
import type { AnyDevice, Line } from './device';
import { SCI_IRQ } from './acpi/tables';
import { AcpiPm } from './devices/acpi-pm';
import { DebugPort } from './devices/debug-port';
import { Dma8237 } from './devices/dma-8237';
import { I8042 } from './devices/i8042';
import { PciHost } from './devices/pci-host';
import { Pit8254 } from './devices/pit-8254';
import { Port92 } from './devices/port-92';
import { RtcMc146818 } from './devices/rtc-mc146818';
import { Uart16550 } from './devices/uart-16550';
import { Interrupts } from './interrupts';
import { MAX_MEMORY_BYTES, MIN_MEMORY_BYTES, PAGE_BYTES } from './limits';
import { StateFormatError } from './state-format';

/** What made the machine ask for a reset. */
export type ResetReason = 'keyboard-controller' | 'port-92' | 'reset-control' | 'init';

export interface MachineConfig {
  readonly memoryBytes: number;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  /** What the guest sends through COM1. */
  readonly onSerialOutput: (bytes: Uint8Array) => void;
  /** What the guest sends through COM2. */
  readonly onSecondSerialOutput?: (bytes: Uint8Array) => void;
  /** Local APIC and I/O APIC beside the 8259 pair; the default is true. */
  readonly apic?: boolean;
  /** The guest's TSC, for the local APIC's TSC-deadline mode; left out: the mode is not offered. */
  readonly tsc?: TscClock;
  /** The INT line to the CPU rose or fell. */
  readonly onInterruptChange?: (pending: boolean) => void;
  /** `nextDeadlineNs` changed by something that is no port access. */
  readonly onDeadlineChange?: () => void;
  readonly onPowerOff?: () => void;
  readonly onReset?: (reason: ResetReason) => void;
  readonly onA20?: (enabled: boolean) => void;
  /** Text the guest writes to port E9. */
  readonly onDebugText?: (byte: number) => void;
}

/** A machine's saved state: one section a device, each with its own version. */
export interface SavedMachine {
  readonly version: number;
  readonly devices: Readonly<Record<string, { readonly version: number }>>;
}

const SAVED_MACHINE_VERSION = 1;
const IRQ = { timer: 0, keyboard: 1, com2: 3, com1: 4, rtc: 8 } as const;

export class Machine {
  readonly mmio = new MmioBus();
  readonly pci: PciHost;
  readonly keyboard: I8042;
  readonly debugPort: DebugPort;
  private readonly portBus = new PortBus();
  private readonly interrupts: Interrupts;
  private readonly pit: Pit8254;
  private readonly com1: Uart16550;
  private readonly com2: Uart16550;
  private readonly acpi: AcpiPm;
  private readonly port92: Port92;
  private readonly devices: AnyDevice[] = [];

  constructor(private readonly config: MachineConfig) {
    const { memoryBytes, clock, wallClock } = config;
    if (memoryBytes < MIN_MEMORY_BYTES || memoryBytes > MAX_MEMORY_BYTES || memoryBytes % PAGE_BYTES !== 0) {
      throw new RangeError(`memoryBytes must be from ${MIN_MEMORY_BYTES} to ${MAX_MEMORY_BYTES} in whole pages, got ${memoryBytes}`);
    }
    const reset = (reason: ResetReason) => () => config.onReset?.(reason);
    this.interrupts = new Interrupts({
      clock, apic: config.apic ?? true, tsc: config.tsc, onInit: reset('init'),
      onChange: (pending) => config.onInterruptChange?.(pending), onDeadline: () => config.onDeadlineChange?.(),
    });
    // Interrupt controllers are first: the others drive their lines from the start.
    for (const device of this.interrupts.devices()) this.plug(device);
    this.pit = this.plug(new Pit8254(clock, this.irqLine(IRQ.timer)));
    this.plug(new RtcMc146818(clock, wallClock, this.irqLine(IRQ.rtc), memoryBytes));
    this.port92 = this.plug(new Port92((enabled) => config.onA20?.(enabled), reset('port-92')));
    this.keyboard = this.plug(new I8042({ irq1: this.irqLine(IRQ.keyboard), a20: this.port92, onReset: reset('keyboard-controller') }));
    this.com1 = this.plug(this.serialPort('uart-com1', 0x3f8, IRQ.com1, config.onSerialOutput));
    this.com2 = this.plug(this.serialPort('uart-com2', 0x2f8, IRQ.com2, config.onSecondSerialOutput));
    this.plug(new Dma8237());
    this.debugPort = this.plug(new DebugPort((byte) => config.onDebugText?.(byte)));
    this.acpi = this.plug(new AcpiPm({
      clock, sci: this.irqLine(SCI_IRQ), onPowerOff: () => config.onPowerOff?.(), onReset: reset('reset-control'),
    }));
    this.pci = this.plug(new PciHost((irq) => this.interrupts.pic.line(irq), (pin) => this.interrupts.gsi(pin)));
  }

  /** The guest's I/O ports. */
  get ports(): PortIo {
    return this.portBus;
  }

  /** Adds a device while the machine is built: wires it to the buses and gives it a section in the saved state. */
  plug<D extends AnyDevice>(device: D): D {
    if (this.devices.some((each) => each.name === device.name)) throw new Error(`two devices are called ${device.name}`);
    this.devices.push(device);
    device.attach({ ports: this.portBus, mmio: this.mmio });
    return device;
  }

  /** Guest time. */
  get clock(): Clock {
    return this.config.clock;
  }

  /** The wire of an ISA interrupt, 0 to 15, for devices that are plugged in later. One driver each. */
  irqLine(irq: number): Line {
    return this.interrupts.line(irq);
  }

  /** Where PCI functions send their message-signalled interrupts. */
  readonly msi = (address: number, data: number): void => this.interrupts.msi(address, data);

  /** The local APIC's MSRs; undefined in a machine without APICs. */
  get apicMsrs(): ApicMsrs | undefined {
    return this.interrupts.localApic?.msrs;
  }

  /** True while an interrupt asks for the CPU. */
  irqPending(): boolean {
    return this.interrupts.pending;
  }

  /** The vector of the interrupt that the CPU takes now. */
  acknowledgeIrq(): number {
    return this.interrupts.acknowledge();
  }

  /** True while an NMI asks for the CPU. */
  nmiPending(): boolean {
    return this.interrupts.nmiPending;
  }

  /** The CPU takes the NMI now (vector 2). */
  acknowledgeNmi(): void {
    this.interrupts.acknowledgeNmi();
  }

  /** Guest time at which `advance` is wanted next; Infinity for never. */
  nextDeadlineNs(): number {
    let deadline = Infinity;
    for (const device of this.devices) deadline = Math.min(deadline, device.nextDeadlineNs());
    return deadline;
  }

  /** Brings all devices to guest time `nowNs`. */
  advance(nowNs: number): void {
    for (const device of this.devices) device.advance(nowNs);
  }

  /** Bytes to COM1. Returns how many were taken; offer the rest again later. */
  serialInput(bytes: Uint8Array): number {
    return this.com1.input(bytes);
  }

  secondSerialInput(bytes: Uint8Array): number {
    return this.com2.input(bytes);
  }

  /** Key presses as set 1 scan codes; false when the keyboard could not take them. */
  injectScancodes(set1: Iterable<number>): boolean {
    return this.keyboard.injectScancodes(set1);
  }

  /** Asks the guest to shut down. */
  powerButton(): void {
    this.acpi.powerButton();
  }

  get a20Enabled(): boolean {
    return this.port92.enabled;
  }

  /** Timer interrupts that the guest got merged with others because the host was late. */
  get coalescedTimerTicks(): number {
    return this.pit.coalescedTicks + (this.interrupts.localApic?.coalescedTicks ?? 0);
  }

  /** All devices as after a hardware reset. */
  reset(): void {
    for (const device of this.devices) device.reset();
  }

  save(): SavedMachine {
    return {
      version: SAVED_MACHINE_VERSION,
      devices: Object.fromEntries(this.devices.map((device) => [device.name, device.save()])),
    };
  }

  /**
   * Takes over a saved state. On an error the machine is not usable and must be
   * thrown away. @throws StateFormatError
   */
  restore(saved: unknown): void {
    const { version, devices } = (saved ?? {}) as Partial<SavedMachine>;
    if (version !== SAVED_MACHINE_VERSION) {
      throw new StateFormatError(`machine: saved state has version ${String(version)}, this program reads version ${SAVED_MACHINE_VERSION}`);
    }
    const sections = new Map(Object.entries(devices ?? {}));
    for (const device of this.devices) {
      if (!sections.has(device.name)) throw new StateFormatError(`machine: the saved state has no section ${device.name}`);
      device.restore(sections.get(device.name));
      sections.delete(device.name);
    }
    for (const name of sections.keys()) throw new StateFormatError(`machine: unknown section ${name} in the saved state`);
    this.interrupts.settle();
    this.config.onA20?.(this.a20Enabled);
    this.config.onInterruptChange?.(this.irqPending());
  }

  /** The last step before a restored machine runs. */
  resume(): void {
    for (const device of this.devices) device.resume?.();
  }

  private serialPort(name: string, basePort: number, irq: number, onOutput?: (bytes: Uint8Array) => void): Uart16550 {
    return new Uart16550({
      name, basePort, clock: this.config.clock, irq: this.irqLine(irq),
      onOutput: (byte) => onOutput?.(Uint8Array.of(byte)),
    });
  }
}
