/**
 * The I/O APIC: 24 pins, each with an entry that says which interrupt to send
 * where. Sources: Intel 82093AA data sheet; version 20h adds the EOI register
 * at offset 40.
 *
 * A pin's line is high while somebody asks, whatever the polarity bit says: it
 * is kept and has no effect. An edge while masked is lost, as in the chip. A
 * level is sent once (remote IRR), and again after the end of interrupt if the
 * line is still high.
 */
import { type Buses, Device } from '../device';
import { list, StateFormat, u32, u8 } from '../state-format';
import { type ApicBus, type ApicSource, DeliveryMode } from './apic-bus';

export const IO_APIC_AT = 0xfec00000;
export const IO_APIC_PINS = 24;
const RANGE_BYTES = 0x1000;

const VERSION = 0x20 | ((IO_APIC_PINS - 1) << 16);
const SELECT_AT = 0x00;
const WINDOW_AT = 0x10;
const EOI_AT = 0x40;
const FIRST_ENTRY = 0x10;

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const LOGICAL = 0x800;
/** All but delivery status and remote IRR. */
const WRITABLE = 0x1afff;

const FORMAT = new StateFormat('io-apic', 1, {
  id: u8('I/O APIC id, four bits'),
  select: u8('register select'),
  pins: u32('levels of the pins'),
  low: list(u32('redirection entries, low half'), { length: IO_APIC_PINS }),
  destination: list(u8('redirection entries, bits 63-56'), { length: IO_APIC_PINS }),
});

export class IoApic extends Device<typeof FORMAT.fields> implements ApicSource {
  /** `id`: what firmware writes into the id register; beyond those of the CPUs. */
  constructor(
    private readonly bus: ApicBus,
    id: number,
  ) {
    super(FORMAT, () => ({
      id: id & 15,
      select: 0,
      pins: 0,
      low: new Array<number>(IO_APIC_PINS).fill(MASKED),
      destination: new Array<number>(IO_APIC_PINS).fill(0),
    }));
    bus.addSource(this);
  }

  override attach({ mmio }: Buses): void {
    mmio.register({ name: this.name, base: IO_APIC_AT, length: RANGE_BYTES, handler: this });
  }

  override reset(): void {
    // Devices drive the pins; a reset of the chip does not change them.
    const { pins } = this.state;
    super.reset();
    this.state.pins = pins;
  }

  setPin(pin: number, level: boolean): void {
    const { state } = this;
    const bit = 1 << pin;
    if (level === ((state.pins & bit) !== 0)) return;
    state.pins = (state.pins ^ bit) >>> 0;
    if (!level || state.low[pin] & MASKED) return;
    if (isLevel(state.low[pin])) this.raiseLevel(pin);
    else this.send(pin);
  }

  endOfInterrupt(vector: number): void {
    const { low } = this.state;
    for (let pin = 0; pin < IO_APIC_PINS; pin++) {
      if ((low[pin] & 0xff) !== vector || !(low[pin] & REMOTE_IRR)) continue;
      low[pin] &= ~REMOTE_IRR;
      this.raiseLevel(pin);
    }
  }

  retry(): void {
    for (let pin = 0; pin < IO_APIC_PINS; pin++) this.raiseLevel(pin);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    const byte = offset & 3;
    const at = offset - byte;
    if (byte + size > 4) return 0;
    const value = at === SELECT_AT ? this.state.select : at === WINDOW_AT ? this.readRegister(this.state.select) : 0;
    return value >>> (8 * byte);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset === SELECT_AT) this.state.select = value & 0xff;
    else if (size !== 4) return;
    else if (offset === WINDOW_AT) this.writeRegister(this.state.select, value);
    else if (offset === EOI_AT) this.endOfInterrupt(value & 0xff);
  }

  private readRegister(register: number): number {
    const { state } = this;
    if (register >= FIRST_ENTRY && register < FIRST_ENTRY + 2 * IO_APIC_PINS) {
      const pin = (register - FIRST_ENTRY) >> 1;
      return register & 1 ? state.destination[pin] * 2 ** 24 : state.low[pin];
    }
    // 0 and 2: id and arbitration id, which is the same.
    if (register === 0 || register === 2) return state.id << 24;
    return register === 1 ? VERSION : 0;
  }

  private writeRegister(register: number, value: number): void {
    const { state } = this;
    if (register === 0) state.id = (value >>> 24) & 15;
    if (register < FIRST_ENTRY || register >= FIRST_ENTRY + 2 * IO_APIC_PINS) return;
    const pin = (register - FIRST_ENTRY) >> 1;
    if (register & 1) {
      state.destination[pin] = value >>> 24;
      return;
    }
    // An entry that is made edge triggered forgets what was under way.
    const underWay = value & LEVEL ? state.low[pin] & REMOTE_IRR : 0;
    state.low[pin] = (value & WRITABLE) | underWay;
    this.raiseLevel(pin);
  }

  private raiseLevel(pin: number): void {
    const { low, pins } = this.state;
    const entry = low[pin];
    if (!(pins & (1 << pin)) || !isLevel(entry) || entry & (MASKED | REMOTE_IRR)) return;
    if (this.send(pin)) low[pin] = entry | REMOTE_IRR;
  }

  private send(pin: number): boolean {
    const entry = this.state.low[pin];
    return this.bus.send({
      destination: this.state.destination[pin],
      logical: (entry & LOGICAL) !== 0,
      mode: (entry >> 8) & 7,
      vector: entry & 0xff,
      level: isLevel(entry),
    });
  }
}

/** Only interrupts with a vector can be levels; NMI and the like are edges, whatever the entry says. */
function isLevel(entry: number): boolean {
  const mode = (entry >> 8) & 7;
  return (entry & LEVEL) !== 0 && (mode === DeliveryMode.fixed || mode === DeliveryMode.lowestPriority);
}
