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
  /** A sector that cannot be read. */
  bad = -1;
  flushes = 0;
  readonly discards: [sector: number, sectors: number][] = [];

  constructor(
    private readonly ram: Ram,
    readonly sectors = 2048,
    readonly readOnly = false,
  ) {
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
    if (kind === 'discard') {
      this.discards.push([sector, sectors]);
      return 'ok';
    }
    if (kind === 'write' && this.readOnly) return 'error';
    if (kind === 'read' && sector <= this.bad && this.bad < sector + sectors) return 'error';
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
export const BUS_MASTER = 0xc000;

type Drives = (bench: IdeBench) => (readonly [Drive | undefined, Drive | undefined])[];

export class IdeBench {
  readonly ram = new Ram();
  readonly irqs = { 14: false, 15: false };
  ide!: IdeController;
  /** Accesses to ports so far. */
  accesses = 0;
  /** The machine is saved and goes on elsewhere before the access with this number. */
  migrateBefore = -1;
  private bus!: PortBus;
  private readonly wired: (readonly [Drive | undefined, Drive | undefined])[];

  constructor(drives: Drives) {
    this.wired = drives(this);
    this.build();
    this.ide.function.write(4, 1, 5); // decodes ports, may master
  }

  /** Saves, and goes on in a new controller. Requests that are open are never answered. */
  migrate(): void {
    const saved = JSON.parse(JSON.stringify(this.ide.save()));
    const config = this.ide.function.save();
    for (const drive of this.wired.flat()) if (drive?.port instanceof TestDisk) drive.port.open.length = 0;
    this.build();
    this.ide.function.restore(config);
    this.ide.restore(saved);
    this.ide.resume();
  }

  private build(): void {
    this.bus = new PortBus();
    const irqs = { ...this.irqs };
    this.ide = new IdeController({
      bus: this.ram,
      irq14: (level) => {
        this.irqs[14] = level;
      },
      irq15: (level) => {
        this.irqs[15] = level;
      },
      drives: this.wired,
    });
    this.ide.attach({ ports: this.bus, mmio: new MmioBus() });
    Object.assign(this.irqs, irqs);
    const bar = this.ide.function.identity.bars?.[4];
    if (bar?.kind !== 'io') throw new Error('no bus master');
    this.bus.place({ name: 'bus master', first: BUS_MASTER, last: BUS_MASTER + 15, handler: bar.handler(BUS_MASTER) });
  }

  readonly ports = {
    in: (port: number, size: 1 | 2 | 4): number => {
      this.step();
      return this.bus.in(port, size);
    },
    out: (port: number, size: 1 | 2 | 4, value: number): void => {
      this.step();
      this.bus.out(port, size, value);
    },
  };

  private step(): void {
    if (this.accesses++ === this.migrateBefore) this.migrate();
  }

  in(register: number): number {
    return this.ports.in(PORT + register, 1);
  }
  out(register: number, value: number): void {
    this.ports.out(PORT + register, 1, value);
  }

  /** Registers 1 to 6 as given (48-bit ones: write twice), then the command. */
  command(
    opcode: number,
    {
      features = 0,
      count = 0,
      lba = 0,
      device = 0x40,
      ext = false,
    }: { features?: number; count?: number; lba?: number; device?: number; ext?: boolean } = {},
  ): void {
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

  /** Registers and packet of a packet command. */
  sendPacket(bytes: readonly number[], { device = 0, limit = 2048, dma = false } = {}): void {
    this.out(6, device);
    this.out(1, dma ? 1 : 0);
    this.out(4, limit & 255);
    this.out(5, limit >> 8);
    this.out(7, 0xa0);
    this.writeWords(Uint8Array.from({ length: 12 }, (_, index) => bytes[index] ?? 0));
  }

  /** A packet command; data is read in the phases that the drive offers, whose lengths are told. */
  packet(
    bytes: readonly number[],
    { device = 0, limit = 2048, serve = (): void => {} } = {},
  ): { data: Uint8Array; status: number; error: number; phases: number[] } {
    this.sendPacket(bytes, { device, limit });
    const parts: number[] = [];
    const phases: number[] = [];
    while (phases.length < 4096) {
      serve();
      const status = this.in(7);
      if (!(status & 8)) return { data: Uint8Array.from(parts), status, error: this.in(1), phases };
      const length = this.in(4) | (this.in(5) << 8);
      phases.push(length);
      parts.push(...this.readWords((length + 1) & ~1).subarray(0, length));
    }
    throw new Error('the drive offers data without end');
  }
}

/** What stands in so many sectors of a new TestDisk. */
export const filled = (sector: number, count = 1): number[] =>
  Array.from({ length: count * 512 }, (_, index) => (sector + (index >> 9)) & 255);

export function withDisk(sectors = 2048, readOnly = false): { b: IdeBench; disk: TestDisk } {
  let disk!: TestDisk;
  const b = new IdeBench((bench) => {
    disk = new TestDisk(bench.ram, sectors, readOnly);
    return [[{ kind: 'disk', port: disk }, undefined]];
  });
  return { b, disk };
}

export function withCd(sectors = 4096): { b: IdeBench; disc: TestDisk } {
  let disc!: TestDisk;
  const b = new IdeBench((bench) => {
    disc = new TestDisk(bench.ram, sectors, true);
    return [[{ kind: 'cdrom', port: disc }, undefined]];
  });
  return { b, disc };
}

/** A disk and, as its slave, a CD-ROM drive. */
export function withBoth(): { b: IdeBench; disk: TestDisk; disc: TestDisk } {
  let disk!: TestDisk;
  let disc!: TestDisk;
  const b = new IdeBench((bench) => {
    disk = new TestDisk(bench.ram);
    disc = new TestDisk(bench.ram, 4096, true);
    return [
      [
        { kind: 'disk', port: disk },
        { kind: 'cdrom', port: disc },
      ],
    ];
  });
  return { b, disk, disc };
}
