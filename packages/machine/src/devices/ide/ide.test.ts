/** Proves what drivers of IDE disks and CD-ROM drives rely on, that errors reach them, and that a command survives a save at any of its steps. */
import { seededRandom } from '../../testing';
import { IdeBench, RAM_BYTES, TestDisk } from './testing';

function withDisk(sectors = 2048, readOnly = false): { b: IdeBench; disk: TestDisk } {
  let disk!: TestDisk;
  const b = new IdeBench((bench) => {
    disk = new TestDisk(bench.ram, sectors, readOnly);
    return [[{ kind: 'disk', port: disk }, undefined]];
  });
  return { b, disk };
}
function withCd(): { b: IdeBench; disc: TestDisk } {
  let disc!: TestDisk;
  const b = new IdeBench((bench) => {
    disc = new TestDisk(bench.ram, 4096, true);
    return [[undefined, undefined], [undefined, undefined]].map((pair, index) => (index === 0 ? [{ kind: 'cdrom' as const, port: disc }, undefined] : pair)) as never;
  });
  return { b, disc };
}
const filled = (sector: number, count = 1): number[] => Array.from({ length: count * 512 }, (_, index) => (sector + (index >> 9)) & 255);

test('a disk says what it is', () => {
  const { b } = withDisk();
  expect([b.in(7), b.in(2), b.in(3), b.in(4), b.in(5)]).toEqual([0x50, 1, 1, 0, 0]);
  b.command(0xec);
  expect(b.irqs[14]).toBe(true);
  expect(b.in(7)).toBe(0x58);
  expect(b.irqs[14]).toBe(false);
  const words = new Uint16Array(b.readWords(512).buffer);
  expect(words[60] | (words[61] << 16)).toBe(2048);
  expect(words[100]).toBe(2048);
  expect(b.in(7)).toBe(0x50);
});

test('an absent slave answers zeroes, an absent channel floats', () => {
  const { b } = withDisk();
  b.out(6, 0xb0);
  expect(b.in(7)).toBe(0);
  expect(b.ports.in(0x177, 1)).toBe(0x7f);
});

describe.each([['28 bits', 0x20, 0x30, false], ['48 bits', 0x24, 0x34, true], ['multiple', 0xc4, 0xc5, false]] as const)('PIO, %s', (_name, read, write, ext) => {
  const block = read === 0xc4 ? 4 : 1;
  const ready = (): ReturnType<typeof withDisk> => {
    const it = withDisk();
    it.b.command(0xc6, { count: 4 });
    return it;
  };

  test('reads', () => {
    const { b, disk } = ready();
    b.command(read, { lba: 300, count: 6, ext });
    const got: number[] = [];
    for (let done = 0; done < 6; done += block) {
      expect(b.in(7)).toBe(0x80);
      expect(disk.serve()).toBe(1);
      expect(b.irqs[14]).toBe(true);
      expect(b.in(7)).toBe(0x58);
      got.push(...b.readWords(Math.min(block, 6 - done) * 512));
    }
    expect(got).toEqual(filled(300, 6));
    expect(b.in(7)).toBe(0x50);
  });

  test('writes', () => {
    const { b, disk } = ready();
    b.command(write, { lba: 10, count: 5, ext });
    for (let done = 0; done < 5; done += block) {
      expect(b.in(7)).toBe(0x58);
      b.writeWords(new Uint8Array(Math.min(block, 5 - done) * 512).fill(0xa5));
      expect(b.in(7)).toBe(0x80);
      expect(disk.serve()).toBe(1);
      expect(b.irqs[14]).toBe(true);
    }
    expect(b.in(7)).toBe(0x50);
    expect([...disk.content.subarray(9 * 512, 16 * 512)]).toEqual([...filled(9), ...new Array(5 * 512).fill(0xa5), ...filled(15)]);
  });
});

test('cylinders, heads and sectors', () => {
  const { b, disk } = withDisk();
  b.command(0x91, { count: 17, device: 0x03 }); // four heads of 17 sectors
  b.command(0x20, { count: 1, lba: 0x000205, device: 0x01 }); // cylinder 2, head 1, sector 5
  disk.serve();
  expect(b.readWords(512)[0]).toBe((2 * 4 + 1) * 17 + 4);
  b.command(0x20, { count: 1, lba: 0x000012, device: 0x00 }); // sector 18 of 17
  expect([b.in(7) & 1, b.in(1)]).toEqual([1, 0x10]);
});

test('DMA goes straight to memory, in pieces', () => {
  const { b, disk } = withDisk();
  b.command(0xc8, { lba: 40, count: 3 });
  b.startDma([[0x10000, 512], [0x20000, 1000], [0x30000, 24]], true);
  expect(b.busMasterStatus & 1).toBe(1);
  disk.serve();
  expect([b.irqs[14], b.busMasterStatus & 7, b.in(7)]).toEqual([true, 4, 0x50]);
  expect([...b.ram.bytes.subarray(0x10000, 0x10200), ...b.ram.bytes.subarray(0x20000, 0x203e8), ...b.ram.bytes.subarray(0x30000, 0x30018)]).toEqual(filled(40, 3));
  b.startDma([[0x10000, 512]], false);
  b.command(0x35, { lba: 1000, count: 1, ext: true });
  disk.serve();
  expect(disk.content[1000 * 512]).toBe(40);
});

test.each<[string, (b: IdeBench) => void]>([
  ['too short', (b) => b.startDma([[0x10000, 512]], true)],
  ['outside RAM', (b) => b.startDma([[RAM_BYTES - 256, 1024]], true)],
])('a region table that is %s fails the command', (_what, start) => {
  const { b, disk } = withDisk();
  b.command(0xc8, { lba: 0, count: 2 });
  start(b);
  disk.serve();
  expect(b.in(7) & 1).toBe(1);
  expect(b.busMasterStatus & 3).toBe(2);
});

test('errors reach the guest', () => {
  const { b, disk } = withDisk();
  b.command(0x20, { lba: 2047, count: 2 });
  expect([b.in(7) & 1, b.in(1)]).toEqual([1, 0x10]);
  disk.failing = 'error';
  b.command(0x20, { lba: 1, count: 1 });
  disk.serve();
  expect([b.in(7) & 1, b.in(1)]).toEqual([1, 0x40]);
  b.command(0x30, { lba: 1, count: 1 });
  b.writeWords(new Uint8Array(512));
  disk.serve();
  expect([b.in(7) & 1, b.in(1)]).toEqual([1, 0x04]);
  b.command(0xde);
  expect(b.in(1)).toBe(4);
  const locked = withDisk(64, true);
  locked.b.command(0x30, { lba: 1, count: 1 });
  expect(locked.b.in(7) & 1).toBe(1);
});

test('flush, and a switched-off write cache', () => {
  const { b, disk } = withDisk();
  b.command(0xe7);
  expect(b.in(7)).toBe(0x80);
  disk.serve();
  expect([b.in(7), disk.flushes]).toEqual([0x50, 1]);
  b.command(0xef, { features: 0x82 });
  disk.serve();
  b.command(0x30, { lba: 1, count: 1 });
  b.writeWords(new Uint8Array(512));
  expect(disk.open[0].fua).toBe(true);
});

test('nIEN keeps the line down; a reset forgets what was under way', () => {
  const { b, disk } = withDisk();
  b.ports.out(0x3f6, 1, 2);
  b.command(0x20, { lba: 5, count: 1 });
  disk.serve();
  expect(b.irqs[14]).toBe(false);
  b.command(0x20, { lba: 5, count: 1 });
  b.ports.out(0x3f6, 1, 4);
  b.ports.out(0x3f6, 1, 0);
  disk.serve();
  expect([b.in(7), b.in(1)]).toEqual([0x50, 1]);
});

describe('CD-ROM', () => {
  test('signature, IDENTIFY, INQUIRY, capacity, table of contents', () => {
    const { b } = withCd();
    expect([b.in(4), b.in(5)]).toEqual([0x14, 0xeb]);
    b.command(0xec);
    expect(b.in(7) & 1).toBe(1);
    b.command(0xa1);
    expect(b.readWords(512)[1]).toBe(0x85);
    expect(Buffer.from(b.packet([0x12, 0, 0, 0, 36]).data.subarray(8, 14)).toString()).toBe('GODWIT');
    expect([...b.packet([0x25]).data]).toEqual([0, 0, 0x03, 0xff, 0, 0, 8, 0]);
    expect(b.packet([0x43, 2, 0, 0, 0, 0, 0, 0, 20]).data).toHaveLength(20);
  });

  test('READ(10) by PIO, in phases that the guest limits, and by DMA', () => {
    const { b, disc } = withCd();
    const { data, status } = b.packet([0x28, 0, 0, 0, 0, 3, 0, 0, 2], { limit: 1024, serve: () => void disc.serve() });
    expect(status).toBe(0x50);
    expect([...data]).toEqual(filled(12, 8));
    b.startDma([[0x40000, 4096]], true);
    b.out(1, 1);
    b.out(7, 0xa0);
    b.writeWords(Uint8Array.from([0x28, 0, 0, 0, 0, 5, 0, 0, 2, 0, 0, 0]));
    disc.serve();
    expect([...b.ram.bytes.subarray(0x40000, 0x41000)]).toEqual(filled(20, 8));
    expect([b.in(7), b.in(2)]).toEqual([0x50, 3]);
  });

  test('a long read refills the buffer', () => {
    const { b, disc } = withCd();
    const { data } = b.packet([0x28, 0, 0, 0, 0, 0, 0, 0, 100], { limit: 0xfffe, serve: () => void disc.serve() });
    expect([...data.subarray(99 * 2048, 99 * 2048 + 3)]).toEqual([140, 140, 140]);
    expect(data).toHaveLength(204800);
  });

  test('empty tray, change of the medium, lock, errors', () => {
    const { b, disc } = withCd();
    const sense = (): number[] => [...b.packet([0x03, 0, 0, 0, 18]).data].filter((_, index) => index === 2 || index === 12);
    expect(b.ide.changeMedium(0, 0, null)).toBe(true);
    expect(b.packet([0x00]).status & 1).toBe(1);
    expect(sense()).toEqual([2, 0x3a]);
    b.ide.changeMedium(0, 0, disc);
    expect(b.packet([0x00]).status & 1).toBe(1);
    expect(sense()).toEqual([6, 0x28]);
    expect(b.packet([0x00]).status & 1).toBe(0);
    b.packet([0x1e, 0, 0, 0, 1]);
    expect(b.ide.changeMedium(0, 0, null)).toBe(false);
    expect(b.packet([0x28, 0, 0, 0, 0xff, 0, 0, 0, 1]).status & 1).toBe(1);
    expect(sense()).toEqual([5, 0x21]);
    expect(b.packet([0xfe]).status & 1).toBe(1);
    expect(sense()).toEqual([5, 0x20]);
  });
});

test('a command goes on after a save at any of its steps', () => {
  for (let at = 0; at < 12; at++) {
    let { b, disk } = withDisk();
    const moves: (() => void)[] = [];
    let step = 0;
    const move = (action: () => void): void => {
      moves.push(action);
      action();
      if (step++ !== at) return;
      const saved = JSON.parse(JSON.stringify(b.ide.save()));
      const next = withDisk();
      next.disk.content.set(disk.content);
      next.b.ide.restore(saved);
      next.b.ide.resume();
      ({ b, disk } = next);
    };
    const got: number[] = [];
    move(() => b.command(0xc6, { count: 2 }));
    move(() => b.command(0xc4, { lba: 100, count: 3 }));
    move(() => void disk.serve());
    move(() => void got.push(...b.readWords(512)));
    move(() => void got.push(...b.readWords(512)));
    move(() => void disk.serve());
    move(() => void got.push(...b.readWords(512)));
    move(() => b.command(0x30, { lba: 7, count: 1 }));
    move(() => b.writeWords(new Uint8Array(300).fill(9)));
    move(() => b.writeWords(new Uint8Array(212).fill(8)));
    move(() => void disk.serve());
    expect(got).toEqual(filled(100, 3));
    expect([disk.content[7 * 512], disk.content[7 * 512 + 511], b.in(7)]).toEqual([9, 8, 0x50]);
  }
});

test('no access by a guest makes the controller throw, hang or reach outside', () => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = seededRandom(seed * 7919);
    const disks: TestDisk[] = [];
    const drive = (bench: IdeBench, kind: 'disk' | 'cdrom') => {
      const disk = new TestDisk(bench.ram, 512, kind === 'cdrom');
      disks.push(disk);
      return { kind, port: disk };
    };
    const b = new IdeBench((bench) => [[drive(bench, 'disk'), drive(bench, 'cdrom')], [drive(bench, 'cdrom'), undefined]]);
    const opcodes = [0x20, 0x24, 0x30, 0x34, 0xc4, 0xc5, 0xc8, 0xca, 0x25, 0x35, 0xa0, 0xa1, 0xec, 0xe7, 0xef, 0xc6, 0x91, 0x08, 0x90];
    const ports = [0x1f0, 0x1f1, 0x1f2, 0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x3f6, 0x170, 0x172, 0x176, 0x376, 0xc000, 0xc002, 0xc004, 0xc008];
    let moved = 0;
    for (let i = 0; i < 6000; i++) {
      const choice = random(10);
      if (choice < 3) b.ports.out(ports[random(ports.length)], ([1, 2, 4] as const)[random(3)], random(0x100000000));
      else if (choice === 3) b.ports.out(random(2) ? 0x1f7 : 0x177, 1, random(4) ? opcodes[random(opcodes.length)] : random(256));
      else if (choice < 6) for (let k = random(300); k > 0; k--) b.ports.in(random(3) ? 0x1f0 : 0x170, 2);
      else if (choice < 8) for (let k = random(300); k > 0; k--) b.ports.out(random(3) ? 0x1f0 : 0x170, 2, random(65536));
      else if (choice === 8) for (const disk of disks) moved += disk.serve();
      else {
        b.ram.bytes[0x8000 + random(64)] = random(256);
        if (random(8) === 0) b.ide.restore(JSON.parse(JSON.stringify(b.ide.save())));
        if (random(8) === 0) b.ide.resume();
      }
    }
    expect(moved).toBeGreaterThan(10);
  }
});
