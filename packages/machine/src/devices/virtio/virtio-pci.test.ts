/** Proves what a driver meets before any data moves: identity, capabilities, negotiation, both register sets, interrupts by pin and by message. */
import { Bench } from '../../testing';
import { slotOf } from '../pci-host';
import { EVENT_INDEX, MSIX_TABLE, TestDisk, TestDriver, TestRam, type DriverOptions } from './testing';
import { VirtioBlk } from './virtio-blk';

function build(options: DriverOptions): {
  bench: Bench;
  disk: TestDisk;
  driver: TestDriver;
  blk: VirtioBlk;
  messages: number[][];
  ram: TestRam;
} {
  const messages: number[][] = [];
  const bench = new Bench();
  const ram = new TestRam();
  const disk = new TestDisk(ram);
  const blk = new VirtioBlk({
    slot: slotOf(4, 0),
    name: 'disk-0',
    port: disk,
    bus: ram,
    msi: (address, data) => messages.push([address, data]),
  });
  const driver = new TestDriver(bench, ram, blk, options);
  return { bench, disk, driver, blk, messages, ram };
}
const flush = (driver: TestDriver): void => {
  driver.offer(0, [
    { gpa: 0x80000, length: 16 },
    { gpa: 0x80010, length: 1, write: true },
  ]);
  driver.kick(0);
};
const withFlush = (ram: TestRam): void => {
  ram.bytes[0x80000] = 4;
};

test('a transitional block device with its capabilities', () => {
  const { driver } = build({ mode: 'legacy', features: [] });
  expect(driver.config(0, 4)).toBe(0x10011af4);
  expect(driver.config(8, 4)).toBe(0x01000000);
  expect(driver.config(0x2c, 4)).toBe(0x00021af4);
  const found: string[] = [];
  for (let at = driver.config(0x34, 1); at !== 0; at = driver.config(at + 1, 1)) {
    const id = driver.config(at, 1);
    found.push(
      id === 9
        ? `${driver.config(at + 3, 1)} bar ${driver.config(at + 4, 1)} ${driver.config(at + 8, 4).toString(16)}`
        : `msix ${driver.config(at + 2, 2)}`,
    );
  }
  expect(found).toEqual(['1 bar 1 0', '2 bar 0 10', '2 bar 1 300', '3 bar 0 13', '3 bar 1 100', '4 bar 1 200', '5 bar 0 0', 'msix 1']);
});

test('legacy: features are cut to what is offered; configuration moves when MSI-X comes on', () => {
  const { driver } = build({ mode: 'legacy', features: [9, 3, EVENT_INDEX] });
  expect(driver.io(4, 4)).toBe((1 << 9) | (1 << EVENT_INDEX));
  expect(driver.io(0x14, 4)).toBe(256);
  driver.setConfig(driver.capability(0x11) + 2, 2, 0x8000);
  expect(driver.io(0x18, 4)).toBe(256);
  expect(driver.io(0x14, 2)).toBe(0xffff);
  driver.setIo(0x14, 2, 1);
  expect(driver.io(0x14, 2)).toBe(1);
  driver.setIo(0x14, 2, 2); // two vectors only
  expect(driver.io(0x14, 2)).toBe(0xffff);
});

test('modern: FEATURES_OK is refused for what was not offered and without VERSION_1', () => {
  const { driver } = build({ mode: 'modern', features: [] });
  for (const [low, high, granted] of [
    [0, 1, true],
    [1 << 3, 1, false],
    [0, 0, false],
    [0, 3, false],
  ] as const) {
    driver.status = 0;
    driver.status = 3;
    driver.setMemory(8, 4, 0);
    driver.setMemory(12, 4, low);
    driver.setMemory(8, 4, 1);
    driver.setMemory(12, 4, high);
    driver.status = 11;
    expect((driver.status & 8) !== 0).toBe(granted);
  }
});

test('modern: registers read back, in parts too; queues are fixed once enabled', () => {
  const { driver } = build({ mode: 'modern', features: [] });
  driver.select(0);
  expect([driver.memory(0x18, 2), driver.memory(0x1c, 2), driver.memory(0x12, 2)]).toEqual([256, 1, 1]);
  const descriptors = driver.memory(0x20, 4);
  expect(driver.memory(0x22, 2)).toBe(descriptors >>> 16);
  driver.setMemory(0x20, 4, 0x1000);
  driver.setMemory(0x18, 2, 64);
  expect([driver.memory(0x20, 4), driver.memory(0x18, 2)]).toEqual([descriptors, 256]);
  driver.select(1);
  expect([driver.memory(0x18, 2), driver.memory(0x1c, 2), driver.memory(0x20, 4)]).toEqual([0, 0, 0]);
});

test('modern: a queue size that is no power of two or too large is not taken', () => {
  const { driver } = build({ mode: 'modern', features: [] });
  driver.status = 0;
  driver.select(0);
  for (const [size, taken] of [
    [64, 64],
    [100, 64],
    [0, 64],
    [512, 64],
    [128, 128],
  ]) {
    driver.setMemory(0x18, 2, size);
    expect(driver.memory(0x18, 2)).toBe(taken);
  }
});

test('pin: raised by a used entry, lowered by reading the interrupt status', () => {
  const { driver, blk, disk, ram } = build({ mode: 'legacy', features: [] });
  withFlush(ram);
  flush(driver);
  expect(blk.function.interruptAsserted).toBe(false);
  disk.finish();
  expect(blk.function.interruptAsserted).toBe(true);
  expect([driver.io(0x13, 1), driver.io(0x13, 1)]).toEqual([1, 0]);
  expect(blk.function.interruptAsserted).toBe(false);
});

test('messages: sent by vector, held while masked, sent when unmasked; no pin', () => {
  const { driver, blk, disk, messages, ram, bench } = build({ mode: 'modern', features: [], msix: true });
  withFlush(ram);
  flush(driver);
  disk.finish();
  expect(messages).toEqual([[0xfee00000, 0x41]]);
  expect([blk.function.interruptAsserted, driver.memory(0x100, 1)]).toEqual([false, 0]);

  bench.machine.mmio.write(MSIX_TABLE + 16 + 12, 4, 1);
  flush(driver);
  disk.finish();
  expect(messages).toHaveLength(1);
  expect(driver.memory(0x1800, 4)).toBe(2);
  bench.machine.mmio.write(MSIX_TABLE + 16 + 12, 4, 0);
  expect(messages).toHaveLength(2);
  expect(driver.memory(0x1800, 4)).toBe(0);

  const control = driver.capability(0x11) + 2;
  driver.setConfig(control, 2, 0xc000);
  flush(driver);
  disk.finish();
  expect(messages).toHaveLength(2);
  driver.setConfig(control, 2, 0x8000);
  expect(messages).toHaveLength(3);
});

test('a message to where no interrupt controller is, or without bus mastering, goes nowhere', () => {
  const { driver, disk, messages, ram, bench } = build({ mode: 'modern', features: [], msix: true });
  bench.machine.mmio.write(MSIX_TABLE + 16 + 4, 4, 1);
  withFlush(ram);
  flush(driver);
  disk.finish();
  expect(messages).toEqual([]);
});

test('the window in configuration space reaches both BARs', () => {
  const { driver } = build({ mode: 'modern', features: [] });
  let window = 0;
  for (let at = driver.config(0x34, 1); at !== 0; at = driver.config(at + 1, 1))
    if (driver.config(at, 1) === 9 && driver.config(at + 3, 1) === 5) window = at;
  const aim = (bar: number, offset: number, length: number): void => {
    driver.setConfig(window + 4, 1, bar);
    driver.setConfig(window + 8, 4, offset);
    driver.setConfig(window + 12, 4, length);
  };
  aim(1, 0x200, 4);
  expect(driver.config(window + 16, 4)).toBe(256);
  aim(0, 0x14, 4);
  expect(driver.config(window + 16, 4)).toBe(256);
  aim(1, 0x16, 2);
  driver.setConfig(window + 16, 2, 5);
  expect(driver.memory(0x16, 2)).toBe(5);
  for (const [bar, offset, length] of [
    [1, 0x1ffe, 4],
    [1, 1, 2],
    [5, 0, 4],
    [0, 0xfffffffc, 4],
    [1, 0, 3],
  ]) {
    aim(bar, offset, length);
    driver.setConfig(window + 16, 4, 0x1234);
    expect(driver.config(window + 16, 4)).toBe(0x1234);
  }
});

test('without bus mastering nothing is taken; a legacy DRIVER_OK turns it on', () => {
  const { driver, disk, ram } = build({ mode: 'modern', features: [] });
  withFlush(ram);
  driver.setConfig(4, 2, 3);
  flush(driver);
  expect(disk.requests).toHaveLength(0);
  driver.setConfig(4, 2, 7);
  driver.kick(0);
  expect(disk.requests).toHaveLength(1);

  const old = build({ mode: 'legacy', features: [] });
  old.driver.setConfig(4, 2, 3);
  old.driver.status = 3;
  old.driver.status = 7;
  expect(old.blk.function.busMaster).toBe(true);
});

test('a machine without messages has no MSI-X', () => {
  const ram = new TestRam();
  const blk = new VirtioBlk({ slot: slotOf(4, 0), name: 'disk-0', port: new TestDisk(ram), bus: ram });
  const driver = new TestDriver(new Bench(), ram, blk, { mode: 'modern', features: [] });
  expect(driver.capability(0x11)).toBe(0);
  expect(driver.memory(0x1000, 4)).toBe(0);
});
