/**
 * A 16550A serial port. Source: National PC16550D data sheet.
 *
 * The wire is infinitely fast outwards: a byte written is delivered at once,
 * and the transmitter-empty interrupt falls and rises again, which is the edge
 * that drivers wait for. Inwards it is as fast as the guest reads: bytes wait
 * in a queue of the host side and move into the FIFO when there is room, so
 * the receiver never overruns; a full queue pushes back on the caller of
 * `input`. Each byte that the guest reads lets the line drop before the next
 * one moves up: a driver that takes one byte per (edge triggered) interrupt
 * sees every one of them.
 *
 * Only the FIFO's receive time-out depends on time.
 */
import type { Clock } from '../clock';
import { type Buses, Device, type Line } from '../device';
import { UART_INPUT_QUEUE_BYTES } from '../limits';
import { flag, i64, list, StateFormat, u8, u16 } from '../state-format';

const CRYSTAL_HZ = 1_843_200;
const FIFO_BYTES = 16;
const TRIGGER_BYTES = [1, 4, 8, 14];
/** A character is about ten bits; the receive time-out is four characters without traffic. */
const TIMEOUT_BITS = 40;

const IER_RX = 1;
const IER_TX = 2;
const IER_LINE = 4;
const IER_MODEM = 8;

const enum Iir { Modem = 0, None = 1, TxEmpty = 2, RxData = 4, Line = 6, RxTimeout = 12 }

const LCR_DLAB = 0x80;
const MCR_OUT2 = 8;
const MCR_LOOP = 16;
const LSR_DATA = 1;
const LSR_OVERRUN = 2;
const LSR_TX_EMPTY = 0x60;
/** Carrier, data set ready, clear to send: there is always somebody at the other end. */
const PEER_PRESENT = 0xb0;
const MSR_RING = 0x40;

const fields = {
  ier: u8('interrupt enables'),
  lcr: u8('line control'),
  mcr: u8('modem control'),
  scratch: u8('scratch register'),
  divisor: u16('baud rate divisor latch'),
  fifoEnabled: flag('FCR bit 0'),
  triggerLevel: u8('FCR bits 7-6'),
  overrun: flag('LSR bit 1; possible only in loopback'),
  txEmptyPending: flag('transmitter-empty interrupt not yet identified'),
  timeoutPending: flag('receive time-out interrupt'),
  receiveActivityNs: i64('when a byte last came in or was read'),
  modemStatus: u8('MSR bits 7-4 as last seen'),
  modemDeltas: u8('MSR bits 3-0'),
  received: list(u8('receive FIFO or buffer register'), { maxLength: FIFO_BYTES }),
  waiting: list(u8('bytes of the peer that have not reached the FIFO'), { maxLength: UART_INPUT_QUEUE_BYTES }),
};

export interface UartWiring {
  readonly name: string;
  readonly basePort: number;
  readonly clock: Clock;
  readonly irq: Line;
  readonly onOutput: (byte: number) => void;
}

export class Uart16550 extends Device<typeof fields> {
  constructor(private readonly wiring: UartWiring) {
    super(new StateFormat(wiring.name, 1, fields), () => ({
      ier: 0, lcr: 0, mcr: 0, scratch: 0, divisor: 1, fifoEnabled: false, triggerLevel: 0, overrun: false,
      txEmptyPending: false, timeoutPending: false, receiveActivityNs: 0, modemStatus: PEER_PRESENT, modemDeltas: 0,
      received: [], waiting: [],
    }));
  }

  override attach({ ports }: Buses): void {
    const { basePort, name } = this.wiring;
    ports.register(name, basePort, basePort + 7, {
      in8: (port) => this.read(port - basePort),
      out8: (port, value) => this.write(port - basePort, value),
    });
  }

  override reset(): void {
    super.reset();
    this.drive();
  }

  /** Bytes from the peer. Returns how many were taken; offer the rest again after the guest has read some. */
  input(bytes: Uint8Array): number {
    const accepted = Math.min(bytes.length, UART_INPUT_QUEUE_BYTES - this.state.waiting.length);
    for (let index = 0; index < accepted; index++) this.state.waiting.push(bytes[index]);
    if (accepted > 0) this.moveUp();
    return accepted;
  }

  /** Bytes `input` would take now. */
  get inputRoom(): number {
    return UART_INPUT_QUEUE_BYTES - this.state.waiting.length;
  }

  override nextDeadlineNs(): number {
    if (!this.timeoutArmed()) return Infinity;
    return Math.ceil(this.state.receiveActivityNs + this.timeoutNs());
  }

  override advance(nowNs: number): void {
    if (!this.timeoutArmed() || nowNs < this.state.receiveActivityNs + this.timeoutNs()) return;
    this.state.timeoutPending = true;
    this.drive();
  }

  private timeoutArmed(): boolean {
    const { fifoEnabled, received, timeoutPending, ier } = this.state;
    return fifoEnabled && (ier & IER_RX) !== 0 && !timeoutPending && received.length > 0 && !this.atTrigger();
  }

  private timeoutNs(): number {
    return (TIMEOUT_BITS * 16 * (this.state.divisor || 1) * 1e9) / CRYSTAL_HZ;
  }

  private atTrigger(): boolean {
    const { fifoEnabled, received, triggerLevel } = this.state;
    return received.length >= (fifoEnabled ? TRIGGER_BYTES[triggerLevel & 3] : 1);
  }

  private get loopback(): boolean {
    return (this.state.mcr & MCR_LOOP) !== 0;
  }

  private touch(): void {
    this.state.receiveActivityNs = Math.floor(this.wiring.clock.nowNs());
    this.state.timeoutPending = false;
  }

  /** Moves waiting bytes into the FIFO. */
  private moveUp(): void {
    const { state } = this;
    if (!this.loopback) {
      const room = (state.fifoEnabled ? FIFO_BYTES : 1) - state.received.length;
      if (room > 0 && state.waiting.length > 0) {
        state.received.push(...state.waiting.splice(0, room));
        this.touch();
      }
    }
    this.drive();
  }

  /** The interrupt to be identified: highest priority first (data sheet, table III). */
  private identify(): Iir {
    const { state } = this;
    if (state.ier & IER_LINE && state.overrun) return Iir.Line;
    if (state.ier & IER_RX && this.atTrigger()) return Iir.RxData;
    if (state.ier & IER_RX && state.timeoutPending) return Iir.RxTimeout;
    if (state.ier & IER_TX && state.txEmptyPending) return Iir.TxEmpty;
    if (state.ier & IER_MODEM && state.modemDeltas) return Iir.Modem;
    return Iir.None;
  }

  /** On the PC, OUT2 lets the interrupt through; in loopback the pin is inactive. */
  private drive(): void {
    const gate = (this.state.mcr & (MCR_OUT2 | MCR_LOOP)) === MCR_OUT2;
    this.wiring.irq(gate && this.identify() !== Iir.None);
  }

  private read(register: number): number {
    const { state } = this;
    const latch = (state.lcr & LCR_DLAB) !== 0;
    switch (register) {
      case 0: return latch ? state.divisor & 0xff : this.readData();
      case 1: return latch ? state.divisor >> 8 : state.ier;
      case 2: return this.readIdentification();
      case 3: return state.lcr;
      case 4: return state.mcr;
      case 5: return this.readLineStatus();
      case 6: return this.readModemStatus();
      default: return state.scratch;
    }
  }

  private write(register: number, value: number): void {
    const { state } = this;
    const latch = (state.lcr & LCR_DLAB) !== 0;
    switch (register) {
      case 0:
        if (latch) state.divisor = (state.divisor & 0xff00) | value;
        else this.transmit(value);
        return;
      case 1:
        if (latch) state.divisor = (state.divisor & 0xff) | (value << 8);
        else this.writeEnables(value);
        return;
      case 2: return this.writeFifoControl(value);
      case 3: state.lcr = value; return;
      case 4: return this.writeModemControl(value);
      case 7: state.scratch = value; return;
      default: return; // LSR and MSR are read-only
    }
  }

  private readData(): number {
    const { state } = this;
    const byte = state.received.shift() ?? 0;
    this.touch();
    this.drive();
    this.moveUp();
    return byte;
  }

  private readIdentification(): number {
    const found = this.identify();
    if (found === Iir.TxEmpty) {
      this.state.txEmptyPending = false;
      this.drive();
    }
    return found | (this.state.fifoEnabled ? 0xc0 : 0);
  }

  private readLineStatus(): number {
    const { state } = this;
    const status = LSR_TX_EMPTY | (state.received.length > 0 ? LSR_DATA : 0) | (state.overrun ? LSR_OVERRUN : 0);
    state.overrun = false;
    this.drive();
    return status;
  }

  private readModemStatus(): number {
    const status = this.state.modemStatus | this.state.modemDeltas;
    this.state.modemDeltas = 0;
    this.drive();
    return status;
  }

  private transmit(byte: number): void {
    const { state } = this;
    state.txEmptyPending = false;
    this.drive();
    if (this.loopback) this.receiveOwn(byte);
    else this.wiring.onOutput(byte);
    state.txEmptyPending = true;
    this.drive();
  }

  private receiveOwn(byte: number): void {
    const { state } = this;
    if (state.received.length < (state.fifoEnabled ? FIFO_BYTES : 1)) state.received.push(byte);
    else {
      state.overrun = true;
      // Without FIFO the new byte replaces the old one.
      if (!state.fifoEnabled) state.received = [byte];
    }
    this.touch();
  }

  private writeEnables(value: number): void {
    const { state } = this;
    // Enabling the interrupt while the transmitter is empty raises it; drivers start sending that way.
    if (value & IER_TX && !(state.ier & IER_TX)) state.txEmptyPending = true;
    state.ier = value & 0x0f;
    this.drive();
  }

  private writeFifoControl(value: number): void {
    const { state } = this;
    const enabled = (value & 1) !== 0;
    if (enabled !== state.fifoEnabled || (enabled && value & 2)) {
      state.received = [];
      state.timeoutPending = false;
    }
    state.fifoEnabled = enabled;
    state.triggerLevel = enabled ? value >> 6 : 0;
    this.drive();
    this.moveUp();
  }

  private writeModemControl(value: number): void {
    const { state } = this;
    state.mcr = value & 0x1f;
    const before = state.modemStatus;
    state.modemStatus = this.loopback ? loopedModemStatus(value) : PEER_PRESENT;
    const changed = before ^ state.modemStatus;
    // CTS, DSR, DCD report any change; RI only its end.
    const rang = changed & before & MSR_RING;
    state.modemDeltas |= ((changed & ~MSR_RING) | rang) >> 4;
    this.moveUp();
  }
}

/** In loopback RTS, DTR, OUT1, OUT2 appear as CTS, DSR, RI, DCD. */
function loopedModemStatus(mcr: number): number {
  return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
}
