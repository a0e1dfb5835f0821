/**
 * Proves the timer: each mode's OUT against the data sheet's wave forms, edge
 * counting against looking at OUT tick by tick, reading and latching, and what
 * happens when the host is late.
 */
import { TickRate } from '../clock';
import { Bench, seededRandom } from '../testing';
import { type Counter, controlWord, nextRise, outAt, powerOnCounter, readByte, risesBetween, setGate, settleCounter, writeByte } from './pit-counter';
import { PIT_HZ } from './pit-8254';

const rate = new TickRate(PIT_HZ);

function programmed(mode: number, count: number, gate = true, bcd = false): Counter {
  const counter = powerOnCounter(gate);
  controlWord(counter, 0x30 | (mode << 1) | (bcd ? 1 : 0), 0);
  writeByte(counter, count & 0xff, 0);
  writeByte(counter, count >> 8, 0);
  return counter;
}

const wave = (counter: Counter, ticks: number, from = 1): string =>
  Array.from({ length: ticks }, (_, index) => (outAt(counter, from + index) ? '‾' : '_')).join('');

// Ticks are numbered from the load of the count.
test.each([
  [0, '____‾‾‾‾‾‾'],
  [2, '‾‾‾_‾‾‾_‾‾'],
  [3, '‾‾__‾‾__‾‾'],
  [4, '‾‾‾‾_‾‾‾‾‾'],
])('mode %i with count 4', (mode, expected) => {
  expect(wave(programmed(mode, 4), 10)).toBe(expected);
});

test('mode 3 with an odd count is high for the longer half', () => {
  expect(wave(programmed(3, 5), 10)).toBe('‾‾‾__‾‾‾__');
});

test.each([
  [1, '____‾‾‾‾'],
  [5, '‾‾‾‾_‾‾‾'],
])('mode %i waits for its gate', (mode, expected) => {
  const counter = programmed(mode, 4, false);
  expect(wave(counter, 8)).toBe('‾‾‾‾‾‾‾‾');
  setGate(counter, true, 20);
  expect(wave(counter, 8, 21)).toBe(expected);
});

test('mode 0 is held by a low gate and goes on where it was', () => {
  const counter = programmed(0, 10);
  setGate(counter, false, 5);
  expect(outAt(counter, 1000)).toBe(false);
  expect(readByte(counter, 1000) | (readByte(counter, 1000) << 8)).toBe(6);
  setGate(counter, true, 100);
  expect([outAt(counter, 105), outAt(counter, 106)]).toEqual([false, true]);
});

test('a new count in mode 2 begins after the period, in mode 3 after the half period', () => {
  const two = programmed(2, 8);
  settleCounter(two, 3);
  writeByte(two, 4, 3);
  writeByte(two, 0, 3);
  const three = programmed(3, 8);
  settleCounter(three, 3);
  writeByte(three, 4, 3);
  writeByte(three, 0, 3);
  const seen = (counter: Counter): string =>
    Array.from({ length: 16 }, (_, index) => {
      settleCounter(counter, index + 3);
      return outAt(counter, index + 3) ? '‾' : '_';
    }).join('');
  expect(seen(two)).toBe('‾‾‾‾‾_‾‾‾_‾‾‾_‾‾');
  expect(seen(three)).toBe('‾‾__‾‾__‾‾__‾‾__');
});

test('decimal counters read and wrap in decimal', () => {
  const counter = programmed(0, 0x1000, true, true);
  controlWord(counter, 0x00, 2);
  expect(readByte(counter, 500) | (readByte(counter, 500) << 8)).toBe(0x0999);
});

test('edges counted by arithmetic are the edges seen tick by tick', () => {
  const random = seededRandom(42);
  for (let round = 0; round < 300; round++) {
    const counter = programmed([0, 2, 3, 4][random(4)], 2 + random(40));
    const from = 1 + random(100);
    const to = from + random(200);
    let seen = 0;
    let next: number | undefined;
    for (let tick = from + 1; tick <= to; tick++) {
      if (outAt(counter, tick) && !outAt(counter, tick - 1)) {
        seen++;
        next ??= tick;
      }
    }
    expect(risesBetween(counter, from, to)).toBe(seen);
    if (next !== undefined) expect(nextRise(counter, from)).toBe(next);
  }
});

test('Linux periodic tick: one interrupt a period, exact over an hour', () => {
  const b = new Bench();
  b.startInterrupts(0);
  b.out(0x43, 0x34);
  b.out(0x40, 11932 & 0xff);
  b.out(0x40, 11932 >> 8);
  b.takeInterrupts();
  let ticks = 0;
  b.runTo(3600e9, () => { ticks += b.takeInterrupts().length; });
  expect(ticks).toBe(Math.floor((rate.ticksAt(3600e9) - 1) / 11932));
  expect(b.machine.coalescedTimerTicks).toBe(0);
});

test('Linux one-shot (mode 4): one interrupt after the count', () => {
  const b = new Bench();
  b.startInterrupts(0);
  b.out(0x43, 0x38);
  b.takeInterrupts();
  b.out(0x40, 1000 & 0xff);
  b.out(0x40, 1000 >> 8);
  const deadline = b.machine.nextDeadlineNs();
  expect(rate.ticksAt(deadline)).toBe(1 + 1000 + 1);
  b.runTo(deadline - 1);
  expect(b.takeInterrupts()).toEqual([]);
  b.runTo(1e9);
  expect(b.takeInterrupts()).toEqual([0]);
  expect(b.machine.nextDeadlineNs()).toBe(Infinity);
});

test('a late host: missed ticks become one interrupt and are counted', () => {
  const b = new Bench();
  b.startInterrupts(0);
  b.out(0x43, 0x34);
  b.out(0x40, 0xa9);
  b.out(0x40, 0x04); // 1193: 1 ms
  b.takeInterrupts();
  b.clock.ns = 1e9;
  b.machine.advance(b.clock.ns);
  expect(b.takeInterrupts()).toEqual([0]);
  expect(b.machine.coalescedTimerTicks).toBe(Math.floor((rate.ticksAt(1e9) - 1) / 1193) - 1);
  expect(b.machine.nextDeadlineNs()).toBeGreaterThan(1e9);
});

test('edges before and after a change of period are all counted', () => {
  const b = new Bench();
  b.out(0x43, 0x34);
  b.out(0x40, 100);
  b.out(0x40, 0);
  b.out(0x40, 50);
  b.out(0x40, 0);
  b.clock.ns = rate.nsAt(1 + 100 + 50 * 7);
  b.machine.advance(b.clock.ns);
  expect(b.machine.coalescedTimerTicks).toBe(7);
});

test('channel 2 as Linux calibrates the TSC: gate up, mode 0, port 61 bit 5', () => {
  const b = new Bench();
  b.out(0x61, (b.in(0x61) & ~0x02) | 0x01);
  b.out(0x43, 0xb0);
  b.out(0x42, 59_659 & 0xff);
  b.out(0x42, 59_659 >> 8);
  expect(b.in(0x61) & 0x20).toBe(0);
  b.clock.ns = rate.nsAt(59_659);
  expect(b.in(0x61) & 0x20).toBe(0);
  b.clock.ns = rate.nsAt(59_660);
  expect(b.in(0x61) & 0x20).toBe(0x20);
});

test('the refresh bit toggles', () => {
  const b = new Bench();
  const seen = new Set<number>();
  for (let step = 0; step < 10; step++) {
    b.clock.ns = step * 15_086;
    seen.add(b.in(0x61) & 0x10);
  }
  expect(seen.size).toBe(2);
});

test('latched count stands still; read-back gives status first', () => {
  const b = new Bench();
  b.out(0x43, 0x34);
  b.out(0x40, 0);
  b.out(0x40, 0x10); // 4096
  b.clock.ns = rate.nsAt(1 + 96);
  b.out(0x43, 0x00);
  b.clock.ns = rate.nsAt(1 + 500);
  expect(b.in(0x40) | (b.in(0x40) << 8)).toBe(4000);
  b.out(0x43, 0xc2); // read back count and status of channel 0
  expect(b.in(0x40)).toBe(0xb4);
  expect(b.in(0x40) | (b.in(0x40) << 8)).toBe(4096 - 500);
});
