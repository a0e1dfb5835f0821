/**
 * Frames out of the transmit ring. The driver says by TDMD that there are
 * some; or it does not, and the chip polls.
 *
 *   TDMD, poll, write to CSR0 ──► run: frame by frame until a descriptor is not ours
 *                                   └─► port, or back into the receiver (loopback)
 *
 * Polls wake a vCPU that may sleep, so they follow need. The first comes a
 * polling interval (CSR47, 2 ms by default) after the last frame; each one in
 * vain doubles the interval up to 32 times. A driver that has used TDMD since
 * STRT is believed to go on doing so: after DEMAND_POLLS in vain there are no
 * more until its next TDMD. For one that never did, polling never ends; a
 * frame after a long rest leaves within 63 ms, those that follow within 2 ms.
 *
 * A frame whose last buffer is not there yet waits until the next poll and is
 * then an underflow. The chip waits as long as its FIFO lasts.
 */
import { Csr, Csr0, Csr3, Csr4, Csr5, Mode, Status, TransmitError, TransmitStatus } from './bits';
import { type Chip, csr32, loops, loopsInside, polls, ringLength, transmits, viewOf } from './chip';
import { frameCheck } from './crc32';
import { get32 } from './bytes';
import { Descriptor } from './descriptor';
import {
  BABBLE_BYTES,
  DEMAND_POLLS,
  FCS_BYTES,
  HEADER_BYTES,
  MAX_CHAIN_DESCRIPTORS,
  MAX_RUN_DESCRIPTORS,
  MAX_SENT_BYTES,
  MIN_POLL_NS,
  MIN_WIRE_BYTES,
  POLL_DOUBLINGS,
  POLL_TICK_NS,
  RUN_PAUSE_NS,
} from './limits';
import { NEVER } from './state';

/** What a driver finds cleared in the status of a descriptor that it gets back. */
const CLEARED = Status.own | Status.err | TransmitStatus.ltint | TransmitStatus.one | TransmitStatus.def;

/** `stray`: begins no frame; `open`: the frame's last descriptor is not the chip's yet. */
type Chain = 'none' | 'stray' | 'open' | 'complete' | 'endless';

export class Transmitter {
  private readonly descriptor: Descriptor;
  private readonly frame = new Uint8Array(MAX_SENT_BYTES + FCS_BYTES);
  private chainLength = 0;
  private running = false;
  /** The last run ended before the ring did. */
  private cutShort = false;

  constructor(
    private readonly chip: Chip,
    /** Into the receiver; `checked`: the frame check sequence is still to be added. */
    private readonly loopBack: (frame: Uint8Array, checked: boolean) => void,
  ) {
    this.descriptor = new Descriptor(chip);
  }

  /** TDMD. */
  demand(): void {
    const { registers } = this.chip;
    if (!transmits(registers)) return;
    registers.demandSeen = true;
    registers.idlePolls = 0;
    this.run();
    this.schedule();
  }

  /** The driver is at work, so there may be something. */
  look(): void {
    const { registers } = this.chip;
    if (!transmits(registers) || !polls(registers)) return;
    if (this.run() > 0) registers.idlePolls = 0;
    else if (registers.transmitPollNs !== NEVER) return;
    this.schedule();
  }

  /** The next poll is due. */
  poll(): void {
    const { registers, busMaster } = this.chip;
    const waited = registers.chainWaiting;
    const handled = transmits(registers) ? this.run() : 0;
    if (waited && registers.chainWaiting && handled === 0 && busMaster) this.giveUp();
    registers.idlePolls = handled > 0 ? 0 : Math.min(registers.idlePolls + 1, POLL_DOUBLINGS);
    this.schedule();
  }

  /** When to poll next, from now. */
  schedule(): void {
    const { registers, clock } = this.chip;
    registers.transmitPollNs = NEVER;
    if (!transmits(registers)) return;
    const trusted = registers.demandSeen && registers.idlePolls >= DEMAND_POLLS;
    if (!this.cutShort && !registers.chainWaiting && (!polls(registers) || trusted)) return;
    const interval = Math.max(MIN_POLL_NS, (0x10000 - registers.csr[Csr.pollInterval]) * POLL_TICK_NS);
    registers.transmitPollNs = clock.nowNs() + (this.cutShort ? RUN_PAUSE_NS : interval * 2 ** registers.idlePolls);
  }

  /** Sends what is there; how many descriptors that were. */
  private run(): number {
    const { registers, busMaster } = this.chip;
    this.cutShort = false;
    if (this.running || !busMaster) return 0;
    this.running = true;
    let handled = 0;
    while (transmits(registers)) {
      this.cutShort = handled >= MAX_RUN_DESCRIPTORS;
      const chain = this.cutShort ? 'none' : this.findFrame();
      registers.chainWaiting = chain === 'open';
      if (chain === 'none' || chain === 'open') break;
      handled += this.chainLength;
      if (chain === 'complete') this.sendFrame();
      else if (chain === 'stray') this.release(1, 0);
      else {
        registers.csr[Csr.status] |= Csr0.babl;
        this.giveUp();
      }
    }
    this.running = false;
    return handled;
  }

  /** From the current descriptor to the end of its frame. */
  private findFrame(): Chain {
    const { registers } = this.chip;
    const ring = ringLength(registers, Csr.transmitLength);
    registers.transmitIndex %= ring;
    this.chainLength = 1;
    if (!this.load(0) || !this.descriptor.owned) return 'none';
    if (!(this.descriptor.status & Status.stp)) return 'stray';
    const limit = Math.min(ring, MAX_CHAIN_DESCRIPTORS);
    for (; !(this.descriptor.status & Status.enp); this.chainLength++) {
      if (this.chainLength === limit) return 'endless';
      if (!this.load(this.chainLength)) return 'none';
      if (!this.descriptor.owned) return 'open';
    }
    return 'complete';
  }

  private sendFrame(): void {
    const { registers } = this.chip;
    const mode = registers.csr[Csr.mode];
    const features = registers.csr[Csr.features];
    if (!this.load(0)) return;
    let checked = !(mode & Mode.dxmtfcs) || (this.descriptor.status & TransmitStatus.addFcs) !== 0;
    const bytes = this.gather();
    if (bytes === undefined) return this.chip.systemError();
    if (!transmits(registers)) return;
    const wanted = this.reportsSuccess();
    if (bytes + (checked ? FCS_BYTES : 0) > BABBLE_BYTES) registers.csr[Csr.status] |= Csr0.babl;
    registers.csr[Csr.features] |= Csr4.txstrt;
    let errors = 0;
    // Longer frames are cut off on the wire; nobody would take them.
    if (bytes <= this.frame.length) {
      let length = bytes;
      if (features & Csr4.apadXmt && length < MIN_WIRE_BYTES) {
        this.frame.fill(0, length, MIN_WIRE_BYTES);
        length = MIN_WIRE_BYTES;
        checked = true;
      }
      errors = this.carry(this.frame.subarray(0, length), checked);
    }
    if (this.release(this.chainLength, errors) && (wanted || errors)) registers.csr[Csr.status] |= Csr0.tint;
  }

  /** The frame on its way: the error word of its last descriptor. */
  private carry(frame: Uint8Array, checked: boolean): number {
    const { registers, linkUp, port } = this.chip;
    if (loops(registers)) this.loopBack(frame, checked);
    if (loopsInside(registers)) return 0;
    if (!linkUp) return TransmitError.lcar;
    const data = checked ? frame : withoutFrameCheck(frame);
    if (data && data.length >= HEADER_BYTES && data.length <= MAX_SENT_BYTES) port.send([data]);
    return 0;
  }

  /** Copies the frame's buffers together, as far as they fit: their size; undefined when they are not all RAM. */
  private gather(): number | undefined {
    let bytes = 0;
    for (let each = 0; each < this.chainLength; each++) {
      if (!this.load(each)) return 0;
      const { bufferGpa, bufferBytes } = this.descriptor;
      const buffer = viewOf(this.chip, bufferGpa, bufferBytes);
      if (!buffer) return undefined;
      if (bytes + bufferBytes <= this.frame.length) this.frame.set(buffer, bytes);
      bytes += bufferBytes;
    }
    return bytes;
  }

  /** Whether the frame whose last descriptor is loaded interrupts when all went well (CSR5, TOKINTD and LTINTEN). */
  private reportsSuccess(): boolean {
    const control = this.chip.registers.csr[Csr.control];
    if (control & Csr5.tokintd) return false;
    return !(control & Csr5.ltinten) || (this.descriptor.status & TransmitStatus.ltint) !== 0;
  }

  /** The frame has no end: what there is of it is given back as an underflow, which stops the transmitter (TMD2, BUFF). */
  private giveUp(): void {
    const { registers } = this.chip;
    registers.chainWaiting = false;
    if (!this.release(this.chainLength, TransmitError.buff | TransmitError.uflo)) return;
    registers.csr[Csr.status] |= Csr0.tint;
    if (!(registers.csr[Csr.masks] & Csr3.dxsuflo)) registers.csr[Csr.status] &= ~Csr0.txon;
  }

  /** Gives `count` descriptors back; `errors` for the last. */
  private release(count: number, errors: number): boolean {
    const { registers } = this.chip;
    const ring = ringLength(registers, Csr.transmitLength);
    for (let each = 1; each <= count; each++) {
      if (!this.load(0)) return false;
      const last = each === count;
      const status = (this.descriptor.status & ~CLEARED) | (last && errors ? Status.err : 0);
      if (!this.descriptor.releaseSent(status, last ? errors : undefined)) {
        this.chip.systemError();
        return false;
      }
      registers.transmitIndex = (registers.transmitIndex + 1) % ring;
    }
    return true;
  }

  /** The descriptor so many after the current one. */
  private load(after: number): boolean {
    const { registers } = this.chip;
    const index = (registers.transmitIndex + after) % ringLength(registers, Csr.transmitLength);
    if (this.descriptor.load(csr32(registers, Csr.transmitBase), index)) return true;
    this.chip.systemError();
    return false;
  }
}

/** A frame that brought its own frame check sequence, if it is right: else the network drops it. */
function withoutFrameCheck(frame: Uint8Array): Uint8Array | undefined {
  const data = frame.length - FCS_BYTES;
  return data >= HEADER_BYTES && get32(frame, data) === frameCheck(frame, data) ? frame.subarray(0, data) : undefined;
}
