/** Proves the split queue: interrupts and notifications asked for and not, wrap-around, and that each broken rule stops the device until it is reset. */
import { Bench } from '../../testing';
import { slotOf } from '../pci-host';
import { set16, set32 } from './bytes';
import { EVENT_INDEX, INDIRECT, TestDisk, TestDriver, TestRam } from './testing';
import { VirtioBlk } from './virtio-blk';

const HEADER = 0x80000;
const STATUS = 0x80010;
const FLUSH = [
  { gpa: HEADER, length: 16 },
  { gpa: STATUS, length: 1, write: true },
];

function build(
  features: number[] = [],
  queueSize = 8,
): { driver: TestDriver; disk: TestDisk; blk: VirtioBlk; ram: TestRam; interrupts: () => number } {
  let messages = 0;
  const ram = new TestRam();
  const disk = new TestDisk(ram);
  const blk = new VirtioBlk({
    slot: slotOf(4, 0),
    name: 'disk-0',
    port: disk,
    bus: ram,
    msi: () => {
      messages++;
    },
  });
  const driver = new TestDriver(new Bench(), ram, blk, { mode: 'modern', features: [9, ...features], msix: true, queueSize });
  set32(ram.bytes, HEADER, 4);
  return {
    driver,
    disk,
    blk,
    ram,
    interrupts: () => {
      const since = messages;
      messages = 0;
      return since;
    },
  };
}

test('without event index: the flag suppresses interrupts, and the device always wants notifications', () => {
  const { driver, disk, interrupts } = build();
  driver.offer(0, FLUSH);
  driver.kick(0);
  disk.finish();
  expect(interrupts()).toBe(1);
  driver.setInterruptFlag(0, true);
  driver.offer(0, FLUSH);
  driver.kick(0);
  disk.finish();
  expect([interrupts(), driver.wantsKick(0, 2)]).toEqual([0, true]);
});

test('with event index: an interrupt exactly when the used index passes the event', () => {
  const { driver, disk, interrupts } = build([EVENT_INDEX]);
  driver.setUsedEvent(0, 1);
  const each: number[] = [];
  for (let index = 0; index < 4; index++) {
    driver.offer(0, FLUSH);
    driver.kick(0);
    disk.finish();
    each.push(interrupts());
  }
  expect(each).toEqual([0, 1, 0, 0]);
});

test('with event index: the device asks to be notified of the next entry and of none before', () => {
  const { driver, disk } = build([EVENT_INDEX]);
  driver.offer(0, FLUSH);
  expect(driver.wantsKick(0, 0)).toBe(true);
  driver.kick(0);
  expect(driver.wantsKick(0, 1)).toBe(false); // nothing new
  driver.offer(0, FLUSH);
  expect(driver.wantsKick(0, 1)).toBe(true);
  driver.kick(0);
  while (disk.requests.length > 0) disk.finish();
  expect(driver.takeUsed(0)).toHaveLength(2);
});

test('both indices wrap at 65536, with events right all the way', () => {
  const { driver, disk, interrupts } = build([EVENT_INDEX]);
  let wrong = 0;
  for (let index = 0; index < 66_000; index++) {
    driver.setUsedEvent(0, index & 0xffff);
    driver.offer(0, FLUSH);
    if (!driver.wantsKick(0, index & 0xffff)) wrong++;
    driver.kick(0);
    disk.finish();
    if (interrupts() !== 1 || driver.takeUsed(0).length !== 1) wrong++;
  }
  expect(wrong).toBe(0);
});

const RULES: readonly [string, (driver: TestDriver, ram: TestRam) => void, RegExp][] = [
  [
    'a loop',
    (driver) => {
      const head = driver.offer(0, FLUSH);
      driver.descriptor(driver.rings[0].descriptors + 16 * (head + 1), STATUS, 1, 3, head + 1);
    },
    /loop/,
  ],
  ['a head beyond the table', (driver) => driver.offerHead(0, 8), /descriptor 8 of 8/],
  [
    'a next beyond the table',
    (driver) => {
      driver.descriptor(driver.rings[0].descriptors, HEADER, 16, 1, 500);
      driver.offerHead(0, 0);
    },
    /descriptor 500/,
  ],
  ['more entries than the queue has', (driver, ram) => set16(ram.bytes, driver.rings[0].available + 2, 9), /9 entries/],
  ['an index that goes back', (driver, ram) => set16(ram.bytes, driver.rings[0].available + 2, 0xffff), /entries/],
  ['readable behind writable', (driver) => driver.offer(0, [...FLUSH, FLUSH[0]]), /readable/],
  ['no header', (driver) => driver.offer(0, [FLUSH[1]]), /header/],
  ['no status byte', (driver) => driver.offer(0, [FLUSH[0]]), /status/],
  ['a header outside RAM', (driver) => driver.offer(0, [{ gpa: 0xfffffff0, length: 16 }, FLUSH[1]]), /outside RAM/],
  ['an address of 64 bits', (driver) => driver.offer(0, [{ gpa: 2 ** 63, length: 0xffffffff }, FLUSH[1]]), /outside RAM/],
  [
    'an empty indirect table',
    (driver) => {
      driver.descriptor(driver.rings[0].descriptors, 0x90000, 0, 4, 0);
      driver.offerHead(0, 0);
    },
    /indirect/,
  ],
  [
    'an indirect table outside RAM',
    (driver) => {
      driver.descriptor(driver.rings[0].descriptors, 0x90000, 0xfffffff0, 4, 0);
      driver.offerHead(0, 0);
    },
    /indirect/,
  ],
  [
    'an indirect table in an indirect table',
    (driver) => {
      driver.descriptor(0x90000, 0x90000, 16, 4, 0);
      driver.descriptor(driver.rings[0].descriptors, 0x90000, 16, 4, 0);
      driver.offerHead(0, 0);
    },
    /nested/,
  ],
  [
    'an indirect descriptor that goes on',
    (driver) => {
      driver.descriptor(driver.rings[0].descriptors, 0x90000, 16, 5, 0);
      driver.offerHead(0, 0);
    },
    /goes on/,
  ],
];

test.each(RULES)('%s breaks the device, which says so and works again after a reset', (_name, breakRule, fault) => {
  const { driver, disk, blk, ram, interrupts } = build([INDIRECT]);
  breakRule(driver, ram);
  driver.kick(0);
  expect(blk.fault).toMatch(fault);
  expect([driver.status & 0x40, interrupts(), driver.takeUsed(0)]).toEqual([0x40, 1, []]);
  driver.kick(0);
  driver.status = 15;
  expect([disk.requests.length, driver.status & 0x40]).toEqual([0, 0x40]);

  driver.rings.length = 0;
  driver.start();
  expect([blk.fault, driver.status]).toEqual(['', 15]);
  driver.offer(0, FLUSH);
  driver.kick(0);
  disk.finish();
  expect(driver.takeUsed(0)).toHaveLength(1);
});

test('an indirect chain without the feature breaks the device', () => {
  const { driver, blk } = build();
  driver.offer(0, FLUSH, true);
  driver.kick(0);
  expect(blk.fault).toMatch(/without the feature/);
});

test('areas outside RAM break the device', () => {
  const { driver, blk } = build();
  driver.status = 0;
  driver.rings.length = 0;
  driver.start();
  driver.status = 0;
  driver.select(0);
  for (const at of [0x20, 0x28, 0x30]) driver.setMemory(at, 4, 0xfffff000);
  driver.setMemory(0x1c, 2, 1);
  driver.status = 15;
  driver.kick(0);
  expect(blk.fault).toMatch(/not in RAM/);
});

test('the same head offered again and again never makes more requests than the queue has entries', () => {
  const { driver, disk, blk } = build();
  const head = driver.offer(0, FLUSH);
  for (let index = 0; index < 20; index++) {
    driver.kick(0);
    driver.offerHead(0, head);
  }
  expect(disk.requests.length).toBeLessThanOrEqual(8);
  expect(blk.fault).toMatch(/entries/);
  while (disk.requests.length > 0) disk.finish();
  expect(driver.takeUsed(0)).toEqual([]);
});

test('direct descriptors may lead to an indirect table', () => {
  const { driver, disk, blk } = build([INDIRECT]);
  driver.descriptor(0x90000, STATUS, 1, 2, 0);
  driver.descriptor(driver.rings[0].descriptors, HEADER, 16, 1, 1);
  driver.descriptor(driver.rings[0].descriptors + 16, 0x90000, 16, 4, 0);
  driver.offerHead(0, 0);
  driver.kick(0);
  disk.finish();
  expect([blk.fault, driver.takeUsed(0)]).toEqual(['', [{ head: 0, length: 1 }]]);
});
