/** Proves the serial port: what Linux's 8250 driver probes and relies on, and that no character is lost. */
import { Bench } from '../testing';
import { UART_INPUT_QUEUE_BYTES } from '../limits';

const COM1 = 0x3f8;
const [DATA, IER, IIR, LCR, MCR, LSR, MSR] = [0, 1, 2, 3, 4, 5, 6].map((register) => COM1 + register);

function opened(fifo = 0x81): Bench {
  const b = new Bench();
  b.startInterrupts(4);
  b.out(IIR, fifo);
  b.out(LCR, 3);
  b.out(MCR, 0x0b);
  return b;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('the driver finds a 16550A: interrupt enables, loopback, FIFO, scratch', () => {
  const b = new Bench();
  b.out(IER, 0xff);
  expect(b.in(IER)).toBe(0x0f);
  b.out(IER, 0);
  b.out(MCR, 0x1a);
  expect(b.in(MSR) & 0xf0).toBe(0x90);
  b.out(MCR, 0x08);
  expect(b.in(MSR) & 0xf0).toBe(0xb0);
  b.out(IIR, 0x01);
  expect(b.in(IIR) >> 6).toBe(3);
  b.out(COM1 + 7, 0x5a);
  expect(b.in(COM1 + 7)).toBe(0x5a);
  expect(b.in(LSR)).toBe(0x60);
});

test('enabling the transmitter interrupt raises it; identifying clears it; a written byte raises it anew', () => {
  const b = opened();
  b.out(IER, 2);
  expect(b.takeInterrupts()).toEqual([4]);
  expect(b.in(IIR)).toBe(0xc2);
  expect(b.in(IIR)).toBe(0xc1);
  b.out(DATA, 0x41);
  expect(b.takeInterrupts()).toEqual([4]);
  expect(b.in(IIR)).toBe(0xc2);
  b.out(IER, 0);
  b.out(IER, 2); // the driver's test for a buggy transmitter interrupt
  expect(b.in(IIR)).toBe(0xc2);
  expect(b.serial).toEqual([0x41]);
});

test('without OUT2 no interrupt gets out', () => {
  const b = opened();
  b.out(MCR, 3);
  b.out(IER, 2);
  expect(b.machine.irqPending()).toBe(false);
});

test('a driver that reads while data is ready gets every byte, in order', () => {
  const b = opened(0xc1);
  b.out(IER, 1);
  const sent = Uint8Array.from({ length: 3000 }, (_, index) => index % 251);
  expect(b.machine.serialInput(sent)).toBe(3000);
  const got: number[] = [];
  for (let round = 0; round < 5000 && got.length < 3000; round++) {
    b.runTo(b.clock.ns + 1e6);
    if (b.takeInterrupts().length === 0) continue;
    for (let byte = 0; byte < 64 && b.in(LSR) & 1; byte++) got.push(b.in(DATA));
    // Linux looks again until no interrupt is pending.
    while (!(b.in(IIR) & 1)) got.push(b.in(DATA));
  }
  expect(got).toEqual([...sent]);
});

test('a driver that takes one byte per interrupt, without FIFO, gets every byte', () => {
  const b = opened(0);
  b.out(IER, 1);
  b.machine.serialInput(text('hello, world'));
  let got = '';
  for (let round = 0; round < 40 && b.takeInterrupts().includes(4); round++) got += String.fromCharCode(b.in(DATA));
  expect(got).toBe('hello, world');
});

test('fewer bytes than the trigger level: the time-out interrupt comes after four characters', () => {
  const b = opened(0x81); // trigger 8
  b.out(LCR, 0x83);
  b.out(DATA, 1); // 115200 baud
  b.out(IER, 0);
  b.out(LCR, 3);
  b.out(IER, 1);
  b.machine.serialInput(text('ok'));
  expect(b.machine.irqPending()).toBe(false);
  b.runTo(340_000);
  expect(b.machine.irqPending()).toBe(false);
  b.runTo(350_000);
  expect(b.in(IIR)).toBe(0xcc);
  expect([b.in(DATA), b.in(DATA)]).toEqual([0x6f, 0x6b]);
  expect(b.in(IIR)).toBe(0xc1);
});

test('a full queue pushes back', () => {
  const b = opened();
  const flood = new Uint8Array(UART_INPUT_QUEUE_BYTES * 2);
  expect(b.machine.serialInput(flood)).toBe(UART_INPUT_QUEUE_BYTES);
  const rest = b.machine.serialInput(flood);
  expect(rest).toBe(16); // what had moved into the FIFO
  expect(b.machine.serialInput(flood)).toBe(0);
  b.in(DATA);
  expect(b.machine.serialInput(flood)).toBe(1);
});

test('loopback returns what was sent, keeps the peer out and overruns', () => {
  const b = opened(0);
  b.out(MCR, 0x10);
  b.out(DATA, 0x31);
  expect(b.in(LSR)).toBe(0x61);
  b.out(DATA, 0x32);
  expect(b.in(LSR)).toBe(0x63);
  expect(b.in(DATA)).toBe(0x32);
  b.machine.serialInput(text('x'));
  expect(b.in(LSR)).toBe(0x60);
  b.out(MCR, 0);
  expect(b.in(DATA)).toBe(0x78);
  expect(b.serial).toEqual([]);
});
