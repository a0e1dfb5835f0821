/**
 * One PCI function's configuration space: 256 bytes, of which the guest may
 * write only those that the function's type allows. Source: PCI Local Bus
 * Specification 2.2, chapter 6.
 *
 * Base address registers are declared with their size; sizing by writing ones
 * follows from the write mask. Where the registers are placed is told to
 * `onLayout`, which PciHost uses to put them on the buses. Capabilities are
 * chained from 0x40 on, in the order given (chapter 6.7).
 */
import type { MmioHandler } from '../bus/mmio-bus';
import type { PortHandler } from '../bus/port-bus';
import { flag, list, u8, type ValuesOf } from '../state-format';

export const pciFunctionFields = {
  slot: u8('device number << 3 | function number'),
  config: list(u8('configuration space'), { length: 256 }),
  intx: flag('the function asserts its interrupt pin'),
};
export type PciFunctionState = ValuesOf<typeof pciFunctionFields>;

export type PciBar =
  | { readonly kind: 'io'; readonly size: number; readonly handler: (base: number) => PortHandler }
  | { readonly kind: 'memory'; readonly size: number; readonly handler: MmioHandler };

/** A capability structure without its first two bytes, id and next pointer. */
export interface PciCapability {
  readonly id: number;
  readonly body: readonly number[];
  /** Which bits of the body the guest may write; none beyond its end. */
  readonly writable?: readonly number[];
}

export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision: number;
  /** Base class, subclass and programming interface in one 24-bit number. */
  readonly classCode: number;
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
  /** Bit 7: the device has several functions. */
  readonly headerType?: number;
  /** 1 for INTA to 4 for INTD, 0 for none. */
  readonly interruptPin?: number;
  /** Base address registers by index 0-5. Sizes are powers of two. */
  readonly bars?: Partial<Record<number, PciBar>>;
  /** Further bytes after reset, and which of their bits the guest may write. */
  readonly registers?: readonly { readonly at: number; readonly value: number; readonly writable: number }[];
  readonly capabilities?: readonly PciCapability[];
}

const COMMAND = 0x04;
const COMMAND_IO = 1;
const COMMAND_MEMORY = 2;
const COMMAND_BUS_MASTER = 4;
const STATUS = 0x06;
const STATUS_INTERRUPT = 0x08;
const STATUS_CAPABILITIES = 0x10;
const CAPABILITY_POINTER = 0x34;
const FIRST_CAPABILITY = 0x40;
const BAR0 = 0x10;
const BAR_BYTES = 24;
const INTERRUPT_LINE = 0x3c;

export class PciFunction {
  private config = new Uint8Array(256);
  private readonly writable = new Uint8Array(256);
  private intx = false;
  /** Where each of the identity's capabilities begins. */
  readonly capabilityOffsets: readonly number[];
  /** Set by PciHost: called when decoding or a base address may have changed. */
  onLayout: () => void = () => {};
  /** Set by PciHost: called when the interrupt pin changes. */
  onInterrupt: () => void = () => {};

  constructor(
    readonly slot: number,
    readonly identity: PciIdentity,
    /** Told of each configuration write, after it was made. */
    private readonly onConfigWrite: (at: number, value: number) => void = () => {},
    /** Asked at each configuration read; undefined for the byte that is stored. */
    private readonly onConfigRead: (at: number) => number | undefined = () => undefined,
  ) {
    this.capabilityOffsets = capabilityOffsets(identity.capabilities ?? []);
    this.makeWriteMask();
    this.powerOn();
  }

  get interruptPin(): number {
    return this.identity.interruptPin ?? 0;
  }

  get interruptAsserted(): boolean {
    return this.intx;
  }

  /** Whether the guest lets the function reach its memory. */
  get busMaster(): boolean {
    return (this.config[COMMAND] & COMMAND_BUS_MASTER) !== 0;
  }

  /** Drives the function's interrupt pin. */
  setInterrupt(asserted: boolean): void {
    if (asserted === this.intx) return;
    this.intx = asserted;
    this.onInterrupt();
  }

  read8(at: number): number {
    const pending = at === STATUS && this.intx ? STATUS_INTERRUPT : 0;
    const live = this.onConfigRead(at & 0xff);
    if (live !== undefined) return live & 0xff;
    return this.config[at & 0xff] | pending;
  }

  /** A byte as it is stored, without anything live. */
  stored8(at: number): number {
    return this.config[at & 0xff];
  }

  /** One access of the guest: the layout follows once, when all its bytes are there. */
  write(at: number, size: 1 | 2 | 4, value: number): void {
    for (let byte = 0; byte < size; byte++) this.write8((at + byte) & 0xff, (value >>> (8 * byte)) & 0xff);
    if (at + size > COMMAND && at < BAR0 + BAR_BYTES) this.onLayout();
  }

  private write8(at: number, value: number): void {
    const mask = this.writable[at];
    if (mask === 0) return;
    this.config[at] = (this.config[at] & ~mask) | (value & mask);
    this.onConfigWrite(at, this.config[at]);
  }

  /** Where a base address register points now, or undefined while it is not decoded. */
  barBase(index: number): number | undefined {
    const bar = this.identity.bars?.[index];
    if (!bar) return undefined;
    const needed = bar.kind === 'io' ? COMMAND_IO : COMMAND_MEMORY;
    if (!(this.config[COMMAND] & needed)) return undefined;
    const at = BAR0 + index * 4;
    const raw = this.config[at] | (this.config[at + 1] << 8) | (this.config[at + 2] << 16) | (this.config[at + 3] << 24);
    const base = (raw & ~(bar.kind === 'io' ? 3 : 15)) >>> 0;
    const end = bar.kind === 'io' ? 0x10000 : 2 ** 32;
    // Zero and the value left by sizing are not addresses.
    return base === 0 || base + bar.size >= end ? undefined : base;
  }

  reset(): void {
    this.intx = false;
    this.powerOn();
    this.onLayout();
    this.onInterrupt();
  }

  save(): PciFunctionState {
    return { slot: this.slot, config: [...this.config], intx: this.intx };
  }

  restore(state: PciFunctionState): void {
    this.powerOn();
    for (const [at, value] of state.config.entries()) {
      const mask = this.writable[at];
      this.config[at] = (this.config[at] & ~mask) | (value & mask);
    }
    this.intx = state.intx;
    this.onLayout();
  }

  private makeWriteMask(): void {
    const { bars = {}, registers = [] } = this.identity;
    this.writable[COMMAND] = 0x07;
    this.writable[COMMAND + 1] = 0x04;
    this.writable[0x0c] = 0xff; // cache line size
    this.writable[0x0d] = 0xff; // latency timer
    this.writable[INTERRUPT_LINE] = 0xff;
    for (const [index, bar] of Object.entries(bars)) {
      if (!bar) continue;
      const mask = ~(bar.size - 1) & (bar.kind === 'io' ? 0xfffc : 0xfffffff0);
      for (let byte = 0; byte < 4; byte++) this.writable[BAR0 + Number(index) * 4 + byte] = mask >>> (8 * byte);
    }
    for (const register of registers) this.writable[register.at] = register.writable;
    for (const [index, { writable = [] }] of (this.identity.capabilities ?? []).entries()) {
      this.writable.set(writable, this.capabilityOffsets[index] + 2);
    }
  }

  private powerOn(): void {
    const { identity, config } = this;
    config.fill(0);
    const word = (at: number, value: number): void => {
      config[at] = value;
      config[at + 1] = value >> 8;
    };
    word(0x00, identity.vendor);
    word(0x02, identity.device);
    config[0x08] = identity.revision;
    config[0x09] = identity.classCode;
    word(0x0a, identity.classCode >> 8);
    config[0x0e] = identity.headerType ?? 0;
    word(0x2c, identity.subsystemVendor ?? 0);
    word(0x2e, identity.subsystem ?? 0);
    config[0x3d] = this.interruptPin;
    for (const [index, bar] of Object.entries(identity.bars ?? {})) {
      if (bar?.kind === 'io') config[BAR0 + Number(index) * 4] = 1;
    }
    for (const register of identity.registers ?? []) config[register.at] = register.value;
    const capabilities = identity.capabilities ?? [];
    if (capabilities.length === 0) return;
    config[STATUS] |= STATUS_CAPABILITIES;
    config[CAPABILITY_POINTER] = this.capabilityOffsets[0];
    for (const [index, { id, body }] of capabilities.entries()) {
      config.set([id, this.capabilityOffsets[index + 1] ?? 0, ...body], this.capabilityOffsets[index]);
    }
  }
}

/** On 4-byte borders, one after the other. @throws RangeError when they do not fit: a wiring mistake. */
function capabilityOffsets(capabilities: readonly PciCapability[]): number[] {
  let end = FIRST_CAPABILITY;
  const offsets = capabilities.map(({ body }) => {
    const at = end;
    end = (at + 2 + body.length + 3) & ~3;
    return at;
  });
  if (end > 256) throw new RangeError('capabilities do not fit into configuration space');
  return offsets;
}
