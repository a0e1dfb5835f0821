/**
 * Proves that nothing a guest writes to ports or region tables, and nothing in
 * a saved state, makes the controller throw, spin or reach outside: whatever it
 * asks a disk for lies on that disk, and goes to RAM or to its own buffer.
 */
import { StateFormatError } from '../../state-format';
import { seededRandom } from '../../testing';
import { BUS_MASTER, IdeBench, RAM_BYTES, TestDisk } from './testing';

const SEEDS = 6;
const STEPS = 6000;
const OPCODES = [
  0x06, 0x08, 0x10, 0x20, 0x24, 0x25, 0x27, 0x29, 0x30, 0x34, 0x35, 0x39, 0x3d, 0x40, 0x42, 0x70, 0x90, 0x91, 0xa0, 0xa0, 0xa0, 0xa1, 0xb0,
  0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xce, 0xe5, 0xe7, 0xec, 0xef, 0xf8,
];
const PACKETS = [0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x28, 0x28, 0x43, 0x46, 0x4a, 0x51, 0x5a, 0xa8, 0xad, 0xbd, 0xbe];
const TABLE = 0x8000;

type Random = (below: number) => number;

function newBench(): { b: IdeBench; disks: TestDisk[] } {
  const disks: TestDisk[] = [];
  const b = new IdeBench(({ ram }) => {
    const drive = (kind: 'disk' | 'cdrom', sectors: number) => {
      const port = new TestDisk(ram, sectors, kind === 'cdrom');
      disks.push(port);
      return { kind, port };
    };
    return [
      [drive('disk', 512), drive('cdrom', 2048)],
      [drive('cdrom', 6), undefined],
    ];
  });
  return { b, disks };
}

/** One thing that a guest, more or less in its right mind, might do. */
const MOVES: ((b: IdeBench, random: Random, disks: TestDisk[]) => void)[] = [
  (b, random) => {
    const device = random(4) ? 0xe0 : [0xf0, 0xa0, random(256)][random(3)];
    const lba = random(8) ? random(490) : random(2 ** 31);
    b.command(OPCODES[random(OPCODES.length)], {
      device,
      lba,
      count: random(20),
      features: [0, 1, 2, 3, 0xda][random(5)],
      ext: random(3) === 0,
    });
  },
  (b, random) => {
    const packet = Array.from({ length: 12 }, () => (random(6) ? 0 : random(256)));
    b.sendPacket([PACKETS[random(PACKETS.length)], ...packet.slice(0, 8), random(64), 0x10, 0], {
      device: 0x10,
      limit: random(0x10000),
      dma: random(2) === 0,
    });
  },
  (b, random) => {
    const regions = Array.from({ length: 3 + random(6) }, (): [number, number] => [
      random(20) ? random(RAM_BYTES - 8192) : random(2 ** 32),
      random(8) ? 512 * (1 + random(8)) : random(0x10000),
    ]);
    b.startDma(regions, random(2) === 0);
  },
  (b, random) => {
    for (let k = random(600); k > 0; k--) b.ports.in(random(8) ? 0x1f0 : 0x170, random(4) ? 2 : 4);
  },
  (b, random) => {
    for (let k = random(600); k > 0; k--) b.ports.out(random(8) ? 0x1f0 : 0x170, random(4) ? 2 : 4, random(2 ** 32));
  },
  (b, random) => {
    const first = [0x1f0, 0x170, BUS_MASTER, BUS_MASTER + 8][random(4)];
    b.ports.out(first + random(8), ([1, 2, 4] as const)[random(3)], random(2 ** 32));
    b.ports.in(first + random(8), ([1, 2, 4] as const)[random(3)]);
  },
  (b, random) => b.ports.out(random(4) ? 0x3f6 : 0x376, 1, random(3) ? 0 : random(256)),
  (b, random) => {
    b.ram.bytes[TABLE + random(64)] = random(256);
  },
  (b, random, disks) => {
    if (random(20) === 0) b.ide.changeMedium(random(2) as 0 | 1, random(2) as 0 | 1, random(2) ? disks[1] : null);
    if (random(40) === 0) b.ide.reset();
    if (random(10) === 0) b.migrate();
  },
];

function check({ open, sectors, readOnly }: TestDisk, buffers: boolean): void {
  for (const request of open) {
    let bytes = 0;
    for (const segment of request.segments) {
      if ('gpa' in segment && segment.gpa + segment.length > RAM_BYTES) throw new Error(`outside RAM: ${segment.gpa} + ${segment.length}`);
      bytes += 'gpa' in segment ? segment.length : segment.buffer.length;
    }
    if (!buffers || request.kind === 'flush') continue;
    if (request.sector + request.sectors > sectors || request.sectors === 0)
      throw new Error(`outside the disk: ${request.sector} + ${request.sectors}`);
    if (readOnly && request.kind !== 'read') throw new Error(`${request.kind} to a read-only disk`);
    if (request.kind !== 'discard' && bytes !== request.sectors * 512) throw new Error(`${bytes} bytes for ${request.sectors} sectors`);
  }
}

test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))('hostile guest, seed %i', (seed) => {
  const random = seededRandom(seed * 7919);
  const { b, disks } = newBench();
  let answered = 0;
  for (let step = 0; step < STEPS; step++) {
    MOVES[random(3) ? random(3) : random(MOVES.length)](b, random, disks);
    for (const disk of disks) {
      check(disk, true);
      if (disk.open.length > 3) throw new Error('requests pile up');
      if (random(20) === 0) disk.failing = random(4) ? undefined : 'error';
      if (random(2)) answered += disk.serve();
    }
  }
  expect(answered).toBeGreaterThan(100);
});

/** Changes one number or flag, wherever it lies. */
function damage(value: Record<string, unknown>, random: Random): void {
  const keys = Object.keys(value).filter((key) => key !== 'version');
  const key = keys[random(keys.length)];
  const was = value[key];
  if (typeof was === 'object' && was !== null) damage(was as Record<string, unknown>, random);
  else if (typeof was === 'boolean') value[key] = !was;
  else if (typeof was === 'number') value[key] = [random(8), random(256), random(65537), random(2 ** 32), -1, 2 ** 34][random(6)];
}

test('a damaged saved state is refused, or does no harm', () => {
  const random = seededRandom(424242);
  let refused = 0;
  for (let round = 0; round < 250; round++) {
    const { b, disks } = newBench();
    for (let step = 0; step < 3; step++) MOVES[random(5)](b, random, disks);
    const saved = JSON.parse(JSON.stringify(b.ide.save()));
    for (let times = 1 + random(4); times > 0; times--) damage(saved, random);
    try {
      b.ide.restore(saved);
    } catch (error) {
      if (!(error instanceof StateFormatError)) throw error;
      refused++;
      continue;
    }
    b.ide.resume();
    for (let step = 0; step < 12; step++) {
      MOVES[random(7)](b, random, disks);
      for (const disk of disks) {
        check(disk, false);
        disk.serve();
      }
    }
  }
  expect(refused).toBeGreaterThan(20);
  expect(refused).toBeLessThan(230);
});
