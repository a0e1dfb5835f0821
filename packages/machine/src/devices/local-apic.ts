/**
 * One CPU's local APIC: an integrated xAPIC, version 14h, six local vectors.
 * Source: SDM 3A, chapter 11. x2APIC is not offered.
 *
 *   8259 INT ─► LINT0 ─┐
 *   NMI pin  ─► LINT1 ─┤ local vectors ─► IRR ─► ISR ─► EOI ─► I/O APIC, when
 *   timer, errors ─────┘                   ▲                   it was a level
 *   ApicBus: I/O APIC, MSI, other CPUs ────┘
 *
 * The CPU's loop asks `ready`, `takesExtInt` and `nmiPending`, and takes a vector by
 * `acknowledge`. The first CPU starts as firmware leaves it: enabled, the 8259
 * pair passed through by LINT0, so that a system that knows no APIC need not
 * know of this one. Switched off by IA32_APIC_BASE the registers are gone and
 * both pins reach the CPU directly.
 *
 * Registers are an array of small closures by offset / 16, so an access costs a
 * look-up and a call: guests make one or two at every interrupt.
 */
import type { ApicMsrs } from '@godwit/cpu';
import type { Clock, TscClock } from '../clock';
import { type Buses, Device } from '../device';
import { StateFormat } from '../state-format';
import { type ApicBus, type ApicTarget, DeliveryMode, FIRST_LEGAL_VECTOR } from './apic-bus';
import { sendInterprocessor } from './apic-ipi';
import { ApicTimer } from './apic-timer';
import { type ApicRegister, registerTable } from './local-apic-registers';
import { DFR_FLAT, localApicFields, type LocalApicState, powerOnLocalApic, SVR_ENABLED } from './local-apic-state';
import { LocalVector, LocalVectors } from './local-vectors';
import { addVector, dropVector, hasVector, highestVector } from './vector-set';

export const LOCAL_APIC_AT = 0xfee00000;
export const APIC_PAGE_BYTES = 4096;

/** Error status (SDM 3A, 11.5.3). */
const RECEIVE_ILLEGAL_VECTOR = 0x40;
const ILLEGAL_REGISTER = 0x80;

const SVR_WRITABLE = 0x3ff;
const BROADCAST = 0xff;

const BASE_BOOTSTRAP = 0x100n;
const BASE_ENABLE = 0x800n;

export interface LocalApicWiring {
  /** APIC id, part of the device's name; 0 is the CPU that boots. */
  readonly id: number;
  readonly clock: Clock;
  readonly bus: ApicBus;
  /** Left out: no TSC-deadline mode. */
  readonly tsc?: TscClock;
  /** What waits for the CPU may have changed. */
  readonly onChange: () => void;
  /** `nextDeadlineNs` may have changed. */
  readonly onDeadline?: () => void;
  /** INIT: the CPU is to be as after a reset. */
  readonly onInit?: () => void;
  /** The CPU is to start in real mode at page `vector`. */
  readonly onStartUp?: (vector: number) => void;
}

export class LocalApic extends Device<typeof localApicFields> implements ApicTarget {
  private readonly timer: ApicTimer;
  private readonly vectors: LocalVectors;
  private readonly registers: readonly (ApicRegister | undefined)[];
  /** Derived: a request is above the processor's priority. */
  private above = false;

  constructor(private readonly wiring: LocalApicWiring) {
    super(new StateFormat(`local-apic-${wiring.id}`, 1, localApicFields), () => powerOnLocalApic(wiring.id, true));
    this.timer = new ApicTimer({
      clock: wiring.clock,
      tsc: wiring.tsc,
      state: () => this.state.timer,
      onExpiry: (times) => this.timerExpired(times),
    });
    this.vectors = new LocalVectors({
      state: () => this.state.vectors,
      accept: (mode, vector, level) => this.accept(mode, vector, level),
    });
    this.registers = registerTable({
      state: () => this.state,
      timer: this.timer,
      vectors: this.vectors,
      priority: () => this.priority,
      setTaskPriority: (value) => this.setTaskPriority(value),
      endOfInterrupt: () => this.endOfInterrupt(),
      readdress: (change) => this.readdress(change),
      writeSpuriousVector: (value) => this.writeSpuriousVector(value),
      writeVector: (index, value) => this.writeVector(index, value),
      writeCommand: (value) => this.writeCommand(value),
      changeTimer: (change) => this.changeTimer(change),
    });
    wiring.bus.addTarget(this);
  }

  override attach({ mmio }: Buses): void {
    mmio.register({ name: this.name, base: LOCAL_APIC_AT, length: APIC_PAGE_BYTES, handler: this });
  }

  override reset(): void {
    this.powerOnAs(true);
  }

  override restore(saved: unknown): void {
    super.restore(saved);
    this.timer.forget();
    this.above = this.isAbove();
  }

  override nextDeadlineNs(): number {
    return this.vectors.isMasked(LocalVector.timer) ? Infinity : this.timer.nextDeadlineNs();
  }

  override advance(nowNs: number): void {
    this.timer.advance(nowNs);
  }

  get coalescedTicks(): number {
    return this.state.coalescedTicks;
  }

  // --- the CPU's side -----------------------------------------------------------------

  /** A vector of the APIC's own waits. */
  get ready(): boolean {
    return this.above;
  }

  /** The 8259 pair's INT reaches the CPU. */
  get takesExtInt(): boolean {
    return !this.state.enabled || this.vectors.passesExtInt;
  }

  get nmiPending(): boolean {
    return this.state.nmi;
  }

  acknowledgeNmi(): void {
    this.state.nmi = false;
  }

  /** The vector that the CPU takes, or the spurious one when none is ready. */
  acknowledge(): number {
    const { irr, isr, svr } = this.state;
    if (!this.above) return svr & 0xff;
    const vector = highestVector(irr);
    dropVector(irr, vector);
    addVector(isr, vector);
    this.settle();
    return vector;
  }

  /** LINT0 (the 8259 pair's INT) or LINT1 (NMI). */
  setPin(pin: 0 | 1, level: boolean): void {
    const rose = this.vectors.setPin(pin, level);
    if (!this.state.enabled && pin === 1 && rose) this.state.nmi = true;
    this.wiring.onChange();
  }

  /** The registers that are MSRs. */
  readonly msrs: ApicMsrs = {
    readBase: () => BigInt(LOCAL_APIC_AT) | (this.wiring.id === 0 ? BASE_BOOTSTRAP : 0n) | (this.state.enabled ? BASE_ENABLE : 0n),
    writeBase: (value) => {
      if ((value & ~(BASE_BOOTSTRAP | BASE_ENABLE)) !== BigInt(LOCAL_APIC_AT)) return false;
      const enable = (value & BASE_ENABLE) !== 0n;
      if (enable !== this.state.enabled) this.powerOnAs(enable, false);
      return true;
    },
    readDeadline: () => (this.wiring.tsc ? this.timer.deadline : undefined),
    writeDeadline: (value) => {
      if (!this.wiring.tsc) return false;
      this.timer.deadline = value;
      this.wiring.onDeadline?.();
      return true;
    },
    tscMoved: () => {
      this.timer.forget();
      this.wiring.onDeadline?.();
    },
  };

  // --- messages -------------------------------------------------------------------------

  isAddressed(destination: number, logical: boolean): boolean {
    const { enabled, id, ldr, dfr } = this.state;
    if (!enabled) return false;
    if (destination === BROADCAST) return true;
    if (!logical) return destination === id;
    if (dfr === DFR_FLAT) return (destination & ldr) !== 0;
    return destination >> 4 === ldr >> 4 && (destination & ldr & 0x0f) !== 0;
  }

  get priority(): number {
    const { tpr, isr } = this.state;
    const serviced = highestVector(isr);
    return serviced < 0 || (tpr & 0xf0) >= (serviced & 0xf0) ? tpr : serviced & 0xf0;
  }

  accept(mode: number, vector: number, level: boolean): boolean {
    if (mode === DeliveryMode.fixed || mode === DeliveryMode.lowestPriority) return this.acceptVector(vector, level);
    if (!this.state.enabled) return false;
    if (mode === DeliveryMode.nmi) {
      this.state.nmi = true;
      this.wiring.onChange();
    } else if (mode === DeliveryMode.init) {
      this.powerOnAs(true, false);
      this.state.waitsForStartUp = this.wiring.id !== 0;
      this.wiring.onInit?.();
    } else if (mode === DeliveryMode.startUp) {
      if (!this.state.waitsForStartUp) return true;
      this.state.waitsForStartUp = false;
      this.wiring.onStartUp?.(vector);
    } else {
      return false;
    }
    return true;
  }

  private acceptVector(vector: number, level: boolean): boolean {
    const { state } = this;
    if (!state.enabled || !(state.svr & SVR_ENABLED)) return false;
    if (vector < FIRST_LEGAL_VECTOR) {
      this.error(RECEIVE_ILLEGAL_VECTOR);
      return false;
    }
    addVector(state.irr, vector);
    if (level) addVector(state.tmr, vector);
    else dropVector(state.tmr, vector);
    this.settle();
    return true;
  }

  // --- registers in memory ------------------------------------------------------------

  read(offset: number, size: 1 | 2 | 4): number {
    if (!this.state.enabled) return 0xffffffff;
    const register = this.registers[offset >> 4];
    const byte = offset & 15;
    if (register) return byte + size > 4 ? 0 : register.read() >>> (8 * byte);
    this.error(ILLEGAL_REGISTER);
    return 0;
  }

  /** Only whole registers: other accesses have no defined meaning. */
  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (!this.state.enabled || size !== 4 || (offset & 15) !== 0) return;
    const register = this.registers[offset >> 4];
    if (register) register.write?.(value);
    else this.error(ILLEGAL_REGISTER);
  }

  private setTaskPriority(value: number): void {
    this.state.tpr = value & 0xff;
    this.settle();
  }

  private endOfInterrupt(): void {
    const { isr, tmr } = this.state;
    const vector = highestVector(isr);
    if (vector < 0) return;
    dropVector(isr, vector);
    this.settle();
    if (!hasVector(tmr, vector)) return;
    this.vectors.endOfInterrupt(vector);
    this.wiring.bus.endOfInterrupt(vector);
  }

  private readdress(change: Partial<LocalApicState>): void {
    Object.assign(this.state, change);
    this.wiring.bus.retry();
  }

  private writeSpuriousVector(value: number): void {
    this.state.svr = value & SVR_WRITABLE;
    if (value & SVR_ENABLED) {
      this.wiring.bus.retry();
    } else {
      this.vectors.maskAll();
      this.wiring.onChange();
    }
  }

  private writeVector(index: number, value: number): void {
    // What the timer did until now was under the old entry.
    if (index === LocalVector.timer) {
      this.timer.advance(this.wiring.clock.nowNs());
      const wanted = (value >>> 17) & 3;
      const mode = wanted >= 2 && !this.wiring.tsc ? wanted & 1 : wanted;
      this.timer.setMode(mode);
      value = (value & ~0x60000) | (mode << 17);
    }
    this.vectors.write(index, value, (this.state.svr & SVR_ENABLED) === 0);
    if (index === LocalVector.timer) this.wiring.onDeadline?.();
    else this.wiring.onChange();
  }

  private writeCommand(value: number): void {
    this.state.icrLow = sendInterprocessor(this.wiring.bus, this, value, this.state.icrHigh);
  }

  /** Notes errors, and interrupts for those that are new. */
  error(bits: number): void {
    const news = bits & ~this.state.errors;
    this.state.errors |= bits;
    // An error vector that is illegal itself is one more error, once.
    if (news !== 0) this.vectors.event(LocalVector.error);
  }

  private changeTimer(change: () => void): void {
    this.timer.advance(this.wiring.clock.nowNs());
    change();
    this.wiring.onDeadline?.();
  }

  private timerExpired(times: number): void {
    if (this.vectors.isMasked(LocalVector.timer)) return;
    this.state.coalescedTicks = (this.state.coalescedTicks + times - 1) % 2 ** 32;
    this.vectors.event(LocalVector.timer);
  }

  /** After a reset, or after INIT or being switched on: then firmware has had no part. Pins are driven from outside and stay. */
  private powerOnAs(enabled: boolean, byFirmware = true): void {
    const { pins } = this.state.vectors;
    this.state = { ...powerOnLocalApic(this.wiring.id, byFirmware), enabled };
    this.state.vectors.pins = pins;
    this.timer.forget();
    this.settle();
    this.wiring.onDeadline?.();
  }

  private settle(): void {
    this.above = this.isAbove();
    this.wiring.onChange();
  }

  private isAbove(): boolean {
    const requested = highestVector(this.state.irr);
    return requested >= 0 && this.state.enabled && (requested & 0xf0) > (this.priority & 0xf0);
  }
}
