/** A driver for tests: sets up rings and talks to the adapter through a machine's ports or memory, in any style. */
import { Bench } from '../../../testing';
import { slotOf } from '../../pci-host';
import { get16, get32, set16, set32 } from '../bytes';
import type { PcnetModelName } from '../models';
import { Pcnet } from '../pcnet';
import { concatenate, MAC, TestNetwork, TestRam } from './network';

export const SLOT = slotOf(4, 0);
export const IO_AT = 0xc000;
export const MEMORY_AT = 0xfe000000;

export interface DriverOptions {
  readonly style?: 0 | 1 | 2 | 3;
  readonly width?: 'word' | 'dword';
  readonly space?: 'io' | 'memory';
  readonly model?: PcnetModelName;
  /** log2 of the rings' lengths. */
  readonly receiveExponent?: number;
  readonly transmitExponent?: number;
  readonly bufferBytes?: number;
  readonly mode?: number;
  readonly logicalFilter?: readonly number[];
}

const INIT_AT = 0x1000;
const RECEIVE_RING_AT = 0x2000;
const TRANSMIT_RING_AT = 0x5000;
const RECEIVE_BUFFERS_AT = 0x10000;
const TRANSMIT_BUFFERS_AT = 0x100000;
const BUFFER_STRIDE = 0x1000;

export class PcnetDriver {
  readonly ram = new TestRam();
  readonly network = new TestNetwork();
  readonly bench = new Bench();
  readonly card: Pcnet;
  readonly options: Required<DriverOptions>;
  receiveAt = 0;
  transmitAt = 0;

  constructor(options: DriverOptions = {}) {
    this.options = {
      style: 2,
      width: 'word',
      space: 'io',
      model: 'am79c970a',
      receiveExponent: 2,
      transmitExponent: 2,
      bufferBytes: 1536,
      mode: 0,
      logicalFilter: [0, 0, 0, 0],
      ...options,
    };
    const { machine, clock } = this.bench;
    this.card = new Pcnet({
      slot: SLOT,
      port: this.network,
      bus: this.ram,
      clock,
      name: 'pcnet',
      model: this.options.model,
    });
    this.network.client = this.card;
    machine.pci.add(this.card.function);
    machine.plug(this.card);
    this.configure(0x10, IO_AT);
    this.configure(0x14, MEMORY_AT);
    this.configure(0x04, 3);
    if (this.options.width === 'dword') this.access(0x10, 4, 0);
  }

  get wide(): boolean {
    return this.options.style > 0;
  }
  get receiveLength(): number {
    return 1 << this.options.receiveExponent;
  }
  get transmitLength(): number {
    return 1 << this.options.transmitExponent;
  }

  configure(at: number, value: number): void {
    this.bench.out(0xcf8, (0x80000000 | (SLOT << 8) | at) >>> 0, 4);
    this.bench.out(0xcfc, value, 4);
  }
  configuration(at: number): number {
    this.bench.out(0xcf8, (0x80000000 | (SLOT << 8) | at) >>> 0, 4);
    return this.bench.in(0xcfc, 4);
  }

  /** Reads, or writes `value`. */
  access(offset: number, size: 1 | 2 | 4, value?: number): number {
    const { machine } = this.bench;
    if (this.options.space === 'memory') {
      if (value === undefined) return machine.mmio.read(MEMORY_AT + offset, size);
      machine.mmio.write(MEMORY_AT + offset, size, value);
    } else {
      if (value === undefined) return this.bench.in(IO_AT + offset, size);
      this.bench.out(IO_AT + offset, value, size);
    }
    return 0;
  }

  private port(name: 'rdp' | 'rap' | 'reset' | 'bdp', value?: number): number {
    const word = this.options.width === 'word';
    const offset = { rdp: 0x10, rap: word ? 0x12 : 0x14, reset: word ? 0x14 : 0x18, bdp: word ? 0x16 : 0x1c }[name];
    return this.access(offset, word ? 2 : 4, value);
  }
  csr(number: number): number {
    this.port('rap', number);
    return this.port('rdp');
  }
  setCsr(number: number, value: number): void {
    this.port('rap', number);
    this.port('rdp', value);
  }
  bcr(number: number): number {
    this.port('rap', number);
    return this.port('bdp');
  }
  setBcr(number: number, value: number): void {
    this.port('rap', number);
    this.port('bdp', value);
  }
  softReset(): void {
    this.port('reset');
  }

  /** Rings, initialization block, INIT, STRT. */
  start(): void {
    const { style } = this.options;
    this.softReset();
    this.setBcr(20, style);
    this.writeInitBlock();
    this.receiveAt = this.transmitAt = 0;
    for (let index = 0; index < this.receiveLength; index++) this.giveReceiveBuffer(index);
    for (let index = 0; index < this.transmitLength; index++) this.writeDescriptor(TRANSMIT_RING_AT, index, 0, 0, 0);
    this.setCsr(1, INIT_AT & 0xffff);
    this.setCsr(2, INIT_AT >>> 16);
    this.setCsr(0, 0x0001);
    if (!(this.csr(0) & 0x0100)) throw new Error('the adapter did not initialize');
    this.setCsr(0, 0x0142);
  }

  writeInitBlock(): void {
    const { ram, options } = this;
    const { mode, logicalFilter, receiveExponent, transmitExponent } = options;
    const block = ram.bytes.subarray(INIT_AT, INIT_AT + 28);
    block.fill(0);
    const [macAt, filterAt] = this.wide ? [4, 12] : [2, 8];
    block.set(MAC, macAt);
    for (const [index, word] of logicalFilter.entries()) set16(block, filterAt + index * 2, word);
    if (this.wide) {
      set32(block, 0, (mode | (receiveExponent << 20) | (transmitExponent << 28)) >>> 0);
      set32(block, 0x14, RECEIVE_RING_AT);
      set32(block, 0x18, TRANSMIT_RING_AT);
    } else {
      set16(block, 0, mode);
      set32(block, 0x10, (RECEIVE_RING_AT | (receiveExponent << 29)) >>> 0);
      set32(block, 0x14, (TRANSMIT_RING_AT | (transmitExponent << 29)) >>> 0);
    }
  }

  descriptorAt(ring: number, index: number): number {
    return ring + index * (this.wide ? 16 : 8);
  }

  writeDescriptor(ring: number, index: number, address: number, bytes: number, status: number): void {
    const at = this.descriptorAt(ring, index);
    const { ram, options } = this;
    const count = (-bytes & 0xfff) | 0xf000;
    if (!this.wide) {
      set32(ram.bytes, at, (address | (status << 16)) >>> 0);
      set32(ram.bytes, at + 4, count);
      return;
    }
    const words = options.style === 3 ? [0, count | (status << 16), address, 0] : [address, count | (status << 16), 0, 0];
    for (const [word, value] of words.entries()) set32(ram.bytes, at + word * 4, value >>> 0);
  }

  /** The upper half of status, and the message byte count of a received frame. */
  readReceive(index: number): { status: number; bytes: number } {
    const at = this.descriptorAt(RECEIVE_RING_AT, index);
    const { bytes } = this.ram;
    if (!this.wide) return { status: get16(bytes, at + 2) & 0xff00, bytes: get16(bytes, at + 6) };
    return { status: get16(bytes, at + 6), bytes: get32(bytes, at + (this.options.style === 3 ? 0 : 8)) };
  }
  readTransmit(index: number): { status: number; errors: number } {
    const at = this.descriptorAt(TRANSMIT_RING_AT, index);
    const { bytes } = this.ram;
    if (!this.wide) return { status: get16(bytes, at + 2) & 0xff00, errors: get16(bytes, at + 6) };
    return { status: get16(bytes, at + 6), errors: get16(bytes, at + (this.options.style === 3 ? 2 : 10)) };
  }

  giveReceiveBuffer(index: number, bytes = this.options.bufferBytes): void {
    this.writeDescriptor(RECEIVE_RING_AT, index, RECEIVE_BUFFERS_AT + index * BUFFER_STRIDE, bytes, 0x8000);
  }
  takeReceiveBuffer(index: number): void {
    this.writeDescriptor(RECEIVE_RING_AT, index, 0, 0, 0);
  }

  /** Puts a frame into the ring, cut into parts; `demand`: says so to the chip. Gives the first descriptor's index. */
  put(parts: readonly Uint8Array[], { demand = true, status = 0, end = true } = {}): number {
    const first = this.transmitAt;
    const descriptors = parts.map((part, each) => {
      const index = (first + each) % this.transmitLength;
      const at = TRANSMIT_BUFFERS_AT + index * BUFFER_STRIDE;
      this.ram.bytes.set(part, at);
      const last = end && each === parts.length - 1;
      return () =>
        this.writeDescriptor(TRANSMIT_RING_AT, index, at, part.length, 0x8000 | status | (each === 0 ? 0x0200 : 0) | (last ? 0x0100 : 0));
    });
    // Last to first, so that the chip never sees half a frame.
    for (const write of descriptors.reverse()) write();
    this.transmitAt = (first + parts.length) % this.transmitLength;
    if (demand) this.setCsr(0, 0x0048);
    return first;
  }

  /** The next received frame with its frame check sequence, and its buffers given back; undefined when there is none. */
  take(giveBack = true): { bytes: Uint8Array; status: number } | undefined {
    const pieces: Uint8Array[] = [];
    let left = -1;
    let count = 0;
    let status = 0;
    for (let index = this.receiveAt; ; index = (index + 1) % this.receiveLength) {
      const descriptor = this.readReceive(index);
      if (descriptor.status & 0x8000 || count++ > this.receiveLength) return undefined;
      const at = RECEIVE_BUFFERS_AT + index * BUFFER_STRIDE;
      pieces.push(this.ram.bytes.slice(at, at + this.options.bufferBytes));
      status |= descriptor.status;
      if (descriptor.status & 0x4100) {
        left = descriptor.bytes;
        break;
      }
    }
    for (; count > 0; count--) {
      if (giveBack) this.giveReceiveBuffer(this.receiveAt);
      this.receiveAt = (this.receiveAt + 1) % this.receiveLength;
    }
    return { bytes: concatenate(pieces).subarray(0, left), status };
  }

  get interrupting(): boolean {
    return this.card.function.interruptAsserted;
  }
}

/** A driver whose adapter runs. */
export function started(options?: DriverOptions): PcnetDriver {
  const driver = new PcnetDriver(options);
  driver.start();
  return driver;
}
