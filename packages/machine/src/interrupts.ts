/**
 * How an interrupt reaches the CPU. All wires go to both worlds at once; the
 * guest masks the one it does not use.
 *
 *   ISA IRQ  ─┬─► 8259 pair ── INT ──► LINT0 ─┐
 *             └─► I/O APIC pin ─┐             ├─► local APIC ──► CPU
 *   PCI INTx ─┬─► PIRQ ► 8259   ├─ ApicBus ───┘
 *             └─► I/O APIC pin ─┤
 *   MSI ────────────────────────┘
 *
 * A machine without APICs is the left column alone: INT is the CPU's.
 */
import type { Clock, TscClock } from './clock';
import type { AnyDevice, Line } from './device';
import { ApicBus } from './devices/apic-bus';
import { IoApic } from './devices/io-apic';
import { LocalApic } from './devices/local-apic';
import { Pic8259 } from './devices/pic-8259';

/** Pin 2: the timer's. The cascade of the 8259 pair, IRQ 2, is no interrupt of its own. */
export const TIMER_GSI = 2;
const TIMER_IRQ = 0;
const CASCADE_IRQ = 2;

export interface InterruptsWiring {
  readonly clock: Clock;
  /** False: the 8259 pair alone. */
  readonly apic: boolean;
  readonly tsc?: TscClock;
  /** The CPU's interrupt request rose or fell. */
  readonly onChange: (pending: boolean) => void;
  readonly onDeadline?: () => void;
  readonly onInit: () => void;
}

export class Interrupts {
  readonly pic: Pic8259;
  readonly localApic: LocalApic | undefined;
  private readonly ioApic: IoApic | undefined;
  private readonly bus = new ApicBus();
  private requested = false;

  constructor(private readonly wiring: InterruptsWiring) {
    const { clock, tsc, onDeadline, onInit } = wiring;
    this.pic = new Pic8259((int) => {
      if (this.localApic) this.localApic.setPin(0, int);
      else this.update();
    });
    if (!wiring.apic) return;
    this.localApic = new LocalApic({ id: 0, clock, tsc, bus: this.bus, onChange: () => this.update(), onDeadline, onInit });
    this.ioApic = new IoApic(this.bus, 1);
  }

  /** Those with state of their own, in the order in which they are to be plugged: before all that drive them. */
  devices(): AnyDevice[] {
    return [this.pic, this.localApic, this.ioApic].filter((each): each is Pic8259 | LocalApic | IoApic => each !== undefined);
  }

  /** The wire of an ISA interrupt, 0 to 15. */
  line(irq: number): Line {
    const toPic = this.pic.line(irq);
    const { ioApic } = this;
    if (!ioApic || irq === CASCADE_IRQ) return toPic;
    const pin = irq === TIMER_IRQ ? TIMER_GSI : irq;
    return (level) => {
      toPic(level);
      ioApic.setPin(pin, level);
    };
  }

  /** The wire of an I/O APIC pin alone; without APICs it ends nowhere. */
  gsi(pin: number): Line {
    return (level) => this.ioApic?.setPin(pin, level);
  }

  msi(address: number, data: number): void {
    if (this.localApic) this.bus.msi(address, data);
  }

  get pending(): boolean {
    return this.requested;
  }

  acknowledge(): number {
    const apic = this.localApic;
    if (!apic) return this.pic.acknowledge();
    // The 8259 pair goes first: it bypasses the APIC's priorities.
    if (apic.takesExtInt && (this.pic.irqPending() || !apic.ready)) return this.pic.acknowledge();
    return apic.acknowledge();
  }

  get nmiPending(): boolean {
    return this.localApic?.nmiPending ?? false;
  }

  acknowledgeNmi(): void {
    this.localApic?.acknowledgeNmi();
  }

  /** After a restore: what is derived from the devices' states. */
  settle(): void {
    this.requested = this.isPending();
  }

  private isPending(): boolean {
    const apic = this.localApic;
    if (!apic) return this.pic.irqPending();
    return apic.ready || (apic.takesExtInt && this.pic.irqPending());
  }

  private update(): void {
    const pending = this.isPending();
    if (pending === this.requested) return;
    this.requested = pending;
    this.wiring.onChange(pending);
  }
}
