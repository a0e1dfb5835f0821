/** Proves that two drives of a channel keep apart, what resets do, and how an interrupt shows. */
import { BUS_MASTER, filled, IdeBench, TestDisk, withBoth, withDisk } from './testing';

const CONTROL = 0x3f6;

test('each drive shows its own signature and status', () => {
  const { b, disk } = withBoth();
  b.out(6, 0xb0);
  expect([b.in(7), b.in(2), b.in(3), b.in(4), b.in(5), b.in(1)]).toEqual([0, 1, 1, 0x14, 0xeb, 1]);
  b.command(0x20, { lba: 99999, count: 1 });
  expect(b.in(7)).toBe(0x51);
  b.out(6, 0xb0);
  expect(b.in(7)).toBe(0);
  b.out(6, 0xa0);
  expect([b.in(7), b.in(1)]).toEqual([0x51, 0x10]);
  expect(disk.open).toEqual([]);
});

test('a busy channel keeps its drive and its registers', () => {
  const { b, disk, disc } = withBoth();
  b.command(0x20, { lba: 4, count: 1 });
  b.out(6, 0xb0);
  b.out(3, 77);
  b.out(7, 0x08); // nothing for a disk
  disk.serve();
  expect([disc.open.length, b.in(3), b.in(7)]).toEqual([0, 4, 0x58]);
  expect([...b.readWords(512)]).toEqual(filled(4));
});

test('a drive that is not there has no registers', () => {
  const { b } = withDisk();
  b.out(6, 0xb0);
  b.out(2, 0x55);
  b.out(3, 0xaa);
  b.out(7, 0xec);
  expect([b.in(2), b.in(3), b.in(7), b.irqs[14]]).toEqual([0, 0, 0, false]);
  b.ports.out(0x172, 1, 0x55);
  expect([b.ports.in(0x172, 1), b.ports.in(0x376, 1)]).toEqual([0x7f, 0x7f]);
  // A disk without an image is none.
  const none = new IdeBench(() => [[{ kind: 'disk', port: null }, undefined]]);
  none.command(0xec);
  expect(none.in(7)).toBe(0x7f);
});

test('SRST lasts as long as it is set, and until the disk has answered', () => {
  const { b, disk } = withDisk();
  b.command(0xc8, { lba: 7, count: 1 });
  b.startDma([[0x10000, 512]], true);
  b.ports.out(CONTROL, 1, 4);
  expect(b.in(7)).toBe(0x80);
  b.ports.out(CONTROL, 1, 0);
  // The answer could still land in memory.
  expect(b.in(7)).toBe(0x80);
  b.out(7, 0xec);
  expect(disk.serve()).toBe(1);
  expect([b.in(7), b.in(1), b.irqs[14]]).toEqual([0x50, 1, false]);
  b.ports.out(CONTROL, 1, 4);
  expect(b.in(7)).toBe(0x80);
  b.ports.out(CONTROL, 1, 0);
  expect(b.in(7)).toBe(0x50);
});

test('DEVICE RESET stops a busy packet device, and leaves its neighbour alone', () => {
  const { b, disc } = withBoth();
  b.command(0x20, { lba: 99999, count: 1 });
  b.sendPacket([0x28, 0, 0, 0, 0, 1, 0, 0, 1], { device: 0x10 });
  expect(b.in(7)).toBe(0x80);
  b.out(7, 0x08);
  expect(b.in(7)).toBe(0x80);
  disc.serve();
  expect([b.in(7), b.in(4), b.in(5), b.in(6) & 0x10]).toEqual([0, 0x14, 0xeb, 0x10]);
  b.out(6, 0xa0);
  expect(b.in(7)).toBe(0x51);
});

test('DIAGNOSTIC answers for both drives', () => {
  const { b } = withBoth();
  b.out(6, 0xb0);
  b.out(7, 0x90);
  expect([b.irqs[14], b.in(7), b.in(1), b.in(6)]).toEqual([true, 0x50, 1, 0xa0]);
});

test('a machine reset lets go of the interrupt and starts anew', () => {
  const { b } = withDisk();
  b.command(0xec);
  expect(b.irqs[14]).toBe(true);
  b.ide.reset();
  expect([b.irqs[14], b.in(7), b.busMasterStatus]).toEqual([false, 0x50, 0]);
});

test('with nIEN neither the line nor the bus master shows an interrupt; it comes when nIEN goes', () => {
  const { b, disk } = withDisk();
  b.ports.out(CONTROL, 1, 2);
  b.command(0x20, { lba: 5, count: 1 });
  disk.serve();
  expect([b.irqs[14], b.busMasterStatus & 4, b.ports.in(CONTROL, 1)]).toEqual([false, 0, 0x58]);
  b.ports.out(CONTROL, 1, 0);
  expect([b.irqs[14], b.busMasterStatus & 4]).toEqual([true, 4]);
  // The alternate status leaves it, the status takes it.
  expect([b.ports.in(CONTROL, 1), b.irqs[14], b.in(7), b.irqs[14]]).toEqual([0x58, true, 0x58, false]);
});

test('the secondary channel has ports and an interrupt of its own', () => {
  const b = new IdeBench((bench) => [[undefined, undefined], withDiskOn(bench)]);
  b.ports.out(0x177, 1, 0xec);
  expect([b.irqs[14], b.irqs[15], b.ports.in(0x177, 1), b.ports.in(BUS_MASTER + 10, 1)]).toEqual([false, true, 0x58, 4]);
});
const withDiskOn = ({ ram }: IdeBench) => [{ kind: 'disk' as const, port: new TestDisk(ram) }, undefined] as const;
