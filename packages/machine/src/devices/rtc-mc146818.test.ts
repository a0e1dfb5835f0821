/** Proves the clock: calendar against JavaScript's own, encodings, setting, alarms and interrupts. */
import { Bench, seededRandom, TestClock } from '../testing';
import { dayOfWeek, fromEpochSeconds, toEpochSeconds } from './calendar';

const START = Date.UTC(2024, 1, 28, 23, 59, 57);
const bench = (): Bench => new Bench(new TestClock(0, START));
const read = (b: Bench, register: number): number => (b.out(0x70, register), b.in(0x71));
const write = (b: Bench, register: number, value: number): void => {
  b.out(0x70, register);
  b.out(0x71, value);
};
const dateAndTime = (b: Bench): string =>
  [0x32, 9, 8, 7, 4, 2, 0].map((register) => read(b, register).toString(16).padStart(2, '0')).join(' ');

test('the calendar agrees with Date from 1601 to 2999', () => {
  const random = seededRandom(7);
  for (let round = 0; round < 2000; round++) {
    const year = 1601 + random(1399);
    const seconds = Date.UTC(year, random(12), 1 + random(31), random(24), random(60), random(60)) / 1000;
    const date = new Date(seconds * 1000);
    const mine = fromEpochSeconds(seconds);
    expect([mine.year, mine.month, mine.day, mine.hour, mine.minute, mine.second]).toEqual([
      date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(),
      date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(),
    ]);
    expect(toEpochSeconds(mine)).toBe(seconds);
    expect(dayOfWeek(seconds)).toBe(date.getUTCDay() + 1);
  }
});

test('time of day in decimal, over a leap day', () => {
  const b = bench();
  expect(dateAndTime(b)).toBe('20 24 02 28 23 59 57');
  b.runTo(3e9);
  expect(dateAndTime(b)).toBe('20 24 02 29 00 00 00');
});

test('binary and 12 hours', () => {
  const b = bench();
  write(b, 0x0b, 0x04);
  expect([read(b, 4), read(b, 2)]).toEqual([0x80 | 11, 59]);
  b.runTo(3e9);
  expect(read(b, 4)).toBe(12); // midnight is 12 AM
});

test('the guest sets the clock under SET and it goes on from there', () => {
  const b = bench();
  write(b, 0x0b, 0x82);
  for (const [register, value] of [[0x32, 0x19], [9, 0x99], [8, 0x12], [7, 0x31], [4, 0x23], [2, 0x59], [0, 0x58]]) {
    write(b, register, value);
  }
  expect(dateAndTime(b)).toBe('19 99 12 31 23 59 58');
  write(b, 0x0b, 0x02);
  b.runTo(2.5e9);
  expect(dateAndTime(b)).toBe('20 00 01 01 00 00 00');
});

test('update in progress is seen just before the second changes', () => {
  const b = bench();
  b.clock.ns = 0.5e9;
  expect(read(b, 0x0a) & 0x80).toBe(0);
  b.clock.ns = 0.999e9;
  expect(read(b, 0x0a) & 0x80).toBe(0x80);
});

test('update-ended interrupts: one a second, held until register C is read', () => {
  const b = bench();
  b.startInterrupts(8);
  read(b, 0x0c);
  write(b, 0x0b, 0x12);
  b.runTo(1.1e9);
  expect(b.takeInterrupts()).toEqual([8]);
  b.runTo(2.1e9);
  expect(b.takeInterrupts()).toEqual([]);
  expect(read(b, 0x0c) & 0x90).toBe(0x90);
  expect(read(b, 0x0c)).toBe(0);
  b.runTo(3.1e9);
  expect(b.takeInterrupts()).toEqual([8]);
});

test('periodic interrupts at 1024 Hz', () => {
  const b = bench();
  b.startInterrupts(8);
  read(b, 0x0c);
  write(b, 0x0b, 0x42);
  let count = 0;
  b.runTo(1e9, () => {
    count += b.takeInterrupts().filter((irq) => irq === 8).length;
    read(b, 0x0c);
  });
  expect(count).toBe(1024);
});

test('an alarm with wildcards; a late host does not miss it', () => {
  const b = bench();
  b.startInterrupts(8);
  write(b, 1, 0x05);
  write(b, 3, 0xff);
  write(b, 5, 0xff);
  write(b, 0x0b, 0x22);
  read(b, 0x0c);
  b.runTo(7.9e9);
  expect(b.takeInterrupts()).toEqual([]);
  b.clock.ns = 20e9;
  b.machine.advance(b.clock.ns);
  expect(b.takeInterrupts()).toEqual([8]);
  expect(read(b, 0x0c) & 0x20).toBe(0x20);
});

test('memory size bytes', () => {
  const b = bench();
  expect(read(b, 0x15) | (read(b, 0x16) << 8)).toBe(640);
  expect(read(b, 0x17) | (read(b, 0x18) << 8)).toBe(63 * 1024);
  expect(read(b, 0x34) | (read(b, 0x35) << 8)).toBe((48 * 1024) / 64);
});
