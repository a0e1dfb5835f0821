/** A polling driver for an IDE channel, RAM and disks for tests. */
import { MmioBus } from '../../bus/mmio-bus';
import { PortBus } from '../../bus/port-bus';
import type { BlockPort, BlockRequest, BlockStatus } from '../../ports/block';
import type { BusMaster } from '../../ports/bus-master';
import type { Drive } from './channel';
import { IdeController } from './ide-controller';

export const RAM_BYTES = 1 << 20;

export class Ram implements BusMaster {
  readonly bytes = new Uint8Array(RAM_BYTES);
  view(gpa: number, length: number): Uint8Array | undefined {
    return gpa >= 0 && gpa + length <= RAM_BYTES ? this.bytes.subarray(gpa, gpa + length) : undefined;
  }
  writable(gpa: number, length: number): Uint8Array | undefined {
    return this.view(gpa, length);
  }
}

/** A disk that answers when the test says so; its content starts as the sector's number in every byte. */
export class TestDisk implements BlockPort {
  readonly serial = 'TEST0001';
  readonly content: Uint8Array;
  readonly open: BlockRequest[] = [];
  failing: BlockStatus | undefined;
  flushes = 0;

  constructor(private readonly ram: Ram, readonly sectors = 2048, readonly readOnly = false) {
    this.content = new Uint8Array(sectors * 512);
    for (let sector = 0; sector < sectors; sector++) this.content.fill(sector & 255, sector * 512, sector * 512 + 512);
  }

  submit(request: BlockRequest): void {
    this.open.push(request);
  }

  /** Answers everything that is open; how many requests there were. */
  serve(): number {
    const waiting = this.open.splice(0);
    for (const request of waiting) request.done(this.failing ?? this.perform(request));
    return waiting.length;
  }

  private perform({ kind, sector, sectors, segments }: BlockRequest): BlockStatus {
    if (kind === 'flush') {
      this.flushes++;
      return 'ok';
    }
    if (sector + sectors > this.sectors) return 'error';
    let at = sector * 512;
    for (const segment of segments) {
      const memory = 'buffer' in segment ? segment.buffer : this.ram.view(segment.gpa, segment.length);
      if (!memory) return 'error';
      if (kind === 'read') memory.set(this.content.subarray(at, at + memory.length));
      else this.content.set(memory, at);
      at += memory.length;
    }
    return at === (sector + sectors) * 512 ? 'ok' : 'error';
  }
}

const PORT = 0x1f0;
const BUS_MASTER = 0xc000;

export class IdeBench {
  readonly ram = new Ram();
  readonly ports = new PortBus();
  readonly irqs = { 14: false, 15: false };
  readonly ide: IdeController;

  constructor(drives: (bench: IdeBench) => (readonly [Drive | undefined, Drive | undefined])[]) {
    this.ide = new IdeController({
      bus: this.ram,
      irq14: (level) => { this.irqs[14] = level; },
      irq15: (level) => { this.irqs[15] = level; },
      drives: drives(this),
    });
    this.ide.attach({ ports: this.ports, mmio: new MmioBus() });
    const bar = this.ide.function.identity.bars?.[4];
    if (bar?.kind === 'io') this.ports.place({ name: 'bus master', first: BUS_MASTER, last: BUS_MASTER + 15, handler: bar.handler(BUS_MASTER) });
  }

  in(register: number): number {
    return this.ports.in(PORT + register, 1);
  }
  out(register: number, value: number): void {
    this.ports.out(PORT + register, 1, value);
  }

  /** Registers 1 to 6 as given (48-bit ones: write twice), then the command. */
  command(opcode: number, { features = 0, count = 0, lba = 0, device = 0x40, ext = false }: { features?: number; count?: number; lba?: number; device?: number; ext?: boolean } = {}): void {
    const byte = (value: number, index: number): number => Math.floor(value / 2 ** (8 * index)) & 255;
    this.out(6, device | (ext ? 0 : byte(lba, 3) & 15));
    if (ext) {
      this.out(2, byte(count, 1));
      for (let index = 3; index < 6; index++) this.out(index, byte(lba, index));
    }
    this.out(1, features);
    this.out(2, byte(count, 0));
    for (let index = 0; index < 3; index++) this.out(3 + index, byte(lba, index));
    this.out(7, opcode);
  }

  readWords(bytes: number): Uint8Array {
    const data = new Uint8Array(bytes);
    for (let at = 0; at < bytes; at += 2) {
      const word = this.ports.in(PORT, 2);
      data[at] = word;
      data[at + 1] = word >> 8;
    }
    return data;
  }

  writeWords(data: Uint8Array): void {
    for (let at = 0; at < data.length; at += 2) this.ports.out(PORT, 2, data[at] | (data[at + 1] << 8));
  }

  /** Physical regions, and the bus master started. */
  startDma(regions: readonly [gpa: number, bytes: number][], toMemory: boolean): void {
    const table = new DataView(this.ram.bytes.buffer, 0x8000);
    regions.forEach(([gpa, bytes], index) => {
      table.setUint32(index * 8, gpa, true);
      table.setUint32(index * 8 + 4, (bytes & 0xffff) | (index === regions.length - 1 ? 0x80000000 : 0), true);
    });
    this.ports.out(BUS_MASTER, 1, 0);
    this.ports.out(BUS_MASTER + 2, 1, 6);
    this.ports.out(BUS_MASTER + 4, 4, 0x8000);
    this.ports.out(BUS_MASTER, 1, toMemory ? 9 : 1);
  }

  get busMasterStatus(): number {
    return this.ports.in(BUS_MASTER + 2, 1);
  }

  /** A packet command; data is read in the phases that the drive offers. */
  packet(bytes: readonly number[], { device = 0, limit = 2048, serve = (): void => {} } = {}): { data: Uint8Array; status: number; error: number } {
    this.out(6, device);
    this.out(1, 0);
    this.out(4, limit & 255);
    this.out(5, limit >> 8);
    this.out(7, 0xa0);
    this.writeWords(Uint8Array.from({ length: 12 }, (_, index) => bytes[index] ?? 0));
    const parts: number[] = [];
    for (let phase = 0; phase < 4096; phase++) {
      serve();
      const status = this.in(7);
      if (!(status & 8)) return { data: Uint8Array.from(parts), status, error: this.in(1) };
      const length = this.in(4) | (this.in(5) << 8);
      parts.push(...this.readWords((length + 1) & ~1).subarray(0, length));
    }
    throw new Error('the drive offers data without end');
  }
}
