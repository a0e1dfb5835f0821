/** Proves what drivers of IDE disks rely on, and that errors reach them. */
import { filled, withDisk } from './testing';

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

describe.each([
  ['28 bits', 0x20, 0x30, false],
  ['48 bits', 0x24, 0x34, true],
  ['multiple', 0xc4, 0xc5, false],
] as const)('PIO, %s', (_name, read, write, ext) => {
  const block = read === 0xc4 ? 4 : 1;
  const ready = (): ReturnType<typeof withDisk> => {
    const it = withDisk();
    it.b.command(0xc6, { count: 4 });
    return it;
  };

  test('reads: the disk is asked once, blocks come with an interrupt each', () => {
    const { b, disk } = ready();
    b.command(read, { lba: 300, count: 6, ext });
    expect(b.in(7)).toBe(0x80);
    expect([disk.serve(), disk.open.length]).toEqual([1, 0]);
    const got: number[] = [];
    for (let done = 0; done < 6; done += block) {
      expect(b.irqs[14]).toBe(true);
      expect(b.in(7)).toBe(0x58);
      expect(b.irqs[14]).toBe(false);
      got.push(...b.readWords(Math.min(block, 6 - done) * 512));
    }
    expect(got).toEqual(filled(300, 6));
    expect([b.irqs[14], b.in(7)]).toEqual([false, 0x50]);
  });

  test('writes: the first block without an interrupt, the end with one', () => {
    const { b, disk } = ready();
    b.command(write, { lba: 10, count: 5, ext });
    for (let done = 0; done < 5; done += block) {
      expect([b.irqs[14], b.in(7)]).toEqual([done > 0, 0x58]);
      b.writeWords(new Uint8Array(Math.min(block, 5 - done) * 512).fill(0xa5));
    }
    expect([b.irqs[14], b.in(7), disk.serve()]).toEqual([false, 0x80, 1]);
    expect([b.irqs[14], b.in(7)]).toEqual([true, 0x50]);
    expect([...disk.content.subarray(9 * 512, 16 * 512)]).toEqual([...filled(9), ...new Array(5 * 512).fill(0xa5), ...filled(15)]);
  });

  test('more than a bufferful', () => {
    const { b, disk } = ready();
    const data = new Uint8Array(200 * 512).map((_, index) => index >> 7);
    b.command(write, { lba: 20, count: 200, ext });
    b.writeWords(data.subarray(0, 128 * 512));
    expect([b.in(7), disk.serve()]).toEqual([0x80, 1]);
    b.writeWords(data.subarray(128 * 512));
    expect([disk.serve(), b.in(7)]).toEqual([1, 0x50]);
    b.command(read, { lba: 20, count: 200, ext });
    disk.serve();
    const first = b.readWords(128 * 512);
    expect([b.in(7), disk.serve()]).toEqual([0x80, 1]);
    expect(Buffer.concat([first, b.readWords(72 * 512)]).equals(Buffer.from(data))).toBe(true);
    expect(b.in(7)).toBe(0x50);
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
  b.startDma(
    [
      [0x10000, 512],
      [0x20000, 1000],
      [0x30000, 24],
    ],
    true,
  );
  expect(b.busMasterStatus & 1).toBe(1);
  disk.serve();
  expect([b.irqs[14], b.busMasterStatus & 7, b.in(7)]).toEqual([true, 4, 0x50]);
  expect([
    ...b.ram.bytes.subarray(0x10000, 0x10200),
    ...b.ram.bytes.subarray(0x20000, 0x203e8),
    ...b.ram.bytes.subarray(0x30000, 0x30018),
  ]).toEqual(filled(40, 3));
  b.startDma([[0x10000, 512]], false);
  b.command(0x35, { lba: 1000, count: 1, ext: true });
  disk.serve();
  expect(disk.content[1000 * 512]).toBe(40);
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

test.each([
  ['WRITE DMA FUA EXT', 0x3d, 0],
  ['WRITE MULTIPLE FUA EXT', 0xce, 4],
])('%s asks for stable storage', (_name, opcode, multiple) => {
  const { b, disk } = withDisk();
  if (multiple) b.command(0xc6, { count: multiple });
  b.command(opcode, { lba: 3, count: 1, ext: true });
  if (multiple) b.writeWords(new Uint8Array(512));
  else b.startDma([[0x10000, 512]], false);
  expect(disk.open.map(({ kind, fua }) => [kind, fua])).toEqual([['write', true]]);
});

test('READ VERIFY reads and keeps the data', () => {
  const { b, disk } = withDisk();
  b.command(0x40, { lba: 100, count: 200 });
  const asked: number[] = [];
  while (b.in(7) & 0x80 && asked.length < 9) {
    asked.push(...disk.open.map(({ sectors }) => sectors));
    disk.serve();
  }
  expect([asked, b.in(7)]).toEqual([[128, 72], 0x50]);
});

test.each([
  ['READ SECTORS', 0x20, 3],
  ['READ VERIFY', 0x40, 0],
])('%s finds the bad sector, and gives those before it', (_name, opcode, good) => {
  const { b, disk } = withDisk();
  disk.bad = 103;
  b.command(opcode, { lba: 100, count: 20 });
  let blocks = 0;
  for (let i = 0; i < 20 && !(b.in(7) & 1); i++) {
    disk.serve();
    if (b.in(7) & 8) expect([...b.readWords(512)]).toEqual(filled(100 + blocks++));
  }
  expect([blocks, b.in(7), b.in(1), b.in(3)]).toEqual([good, 0x51, 0x40, 103]);
});

test('a failed write is a write fault with its address, in 48 bits and in CHS', () => {
  const { b, disk } = withDisk();
  disk.failing = 'error';
  b.command(0x34, { lba: 0x321, count: 1, ext: true });
  b.writeWords(new Uint8Array(512));
  disk.serve();
  expect([b.in(7), b.in(1), b.in(3), b.in(4)]).toEqual([0x71, 4, 0x21, 0x03]);
  b.command(0x30, { count: 1, lba: 0x000005, device: 0x02 }); // head 2, sector 5
  b.writeWords(new Uint8Array(512));
  disk.serve();
  expect([b.in(7), b.in(3), b.in(4), b.in(5), b.in(6) & 15]).toEqual([0x71, 5, 0, 0, 2]);
});

test('TRIM: ranges are discarded one after another, or none when one is outside', () => {
  const { b, disk } = withDisk();
  const ranges = new DataView(b.ram.bytes.buffer, 0x10000, 512);
  const range = (index: number, sector: number, sectors: number): void => {
    ranges.setUint32(index * 8, sector, true);
    ranges.setUint16(index * 8 + 6, sectors, true);
  };
  const trim = (): void => {
    b.command(0x06, { features: 1, count: 1, ext: true });
    b.startDma([[0x10000, 512]], false);
    for (let i = 0; i < 64 && disk.serve(); i++);
  };
  range(0, 8, 100);
  range(5, 1000, 48);
  trim();
  expect([disk.discards, b.in(7)]).toEqual([
    [
      [8, 100],
      [1000, 48],
    ],
    0x50,
  ]);
  range(63, 2040, 9);
  trim();
  expect([disk.discards.length, b.in(7), b.in(1)]).toEqual([2, 0x51, 0x10]);
});

test('SMART says that nothing is known to be wrong', () => {
  const { b } = withDisk();
  b.command(0xb0, { features: 0xda, lba: 0xc24f00 });
  expect([b.in(7), b.in(4), b.in(5)]).toEqual([0x50, 0x4f, 0xc2]);
  b.command(0xb0, { features: 0xd0, lba: 0xc24f00 });
  const table = b.readWords(512);
  expect(table.reduce((sum, byte) => (sum + byte) & 255)).toBe(0);
  b.command(0xb0, { features: 0xd9, lba: 0xc24f00 });
  b.command(0xb0, { features: 0xda, lba: 0xc24f00 });
  expect([b.in(7) & 1, b.in(1)]).toEqual([1, 4]);
});

test('READ NATIVE MAX, SEEK, transfer modes, NOP', () => {
  const { b } = withDisk();
  b.command(0x27, { ext: true });
  expect([b.in(3), b.in(4), b.in(5)]).toEqual([0xff, 0x07, 0]);
  b.command(0x70, { lba: 2047 });
  expect(b.in(7)).toBe(0x50);
  b.command(0x7f, { lba: 2048 });
  expect([b.in(7), b.in(1)]).toEqual([0x51, 0x10]);
  b.command(0xef, { features: 3, count: 0x45 });
  expect(b.in(7)).toBe(0x50);
  b.command(0xef, { features: 3, count: 0x46 });
  expect(b.in(7)).toBe(0x51);
  b.command(0x00);
  expect([b.in(7), b.in(1)]).toEqual([0x51, 4]);
});

test('the data port takes 32 bits at once', () => {
  const { b, disk } = withDisk();
  b.command(0x20, { lba: 9, count: 1 });
  disk.serve();
  for (let i = 0; i < 128; i++) expect(b.ports.in(0x1f0, 4)).toBe(0x09090909);
  expect(b.in(7)).toBe(0x50);
});
