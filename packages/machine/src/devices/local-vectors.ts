/**
 * The local vector table: what the CPU's own interrupt sources do (SDM 3A,
 * 11.5.1). Timer and errors are events; LINT0 and LINT1 are pins, by edge or,
 * with fixed delivery, by level.
 */
import { list, record, u32, u8, type ValuesOf } from '../state-format';
import { DeliveryMode } from './apic-bus';

/** Entries in the order of their registers, 320 to 370. */
export const LocalVector = { timer: 0, thermal: 1, performance: 2, lint0: 3, lint1: 4, error: 5 } as const;
export const LOCAL_VECTORS = 6;

const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const MODE_SHIFT = 8;

/** Bits that may be written: vector and mask everywhere; timer mode; delivery mode; polarity and trigger of the pins. */
const WRITABLE = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff] as const;

const vectorFields = {
  entries: list(u32('timer, thermal, performance, LINT0, LINT1, error'), { length: LOCAL_VECTORS }),
  pins: u8('levels of LINT0 (bit 0) and LINT1'),
};
export const localVectorsState = record(vectorFields, 'local vector table');
export type LocalVectorsState = ValuesOf<typeof vectorFields>;

/** All masked, as after INIT; or as firmware leaves the first CPU: 8259 pair on LINT0, NMI on LINT1. */
export const powerOnVectors = (byFirmware: boolean): LocalVectorsState => ({
  entries: [
    MASKED,
    MASKED,
    MASKED,
    byFirmware ? DeliveryMode.extInt << MODE_SHIFT : MASKED,
    byFirmware ? DeliveryMode.nmi << MODE_SHIFT : MASKED,
    MASKED,
  ],
  pins: 0,
});

export interface LocalVectorsWiring {
  state(): LocalVectorsState;
  /** As ApicTarget.accept. */
  accept(mode: number, vector: number, level: boolean): boolean;
}

export class LocalVectors {
  constructor(private readonly wiring: LocalVectorsWiring) {}

  read(index: number): number {
    return this.wiring.state().entries[index];
  }

  /** `keepMasked`: the APIC is disabled by software. */
  write(index: number, value: number, keepMasked: boolean): void {
    const { entries } = this.wiring.state();
    const kept = value & LEVEL ? entries[index] & REMOTE_IRR : 0;
    entries[index] = ((value & WRITABLE[index]) | (keepMasked ? MASKED : 0) | kept) >>> 0;
    this.raiseLevel(index);
  }

  maskAll(): void {
    const state = this.wiring.state();
    state.entries = state.entries.map((entry) => entry | MASKED);
  }

  isMasked(index: number): boolean {
    return (this.read(index) & MASKED) !== 0;
  }

  /** LINT0 passes the 8259 pair's interrupts through. */
  get passesExtInt(): boolean {
    const entry = this.read(LocalVector.lint0);
    return (entry & MASKED) === 0 && mode(entry) === DeliveryMode.extInt;
  }

  /** Something happened that interrupts once: timer, error. */
  event(index: number): void {
    const entry = this.read(index);
    if (!(entry & MASKED)) this.wiring.accept(DeliveryMode.fixed, entry & 0xff, false);
  }

  /** Drives LINT0 or LINT1. Returns true for a rise. */
  setPin(pin: 0 | 1, level: boolean): boolean {
    const state = this.wiring.state();
    if (level === ((state.pins >> pin) & 1) > 0) return false;
    state.pins ^= 1 << pin;
    if (level) this.rise(LocalVector.lint0 + pin);
    return level;
  }

  /** The CPU has finished a level-triggered interrupt: a pin that is still high asks again. */
  endOfInterrupt(vector: number): void {
    const { entries } = this.wiring.state();
    for (const index of [LocalVector.lint0, LocalVector.lint1]) {
      if ((entries[index] & 0xff) !== vector || !(entries[index] & REMOTE_IRR)) continue;
      entries[index] &= ~REMOTE_IRR;
      this.raiseLevel(index);
    }
  }

  private rise(index: number): void {
    const entry = this.read(index);
    if (entry & MASKED) return;
    if (mode(entry) === DeliveryMode.fixed && entry & LEVEL) this.raiseLevel(index);
    // ExtINT is not a message: the CPU looks at the pin itself.
    else if (mode(entry) !== DeliveryMode.extInt) this.wiring.accept(mode(entry), entry & 0xff, false);
  }

  private raiseLevel(index: number): void {
    const { entries, pins } = this.wiring.state();
    const entry = entries[index];
    if (index !== LocalVector.lint0 && index !== LocalVector.lint1) return;
    if (!((pins >> (index - LocalVector.lint0)) & 1) || !(entry & LEVEL) || entry & (MASKED | REMOTE_IRR)) return;
    if (mode(entry) === DeliveryMode.fixed && this.wiring.accept(DeliveryMode.fixed, entry & 0xff, true))
      entries[index] = entry | REMOTE_IRR;
  }
}

const mode = (entry: number): number => (entry >> MODE_SHIFT) & 7;
