/** Proves where a bus master's data goes, and that no region table reaches anything but RAM. */
import { BUS_MASTER, filled, RAM_BYTES, withDisk } from './testing';

const ERROR_ACTIVE = 3;

test.each<[string, [number, number][]]>([
  ['too short', [[0x10000, 512]]],
  ['outside RAM', [[RAM_BYTES - 256, 1024]]],
  [
    'at the top of the address space',
    [
      [0xfffffe00, 512],
      [0, 512],
    ],
  ],
])('a region table that is %s fails the command, not the disk', (_what, regions) => {
  const { b, disk } = withDisk();
  b.command(0xc8, { lba: 0, count: 2 });
  b.startDma(regions, true);
  expect(disk.open).toEqual([]);
  expect([b.irqs[14], b.in(7) & 1, b.in(1), b.busMasterStatus & ERROR_ACTIVE]).toEqual([true, 1, 4, 2]);
});

test('a table outside RAM, and one without an end', () => {
  const { b, disk } = withDisk();
  b.command(0xc8, { lba: 0, count: 1 });
  b.ports.out(BUS_MASTER + 4, 4, 0xfffffffc);
  b.ports.out(BUS_MASTER, 1, 9);
  expect([b.in(7) & 1, disk.open.length]).toEqual([1, 0]);
  const table = new DataView(b.ram.bytes.buffer, 0x20000);
  for (let at = 0; at < 0x10000; at += 8) {
    table.setUint32(at, 0x10000, true);
    table.setUint32(at + 4, 2, true);
  }
  b.command(0x25, { lba: 0, count: 2048, ext: true });
  b.ports.out(BUS_MASTER, 1, 0);
  b.ports.out(BUS_MASTER + 4, 4, 0x20000);
  b.ports.out(BUS_MASTER, 1, 9);
  expect([b.in(7) & 1, disk.open.length]).toEqual([1, 0]);
});

test("a disk error is the drive's, not the bus master's", () => {
  const { b, disk } = withDisk();
  disk.failing = 'error';
  b.command(0xc8, { lba: 300, count: 2 });
  b.startDma([[0x10000, 1024]], true);
  disk.serve();
  expect([b.in(7), b.in(1), b.in(3), b.in(4), b.busMasterStatus & 6]).toEqual([0x51, 0x40, 300 & 255, 1, 4]);
});

test('a region of 64 KiB is written as 0; one that is longer than the data leaves the bus master active', () => {
  const { b, disk } = withDisk();
  b.command(0xc8, { lba: 0, count: 128 });
  b.startDma([[0x20000, 0x10000]], true);
  disk.serve();
  expect([b.in(7), b.busMasterStatus & 7]).toEqual([0x50, 4]);
  expect([...b.ram.bytes.subarray(0x20000, 0x30000)]).toEqual(filled(0, 128));
  b.command(0xc8, { lba: 0, count: 1 });
  b.startDma([[0x20000, 1024]], true);
  disk.serve();
  expect(b.busMasterStatus & 7).toBe(5);
  b.ports.out(BUS_MASTER, 1, 0);
  expect(b.busMasterStatus & 1).toBe(0);
});

test('nothing moves while the function may not master the bus', () => {
  const { b, disk } = withDisk();
  b.ide.function.write(4, 1, 1);
  b.command(0xca, { lba: 0, count: 1 });
  b.startDma([[0x10000, 512]], false);
  expect([disk.open.length, b.in(7) & 1]).toEqual([0, 1]);
});
