/**
 * Proves that a hostile driver gets nowhere: whatever stands in rings,
 * descriptors and registers, no call throws, each ends, and a device writes
 * only to its used rings and to what a descriptor gave it to write. Seeded: a
 * failure names its seed.
 */
import { Bench, seededRandom } from '../../testing';
import { slotOf } from '../pci-host';
import { get16, get32, get64, set16 } from './bytes';
import { type Piece, TestDisk, TestDriver, TestNetwork, TestRam, type DriverOptions } from './testing';
import { VirtioBlk } from './virtio-blk';
import { VirtioNet } from './virtio-net';

const DATA = 0x60000;
const DATA_BYTES = 0x40000;
const TABLES = 0x50000;
const TABLE_ENTRIES = 64;
type Random = (below: number) => number;
const one = <T>(random: Random, ...of: readonly T[]): T => of[random(of.length)];

/** Marks the bytes that a device may write now: used rings, and writable descriptors in any table. */
function markWritable(allowed: Uint8Array, driver: TestDriver): void {
  const { bytes } = driver.ram;
  const descriptors = (table: number, count: number): void => {
    for (let at = table; at < table + count * 16; at += 16) {
      if (!(get16(bytes, at + 12) & 2)) continue;
      const gpa = Math.min(get64(bytes, at), bytes.length);
      allowed.fill(1, gpa, Math.min(gpa + get32(bytes, at + 8), bytes.length));
    }
  };
  for (const { descriptors: table, used, size } of driver.rings) {
    allowed.fill(1, used, used + 6 + 8 * size);
    descriptors(table, size);
  }
  descriptors(TABLES, TABLE_ENTRIES);
}

/** Where bytes changed that may not; -1 for nowhere. Only pages that differ are looked at by the byte. */
function firstChange(before: Uint8Array, after: Uint8Array, allowed: Uint8Array): number {
  for (let page = 0; page < after.length; page += 4096) {
    if (Buffer.compare(before.subarray(page, page + 4096), after.subarray(page, page + 4096)) === 0) continue;
    for (let at = page; at < page + 4096; at++) if (before[at] !== after[at] && !allowed[at]) return at;
  }
  return -1;
}

function wildPiece(random: Random): Piece {
  const gpa = random(3) ? DATA + random(DATA_BYTES) : one(random, 0xfffffff0, 2 ** 32 - 1, 2 ** 40, 2 ** 63, 2 ** 20 - 8);
  return { gpa, length: one(random, 0, 1, 2, 11, 512, 1600, 0x100000, 0x7fffffff, 0xffffffff), write: random(2) === 0 };
}

/** A chain as a driver would make it, for queue 0 to 2 of a network adapter or for a disk. */
function plausible(random: Random, ram: TestRam, kind: 'blk' | 'net', queue: number): Piece[] {
  const piece = (length: number, write = false): Piece => ({ gpa: DATA + random(DATA_BYTES - length), length, write });
  const several = (make: () => Piece): Piece[] => Array.from({ length: 1 + random(3) }, make);
  if (kind === 'net' && queue === 0) return several(() => piece(20 + random(1500), true));
  if (kind === 'net' && queue === 1) return [piece(one(random, 10, 12)), ...several(() => piece(1 + random(1500)))];
  if (kind === 'net') {
    const command = piece(one(random, 3, 4, 8, 10, 22));
    ram.bytes.set([random(4), random(6), random(3), 0, 0, 0], command.gpa);
    return [command, piece(1, true)];
  }
  const header = piece(16);
  const type = one(random, 0, 0, 1, 1, 4, 8, 11, 13, random(256));
  ram.bytes.set([type, 0, 0, 0, 0, 0, 0, 0, random(256), one(random, 0, 0, 0, 1), 0, 0, 0, 0, 0, 0], header.gpa);
  const range = piece(16);
  if (type > 8) ram.bytes.set([random(256), 0, 0, 0, 0, 0, 0, 0, random(16), 0, 0, 0, one(random, 0, 1, 2), 0, 0, 0], range.gpa);
  const data = type > 8 ? [range] : type === 4 ? [] : several(() => piece(type === 8 ? 20 : 512 * (1 + random(3)), type !== 1));
  return [header, ...data, piece(1, true)];
}

/** Offers a chain, now and then a wrong one, direct or indirect. */
function offer(random: Random, driver: TestDriver, kind: 'blk' | 'net', queue: number): void {
  const pieces = plausible(random, driver.ram, kind, queue);
  if (random(12) === 0) pieces[random(pieces.length)] = wildPiece(random);
  if (random(30) === 0) pieces.splice(random(pieces.length), 1, ...pieces.slice(random(pieces.length)));
  if (pieces.length === 0) return;
  const { descriptors, size, nextDescriptor: head } = driver.rings[queue];
  if (random(2)) driver.offer(queue, pieces.slice(0, size));
  else {
    const first = random(TABLE_ENTRIES - pieces.length);
    for (const [index, { gpa, length, write }] of pieces.entries()) {
      const next = random(60) ? index + 1 : random(0x10000);
      driver.descriptor(TABLES + 16 * (first + index), gpa, length, (index + 1 < pieces.length ? 1 : 0) | (write ? 2 : 0), next);
    }
    const bytes = random(40) ? pieces.length * 16 : one(random, 0, 7, 0xfffffff0, 16);
    driver.descriptor(descriptors + 16 * head, TABLES + 16 * first, bytes, random(40) ? 4 : random(16), random(size));
    driver.offerHead(queue, head);
  }
  const { available } = driver.rings[queue];
  if (random(80) === 0) set16(driver.ram.bytes, available + 2, random(0x10000));
  if (random(80) === 0) driver.offerHead(queue, random(0x10000));
  if (random(8) === 0) set16(driver.ram.bytes, available, random(2));
}

/** How often the device stopped for a broken rule, and how many chains it gave back. */
interface Tally {
  faults: number;
  done: number;
}

function run(seed: number, kind: 'blk' | 'net', tally: Tally): void {
  const random = seededRandom(seed);
  const ram = new TestRam();
  const disk = new TestDisk(ram);
  const network = new TestNetwork(random(2) === 0);
  const msi = (): void => {};
  const shared = { slot: slotOf(4, 0), name: 'fuzzed', bus: ram, msi };
  const device = kind === 'blk' ? new VirtioBlk({ ...shared, port: disk }) : new VirtioNet({ ...shared, port: network });
  const features = [28, 29, ...device.featureBits].filter(
    (bit) => (bit < 28 && random(3) > 0) || (bit === 28 && random(8) > 0) || random(2) === 0,
  );
  const options: DriverOptions = { mode: random(2) ? 'modern' : 'legacy', features, queueSize: 8 << random(3) };
  const driver = new TestDriver(new Bench(), ram, device, options);
  const frame = new Uint8Array(1514).fill(0xff);
  const before = new Uint8Array(ram.bytes.length);
  for (let round = 0; round < 30; round++) {
    const allowed = new Uint8Array(ram.bytes.length);
    for (let step = 0; step < 12; step++) {
      const queue = random(driver.rings.length);
      for (let count = random(3); count > 0; count--) offer(random, driver, kind, queue);
      markWritable(allowed, driver);
      before.set(ram.bytes);
      driver.kick(random(20) ? queue : random(0x10000));
      if (disk.requests.length > 0 && random(2)) disk.finish(random(disk.requests.length), random(4) ? 'ok' : 'error');
      if (device instanceof VirtioNet && random(3) === 0) device.receive(frame.subarray(0, 14 + random(1500)));
      const outside = firstChange(before, ram.bytes, allowed);
      if (outside >= 0) throw new Error(`seed ${seed}: wrote at ${outside.toString(16)}`);
      for (const each of driver.rings.keys()) tally.done += driver.takeUsed(each).length;
    }
    // What is on its way may still write where a descriptor once said; the next round's check knows nothing of that.
    while (disk.requests.length > 0) disk.finish();
    network.sent.length = 0;
    if (device.fault === '') continue;
    tally.faults++;
    driver.rings.length = 0;
    driver.start();
  }
}

test.each(['blk', 'net'] as const)('%s: chains that are mostly right', (kind) => {
  const tally = { faults: 0, done: 0 };
  for (let seed = 1; seed <= 12; seed++) run(seed * 7919, kind, tally);
  expect(tally.faults).toBeGreaterThan(50);
  expect(tally.done).toBeGreaterThan(1000);
});

test('rings and registers of noise, queues placed anywhere, saved and restored at any point', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = seededRandom(seed * 104_729);
    const ram = new TestRam();
    for (let at = 0; at < ram.bytes.length; at++) ram.bytes[at] = random(4) ? 0 : random(256);
    const disk = new TestDisk(ram);
    const blk = new VirtioBlk({ slot: slotOf(4, 0), name: 'blk', port: disk, bus: ram, msi: () => {} });
    const net = new VirtioNet({ slot: slotOf(5, 0), name: 'net', port: new TestNetwork(true), bus: ram, msi: () => {} });
    const bench = new Bench();
    const driver = new TestDriver(bench, ram, seed % 2 ? blk : net, { mode: 'modern', features: [28, 29], msix: true });
    for (let step = 0; step < 3000; step++) {
      const size = one(random, 1, 2, 4);
      const value = random(3) ? random(0x200) : random(2 ** 31) * 2;
      const where = random(10);
      if (where < 4) driver.setIo(random(128), size, value);
      else if (where < 8) driver.setMemory(random(2) ? random(0x40) : random(0x2000), size, value);
      else if (where === 8) driver.setConfig(0x40 + random(0xc0), 1, value);
      else driver.kick(random(3));
      driver.io(random(128), size);
      driver.memory(random(0x2000), size);
      if (random(8) === 0 && disk.requests.length > 0) disk.finish(random(disk.requests.length));
      if (random(200) === 0) {
        const saved = JSON.parse(JSON.stringify(bench.machine.save())) as unknown;
        disk.requests.length = 0;
        bench.machine.restore(saved);
        bench.machine.resume();
      }
      if (random(100) === 0) driver.setConfig(4, 2, 7);
    }
  }
});
