/** For the tests of the virtio devices: RAM, and a small driver that speaks both the legacy and the modern way. */
import type { BusMaster } from '../../ports/bus-master';
import type { BlockPort, BlockRequest, BlockStatus } from '../../ports/block';
import type { NetworkPort } from '../../ports/network';
import type { AnyDevice } from '../../device';
import { Bench } from '../../testing';
import type { PciFunction } from '../pci-function';
import { get16, get32, set16, set32, set64 } from './bytes';

export class TestRam implements BusMaster {
  readonly bytes: Uint8Array;
  /** Called before each write by a device. */
  onWrite: (gpa: number, length: number) => void = () => {};

  constructor(size = 1 << 20) {
    this.bytes = new Uint8Array(size);
  }
  view(gpa: number, length: number): Uint8Array | undefined {
    return gpa >= 0 && length >= 0 && gpa + length <= this.bytes.length ? this.bytes.subarray(gpa, gpa + length) : undefined;
  }
  writable(gpa: number, length: number): Uint8Array | undefined {
    const view = this.view(gpa, length);
    if (view) this.onWrite(gpa, length);
    return view;
  }
}

/** A disk in memory that answers when the test says so. */
export class TestDisk implements BlockPort {
  readonly serial = 'disk-0';
  readonly requests: BlockRequest[] = [];
  readonly data: Uint8Array;
  readOnly = false;

  constructor(
    private readonly ram: TestRam,
    readonly sectors = 256,
  ) {
    this.data = new Uint8Array(sectors * 512);
  }
  submit(request: BlockRequest): void {
    this.requests.push(request);
  }
  /** Carries out a request, the first by default, and answers it. */
  finish(index = 0, status: BlockStatus = 'ok'): void {
    const [request] = this.requests.splice(index, 1);
    request.done(status === 'ok' ? this.carryOut(request) : status);
  }
  private carryOut({ kind, sector, sectors, segments }: BlockRequest): BlockStatus {
    let at = sector * 512;
    if (kind === 'discard' || kind === 'write-zeroes') this.data.fill(0, at, at + sectors * 512);
    for (const segment of segments) {
      if (!('gpa' in segment)) return 'error';
      const memory = kind === 'read' ? this.ram.writable(segment.gpa, segment.length) : this.ram.view(segment.gpa, segment.length);
      if (!memory) return 'error';
      if (kind === 'read') memory.set(this.data.subarray(at, at + segment.length));
      else this.data.set(memory, at);
      at += segment.length;
    }
    return 'ok';
  }
}

/** A network that keeps what was sent and counts calls of `ready`. */
export class TestNetwork implements NetworkPort {
  readonly mac = Uint8Array.of(0x52, 0x54, 0, 0, 0, 1);
  readonly sent: { frame: number[]; header?: number[] }[] = [];
  readies = 0;
  onReady: () => void = () => {};

  constructor(readonly offloads = false) {}
  send(parts: readonly Uint8Array[], header?: Uint8Array): void {
    const frame = parts.flatMap((part) => [...part]);
    this.sent.push(header ? { frame, header: [...header] } : { frame });
  }
  ready(): void {
    this.readies++;
    this.onReady();
  }
}

export interface Piece {
  readonly gpa: number;
  readonly length: number;
  readonly write?: boolean;
}
export interface Used {
  readonly head: number;
  readonly length: number;
}
export interface DriverOptions {
  readonly mode: 'legacy' | 'modern';
  readonly features: readonly number[];
  readonly msix?: boolean;
  /** Size the modern driver sets its queues to. */
  readonly queueSize?: number;
}

export const EVENT_INDEX = 29;
export const INDIRECT = 28;
const VERSION_1 = 32;
const IO_BASE = 0xc000;
export const MEMORY_BASE = 0xfe000000;
export const MSIX_TABLE = MEMORY_BASE + 0x1000;
/** Where a queue's memory begins; queues of the largest size need 7 pages in the legacy layout. */
const QUEUE_MEMORY = 0x10000;
const QUEUE_STRIDE = 0x8000;
const INDIRECT_MEMORY = 0x38000;

export interface Ring {
  size: number;
  descriptors: number;
  available: number;
  used: number;
  nextDescriptor: number;
  seen: number;
}

export class TestDriver {
  readonly rings: Ring[] = [];
  private readonly slot: number;
  private nextIndirect = INDIRECT_MEMORY;

  constructor(
    readonly bench: Bench,
    readonly ram: TestRam,
    device: AnyDevice & { readonly function: PciFunction },
    readonly options: DriverOptions,
    /** The driver as it was when the machine was saved: goes on with its rings. */
    from?: TestDriver,
  ) {
    this.slot = device.function.slot;
    bench.machine.pci.add(device.function);
    bench.machine.plug(device);
    if (from) {
      this.rings = structuredClone(from.rings);
      this.nextIndirect = from.nextIndirect;
    } else {
      this.start();
    }
  }

  config(at: number, size: 1 | 2 | 4): number {
    this.bench.out(0xcf8, (0x80000000 | (this.slot << 8) | (at & 0xfc)) >>> 0, 4);
    return this.bench.in(0xcfc + (at & 3), size);
  }
  setConfig(at: number, size: 1 | 2 | 4, value: number): void {
    this.bench.out(0xcf8, (0x80000000 | (this.slot << 8) | (at & 0xfc)) >>> 0, 4);
    this.bench.out(0xcfc + (at & 3), value, size);
  }
  io = (offset: number, size: 1 | 2 | 4): number => this.bench.in(IO_BASE + offset, size);
  setIo = (offset: number, size: 1 | 2 | 4, value: number): void => this.bench.out(IO_BASE + offset, value, size);
  memory = (offset: number, size: 1 | 2 | 4): number => this.bench.machine.mmio.read(MEMORY_BASE + offset, size);
  setMemory = (offset: number, size: 1 | 2 | 4, value: number): void => this.bench.machine.mmio.write(MEMORY_BASE + offset, size, value);

  get legacy(): boolean {
    return this.options.mode === 'legacy';
  }
  get status(): number {
    return this.legacy ? this.io(0x12, 1) : this.memory(0x14, 1);
  }
  set status(value: number) {
    if (this.legacy) this.setIo(0x12, 1, value);
    else this.setMemory(0x14, 1, value);
  }

  /** Offset in configuration space of the first capability of an id. */
  capability(id: number): number {
    for (let at = this.config(0x34, 1); at !== 0; at = this.config(at + 1, 1)) if (this.config(at, 1) === id) return at;
    return 0;
  }

  start(): void {
    this.setConfig(0x10, 4, IO_BASE);
    this.setConfig(0x14, 4, MEMORY_BASE);
    this.setConfig(4, 2, 7);
    if (this.options.msix) this.enableMsix();
    this.status = 0;
    this.status = 1;
    this.status = 3;
    this.negotiate();
    this.setUpQueues();
    this.status = this.legacy ? 7 : 15;
  }

  private enableMsix(): void {
    for (let vector = 0; vector < 4; vector++) {
      const words = [0xfee00000, 0, 0x40 + vector, 0];
      for (const [index, word] of words.entries()) this.bench.machine.mmio.write(MSIX_TABLE + vector * 16 + index * 4, 4, word);
    }
    this.setConfig(this.capability(0x11) + 2, 2, 0x8000);
  }

  private negotiate(): void {
    const { features } = this.options;
    const word = (index: number): number => features.reduce((bits, bit) => (bit >> 5 === index ? bits | (1 << (bit & 31)) : bits), 0) >>> 0;
    if (this.legacy) return this.setIo(4, 4, word(0));
    this.setMemory(8, 4, 0);
    this.setMemory(12, 4, word(0));
    this.setMemory(8, 4, 1);
    this.setMemory(12, 4, word(1) | (1 << (VERSION_1 - 32)));
    this.status = 11;
    if (!(this.status & 8)) throw new Error('features refused');
  }

  private setUpQueues(): void {
    for (let index = 0; ; index++) {
      this.select(index);
      const size = this.legacy ? this.io(12, 2) : Math.min(this.memory(0x18, 2), this.options.queueSize ?? 1024);
      if (size === 0) return;
      const descriptors = QUEUE_MEMORY + index * QUEUE_STRIDE;
      const available = descriptors + 16 * size;
      const used = (available + 6 + 2 * size + 4095) & ~4095;
      this.rings[index] = { size, descriptors, available, used, nextDescriptor: 0, seen: 0 };
      this.ram.bytes.fill(0, descriptors, used + 6 + 8 * size);
      if (this.options.msix) this.setVectors(index);
      if (this.legacy) this.setIo(8, 4, descriptors >> 12);
      else this.placeModern(this.rings[index]);
    }
  }

  private placeModern({ size, descriptors, available, used }: Ring): void {
    this.setMemory(0x18, 2, size);
    for (const [index, gpa] of [descriptors, available, used].entries()) this.setMemory(0x20 + index * 8, 4, gpa);
    this.setMemory(0x1c, 2, 1);
  }

  /** Vector 0 for the configuration, the next for each queue. */
  private setVectors(index: number): void {
    if (this.legacy) {
      this.setIo(0x14, 2, 0);
      this.setIo(0x16, 2, index + 1);
    } else {
      this.setMemory(0x10, 2, 0);
      this.setMemory(0x1a, 2, index + 1);
    }
  }

  select(queue: number): void {
    if (this.legacy) this.setIo(14, 2, queue);
    else this.setMemory(0x16, 2, queue);
  }

  /** Puts a chain into the available ring. Returns its head. */
  offer(queue: number, pieces: readonly Piece[], indirect = false): number {
    const ring = this.rings[queue];
    const head = ring.nextDescriptor;
    if (indirect) {
      const table = this.nextIndirect;
      this.nextIndirect += pieces.length * 16;
      this.describe(table, pieces, 0, pieces.length);
      this.descriptor(ring.descriptors + 16 * head, table, pieces.length * 16, 4, 0);
    } else this.describe(ring.descriptors, pieces, head, ring.size);
    ring.nextDescriptor = (head + (indirect ? 1 : pieces.length)) % ring.size;
    this.offerHead(queue, head);
    return head;
  }

  offerHead(queue: number, head: number): void {
    const { available, size } = this.rings[queue];
    const index = get16(this.ram.bytes, available + 2);
    set16(this.ram.bytes, available + 4 + 2 * (index % size), head);
    set16(this.ram.bytes, available + 2, index + 1);
  }

  private describe(table: number, pieces: readonly Piece[], first: number, size: number): void {
    for (const [index, { gpa, length, write }] of pieces.entries()) {
      const last = index === pieces.length - 1;
      this.descriptor(table + 16 * ((first + index) % size), gpa, length, (last ? 0 : 1) | (write ? 2 : 0), (first + index + 1) % size);
    }
  }

  descriptor(at: number, gpa: number, length: number, flags: number, next: number): void {
    set64(this.ram.bytes, at, gpa);
    set32(this.ram.bytes, at + 8, length);
    set16(this.ram.bytes, at + 12, flags);
    set16(this.ram.bytes, at + 14, next);
  }

  kick(queue: number): void {
    this.setIo(0x10, 2, queue);
  }

  /** Whether the device wants to hear of the entries from `before` on. */
  wantsKick(queue: number, before: number): boolean {
    const { available, used, size } = this.rings[queue];
    if (!this.options.features.includes(EVENT_INDEX)) return (get16(this.ram.bytes, used) & 1) === 0;
    const now = get16(this.ram.bytes, available + 2);
    const event = get16(this.ram.bytes, used + 4 + 8 * size);
    return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
  }

  /** The driver's interrupt wish: suppressed altogether, or from a used index on. */
  setInterruptFlag(queue: number, suppressed: boolean): void {
    set16(this.ram.bytes, this.rings[queue].available, Number(suppressed));
  }
  setUsedEvent(queue: number, event: number): void {
    const { available, size } = this.rings[queue];
    set16(this.ram.bytes, available + 4 + 2 * size, event);
  }

  /** What came back since the last call. */
  takeUsed(queue: number): Used[] {
    const ring = this.rings[queue];
    const taken: Used[] = [];
    const { bytes } = this.ram;
    for (; ring.seen !== get16(bytes, ring.used + 2); ring.seen = (ring.seen + 1) & 0xffff) {
      const at = ring.used + 4 + 8 * (ring.seen % ring.size);
      taken.push({ head: get32(bytes, at), length: get32(bytes, at + 4) });
    }
    return taken;
  }
}
