/**
 * Frames into the receive ring. Each goes into as many buffers as it takes,
 * with its frame check sequence, which drivers expect and cut off.
 *
 * When the ring has no room, the frame is refused and the network keeps it:
 * nothing tells the chip of buffers that a driver gives back, so the ring is
 * looked at again when the driver writes CSR0, as it does after each
 * interrupt, and by the clock. After RECEIVE_HOLD_NS the frame counts as
 * missed, as do those after it until one finds room again.
 */
import { Csr, Csr0, Csr3, Csr4, ReceiveStatus, Status } from './bits';
import { set32 } from './bytes';
import { type Chip, countMissed, csr32, loopsInside, receives, ringLength, suspended, writableOf } from './chip';
import { frameCheck } from './crc32';
import { Descriptor } from './descriptor';
import { addressMatch } from './address-filter';
import {
  FCS_BYTES,
  HEADER_BYTES,
  MAX_RECEIVED_BYTES,
  MAX_RUN_DESCRIPTORS,
  MIN_WIRE_BYTES,
  RECEIVE_HOLD_NS,
  RECEIVE_POLL_NS,
} from './limits';
import { NEVER } from './state';

/** Frames of IEEE 802.3 whose length field is below this were padded by their sender. */
const PADDED_BELOW = 46;
const LOST = Status.err | ReceiveStatus.buff | ReceiveStatus.oflo;

export class Receiver {
  /** The one that is filled, and the one after it. */
  private readonly current: Descriptor;
  private readonly next: Descriptor;
  /** The frame as it was on the wire. */
  private readonly wire = new Uint8Array(MAX_RECEIVED_BYTES);

  constructor(private readonly chip: Chip) {
    this.current = new Descriptor(chip);
    this.next = new Descriptor(chip);
  }

  /** From the network. False: no room now, keep it. */
  receive(frame: Uint8Array): boolean {
    const { registers, linkUp, busMaster } = this.chip;
    if (!receives(registers) || !linkUp || !busMaster || loopsInside(registers)) return true;
    if (frame.length < HEADER_BYTES || frame.length > MAX_RECEIVED_BYTES - FCS_BYTES) return true;
    const match = addressMatch(registers, frame);
    if (match === undefined) return true;
    const length = Math.max(frame.length, MIN_WIRE_BYTES);
    this.wire.fill(0, frame.length, length);
    this.wire.set(frame);
    set32(this.wire, length, frameCheck(this.wire, length));
    const bytes = this.strippedLength(frame.length, length + FCS_BYTES);
    if (suspended(registers) || (!registers.missing && !this.hasRoom(bytes))) return this.hold(bytes);
    this.deliver(bytes, match, 0);
    return true;
  }

  /** From the chip's own transmitter; `checked`: a frame check sequence is still to be added. */
  loopBack(frame: Uint8Array, checked: boolean): void {
    const { registers } = this.chip;
    const match = addressMatch(registers, frame);
    if (!receives(registers) || match === undefined || frame.length > MAX_RECEIVED_BYTES - FCS_BYTES) return;
    this.wire.set(frame);
    let { length } = frame;
    if (checked) {
      set32(this.wire, length, frameCheck(frame, length));
      length += FCS_BYTES;
    }
    const wrong = !checked && !endsInFrameCheck(frame);
    this.deliver(length, match, wrong ? ReceiveStatus.crc : 0);
  }

  /** The driver may have given buffers back: what was refused may come. */
  look(): void {
    const { registers, clock, busMaster } = this.chip;
    if (registers.heldSinceNs === NEVER || suspended(registers)) {
      registers.receivePollNs = NEVER;
      return;
    }
    if (!busMaster || this.hasRoom(registers.heldBytes)) return this.letCome();
    // A ring that is no RAM has stopped the chip.
    if (!receives(registers)) return;
    const nowNs = clock.nowNs();
    if (nowNs - registers.heldSinceNs >= RECEIVE_HOLD_NS) {
      registers.missing = true;
      return this.letCome();
    }
    registers.receivePollNs = nowNs + RECEIVE_POLL_NS;
  }

  /** Whatever was refused may be offered again. */
  letCome(): void {
    const { registers, port } = this.chip;
    if (registers.heldSinceNs === NEVER) return;
    registers.heldSinceNs = registers.receivePollNs = NEVER;
    registers.heldBytes = 0;
    port.ready();
  }

  private hold(bytes: number): boolean {
    const { registers, clock } = this.chip;
    if (!receives(registers)) return true;
    const nowNs = clock.nowNs();
    if (registers.heldSinceNs === NEVER) registers.heldSinceNs = nowNs;
    registers.heldBytes = bytes;
    registers.receivePollNs = suspended(registers) ? NEVER : nowNs + RECEIVE_POLL_NS;
    return false;
  }

  /** Without padding and frame check sequence, where the driver asked for that. */
  private strippedLength(frameBytes: number, wireBytes: number): number {
    const { csr } = this.chip.registers;
    if (!(csr[Csr.features] & Csr4.astrpRcv)) return wireBytes;
    const length = (this.wire[12] << 8) | this.wire[13];
    return length < PADDED_BELOW && HEADER_BYTES + length <= frameBytes ? HEADER_BYTES + length : wireBytes;
  }

  /** Whether the driver's buffers from the current one on hold so many bytes; a ring that is its in whole never holds more. */
  private hasRoom(bytes: number): boolean {
    const { registers } = this.chip;
    const length = ringLength(registers, Csr.receiveLength);
    let room = 0;
    for (let count = 0; count < length && room < bytes; count++) {
      if (!this.load(this.current, (registers.receiveIndex + count) % length)) return false;
      if (!this.current.owned) return false;
      room += this.current.bufferBytes;
    }
    return true;
  }

  private load(descriptor: Descriptor, index: number): boolean {
    if (descriptor.load(csr32(this.chip.registers, Csr.receiveBase), index)) return true;
    this.chip.systemError();
    return false;
  }

  /** From the current descriptor on, as far as the driver's buffers go. */
  private deliver(bytes: number, match: number, errors: number): void {
    const { registers } = this.chip;
    const length = ringLength(registers, Csr.receiveLength);
    if (!this.findStart(length)) return;
    let [current, next] = [this.current, this.next];
    let start: number = Status.stp;
    for (let copied = 0; ; start = 0) {
      const part = Math.min(current.bufferBytes, bytes - copied);
      if (!this.copy(current.bufferGpa, copied, part)) return this.chip.systemError();
      copied += part;
      registers.receiveIndex = (registers.receiveIndex + 1) % length;
      if (copied === bytes) {
        const failed = errors ? errors | Status.err : 0;
        if (!current.releaseReceived(start | Status.enp | failed | (current.wide ? match : 0), bytes)) return this.chip.systemError();
        registers.missing = false;
        break;
      }
      if (length > 1 && !this.load(next, registers.receiveIndex)) return;
      const chained = length > 1 && next.owned;
      // Without a next buffer the rest is lost, and the last one there was says so (RMD1, BUFF).
      if (!current.releaseReceived(chained ? start : start | LOST)) return this.chip.systemError();
      if (!chained) break;
      [current, next] = [next, current];
    }
    registers.csr[Csr.status] |= Csr0.rint;
  }

  private copy(gpa: number, from: number, bytes: number): boolean {
    const buffer = writableOf(this.chip, gpa, bytes);
    buffer?.set(this.wire.subarray(from, from + bytes));
    return buffer !== undefined;
  }

  /** The descriptor a frame begins at is loaded; false when there is none, and the frame is missed. */
  private findStart(length: number): boolean {
    const { registers } = this.chip;
    registers.receiveIndex %= length;
    const marked = (registers.csr[Csr.masks] & Csr3.lappen) !== 0;
    for (let skipped = 0; skipped < MAX_RUN_DESCRIPTORS; skipped++) {
      if (!this.load(this.current, registers.receiveIndex)) return false;
      if (!this.current.owned) break;
      // With look-ahead processing only marked buffers begin a frame; others are given back (CSR3, LAPPEN).
      if (!marked || this.current.status & Status.stp) return true;
      if (!this.current.releaseReceived(0)) {
        this.chip.systemError();
        return false;
      }
      registers.receiveIndex = (registers.receiveIndex + 1) % length;
    }
    countMissed(registers);
    return false;
  }
}

function endsInFrameCheck(frame: Uint8Array): boolean {
  const data = frame.length - FCS_BYTES;
  if (data < 0) return false;
  const expected = new Uint8Array(FCS_BYTES);
  set32(expected, 0, frameCheck(frame, data));
  return expected.every((byte, index) => frame[data + index] === byte);
}
