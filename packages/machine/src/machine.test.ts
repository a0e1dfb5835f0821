/**
 * Proves three promises of the whole machine: no port access can make it throw
 * or spin; a saved and restored machine behaves exactly like the one that went
 * on; a state that does not fit is refused by name.
 */
import { MAX_MEMORY_BYTES } from './limits';
import { Bench, seededRandom, TestClock } from './testing';

const SIZES = [1, 2, 4] as const;
/** Ports with something behind them, so that random accesses hit. */
const BUSY_PORTS = [
  [0x00, 0x100], [0x2f8, 8], [0x3f8, 8], [0x4d0, 2], [0x600, 16], [0xcf8, 8], [0x40, 4], [0x60, 8], [0x70, 2], [0x20, 2], [0xa0, 2],
];

type Random = (below: number) => number;

/** One random thing that a guest or the world does; the answer is everything observable. */
function step(b: Bench, random: Random): string {
  const [first, count] = BUSY_PORTS[random(BUSY_PORTS.length)];
  const port = random(10) === 0 ? random(0x10000) : first + random(count);
  const size = SIZES[random(3)];
  const kind = random(100);
  let seen: number | boolean | undefined;
  if (kind < 40) seen = b.in(port, size);
  else if (kind < 80) b.out(port, random(2) ? random(0x100) : random(0x100000000), size);
  else if (kind < 90) {
    b.clock.ns += random(4) === 0 ? random(2_000_000_000) : random(50_000);
    b.machine.advance(b.clock.ns);
  } else if (kind < 94) seen = b.machine.acknowledgeIrq();
  else if (kind < 96) seen = b.machine.serialInput(Uint8Array.from({ length: random(40) }, (_, index) => index));
  else if (kind < 98) seen = b.machine.injectScancodes([random(256), random(256)]);
  else if (kind < 99) b.machine.powerButton();
  else seen = b.machine.mmio.read(random(0x100000000), size);
  return `${kind} ${port}.${size} ${String(seen)} ${b.machine.irqPending()} ${b.machine.nextDeadlineNs()}`;
}

test.each([1, 2, 3, 4, 5])('any accesses at any time, seed %i: never throws, reads are in range, deadlines pass', (seed) => {
  const b = new Bench();
  const random = seededRandom(seed * 7919);
  for (let round = 0; round < 8000; round++) {
    step(b, random);
    const port = random(0x10000);
    const size = SIZES[random(3)];
    const value = b.in(port, size);
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size))) throw new Error(`port ${port} size ${size} gave ${value}`);
    if (Number.isNaN(b.machine.nextDeadlineNs())) throw new Error('deadline is NaN');
  }
  // Whatever state that left: advancing to a deadline makes progress.
  let calls = 0;
  b.runTo(b.clock.ns + 1e8, () => { calls++; });
  expect(calls).toBeLessThan(1e8 / 25_000);
});

test.each([11, 12, 13, 14])('saved and restored in the middle, seed %i: goes on exactly as the original', (seed) => {
  const original = new Bench();
  const random = seededRandom(seed * 104_729);
  for (let round = 0; round < 5000; round++) step(original, random);
  const saved = JSON.parse(JSON.stringify(original.machine.save()));

  const restored = new Bench(new TestClock(original.clock.ns));
  restored.machine.restore(saved);
  expect(restored.machine.save()).toEqual(saved);
  const restart = random(2 ** 31);
  const [one, two] = [seededRandom(restart), seededRandom(restart)];
  original.serial.length = 0;
  original.events.length = 0;
  restored.events.length = 0;
  for (let round = 0; round < 5000; round++) {
    const expected = step(original, one);
    const seen = step(restored, two);
    if (seen !== expected) throw new Error(`step ${round}: ${seen} instead of ${expected}`);
  }
  expect(restored.serial).toEqual(original.serial);
  expect(restored.events).toEqual(original.events);
  expect(restored.machine.save()).toEqual(original.machine.save());
});

test('reset brings the machine to its power-on behaviour', () => {
  const b = new Bench();
  const random = seededRandom(99);
  for (let round = 0; round < 3000; round++) step(b, random);
  b.machine.reset();
  expect(b.machine.irqPending()).toBe(false);
  expect(b.machine.a20Enabled).toBe(true);
  b.startInterrupts(0);
  b.runTo(b.clock.ns + 1e9);
  expect(b.takeInterrupts()).toEqual([0]);
});

test('a state that does not fit is refused, with the place named', () => {
  const good = JSON.stringify(new Bench().machine.save());
  const spoilt: [(saved: any) => void, RegExp][] = [
    [(saved) => { saved.version = 9; }, /machine: saved state has version 9/],
    [(saved) => { delete saved.devices['pit-8254']; }, /no section pit-8254/],
    [(saved) => { saved.devices.vga = {}; }, /unknown section vga/],
    [(saved) => { saved.devices['pic-8259'].version = 2; }, /pic-8259: saved state has version 2/],
    [(saved) => { saved.devices['pic-8259'].chips[0].irr = 300; }, /pic-8259\.chips\[0\]\.irr: expected an integer from 0 to 255/],
    [(saved) => { saved.devices['pit-8254'].counters.pop(); }, /pit-8254\.counters: 2 items/],
    [(saved) => { saved.devices['uart-com1'].colour = 1; }, /uart-com1\.colour: unknown field/],
    [(saved) => { delete saved.devices['acpi-pm'].status; }, /acpi-pm\.status: missing/],
  ];
  for (const [spoil, message] of spoilt) {
    const saved = JSON.parse(good);
    spoil(saved);
    expect(() => new Bench().machine.restore(saved)).toThrow(message);
  }
});

test('memory sizes out of range are refused', () => {
  for (const memoryBytes of [0, 1024, 64 * 1024 * 1024 + 1, MAX_MEMORY_BYTES + 4096]) {
    expect(() => new Bench(new TestClock(), { memoryBytes })).toThrow(RangeError);
  }
});

test('ports nobody has read as ones and swallow writes', () => {
  const b = new Bench();
  b.out(0x5555, 0x12345678, 4);
  expect([b.in(0x5555), b.in(0x5555, 2), b.in(0x5554, 4)]).toEqual([0xff, 0xffff, 0xffffffff]);
});
