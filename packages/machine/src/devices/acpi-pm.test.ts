/** Proves ACPI fixed hardware: soft off, power button, timer and its interrupt. */
import { Bench } from '../testing';

const [STATUS, ENABLE, CONTROL, TIMER] = [0x600, 0x602, 0x604, 0x608];

test('SLP_EN with the S5 type powers off; other types do not', () => {
  const b = new Bench();
  expect(b.in(CONTROL, 2) & 1).toBe(1);
  b.out(CONTROL, 0x2401, 2);
  expect(b.events).toEqual([]);
  b.out(CONTROL, 0x2001, 2);
  expect(b.events).toEqual(['power-off']);
});

test('the power button interrupts on IRQ 9 until its status is cleared', () => {
  const b = new Bench();
  b.startInterrupts(9);
  b.machine.powerButton();
  expect(b.machine.irqPending()).toBe(false);
  b.out(ENABLE, 0x0100, 2);
  expect(b.machine.acknowledgeIrq()).toBe(0x39);
  expect(b.in(STATUS, 2) & 0x100).toBe(0x100);
  b.out(STATUS, 0x0100, 2);
  b.out(0xa0, 0x20);
  b.out(0x20, 0x20);
  expect(b.machine.irqPending()).toBe(false);
});

test('the timer runs at 3.579545 MHz in 24 bits, in any access width', () => {
  const b = new Bench();
  b.clock.ns = 1e9;
  expect(b.in(TIMER, 4)).toBe(3_579_545);
  expect(b.in(TIMER, 2) | (b.in(TIMER + 2) << 16)).toBe(3_579_545);
  b.clock.ns = 10e9;
  expect(b.in(TIMER, 4)).toBe(35_795_450 % 2 ** 24);
});

test('the timer interrupts each time its top bit changes', () => {
  const b = new Bench();
  b.startInterrupts(9);
  b.out(ENABLE, 1, 2);
  let count = 0;
  b.runTo(10e9, () => {
    if (!b.machine.irqPending()) return;
    b.out(STATUS, 1, 2);
    count++;
  });
  expect(count).toBe(Math.floor(35_795_450 / 2 ** 23));
});

test('registers take bytes too', () => {
  const b = new Bench();
  b.out(ENABLE + 1, 0x01);
  expect(b.in(ENABLE, 2)).toBe(0x100);
  b.machine.powerButton();
  b.out(STATUS, 0xff);
  expect(b.in(STATUS + 1)).toBe(1);
});
