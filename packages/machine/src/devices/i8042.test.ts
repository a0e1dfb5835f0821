/** Proves the keyboard controller and keyboard: the driver's probe, key presses, A20 and reset. */
import { Bench } from '../testing';

const STATUS_FULL = 1;
function drain(b: Bench): number[] {
  const bytes: number[] = [];
  while (b.in(0x64) & STATUS_FULL && bytes.length < 600) bytes.push(b.in(0x60));
  return bytes;
}
const command = (b: Bench, ...bytes: number[]): number[] => {
  b.out(0x64, bytes[0]);
  for (const byte of bytes.slice(1)) b.out(0x60, byte);
  return drain(b);
};
const keyboard = (b: Bench, ...bytes: number[]): number[] => {
  for (const byte of bytes) b.out(0x60, byte);
  return drain(b);
};

test('self tests and command byte', () => {
  const b = new Bench();
  expect(command(b, 0xaa)).toEqual([0x55]);
  expect(command(b, 0xab)).toEqual([0]);
  command(b, 0x60, 0x47);
  expect(command(b, 0x20)).toEqual([0x47]);
});

test('there is no pointing device, and that shows at once', () => {
  const b = new Bench();
  expect(command(b, 0xd3, 0x5a)).not.toEqual([0x5a]);
  expect(command(b, 0xa9)).toEqual([1]);
  b.out(0x64, 0xd4);
  b.out(0x60, 0xff);
  expect(b.in(0x64) & 0x61).toBe(0x61);
  drain(b);
});

test('the keyboard answers reset, identify, LEDs, typematic and scan code set', () => {
  const b = new Bench();
  command(b, 0x60, 0x05); // no translation
  expect(keyboard(b, 0xff)).toEqual([0xfa, 0xaa]);
  expect(keyboard(b, 0xf2)).toEqual([0xfa, 0xab, 0x83]);
  expect(keyboard(b, 0xed, 0x02)).toEqual([0xfa, 0xfa]);
  expect(keyboard(b, 0xf3, 0x00)).toEqual([0xfa, 0xfa]);
  expect(keyboard(b, 0xf0, 0x00)).toEqual([0xfa, 0xfa, 2]);
  expect(keyboard(b, 0xee)).toEqual([0xee]);
  expect(keyboard(b, 0x00)).toEqual([0xfe]);
});

test('key presses reach a translating guest as set 1, each byte with its interrupt', () => {
  const b = new Bench();
  b.startInterrupts(1);
  const pressed = [0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8, 0x57, 0x41, 0xc1];
  expect(b.machine.injectScancodes(pressed)).toBe(true);
  const got: number[] = [];
  while (b.takeInterrupts().includes(1)) got.push(b.in(0x60));
  expect(got).toEqual(pressed);
});

test('and as set 2 without translation', () => {
  const b = new Bench();
  command(b, 0x60, 0x05);
  b.machine.injectScancodes([0x1e, 0x9e]);
  expect(drain(b)).toEqual([0x1c, 0xf0, 0x1c]);
});

test('a disabled interface holds keys back; a flood is refused, answers still come', () => {
  const b = new Bench();
  b.out(0x64, 0xad);
  while (b.machine.injectScancodes([0x1e])) {}
  expect(drain(b)).toEqual([]);
  b.out(0x60, 0xf4); // clears the buffer and answers
  expect(drain(b)).toEqual([0xfa]);
});

test('A20 through the output port and port 92; the latch is one', () => {
  const b = new Bench();
  b.out(0x64, 0xd1);
  b.out(0x60, 0xdd);
  expect(b.in(0x92) & 2).toBe(0);
  b.out(0x92, 2);
  expect(command(b, 0xd0)[0] & 2).toBe(2);
  expect(b.events).toEqual(['a20 false', 'a20 true']);
});

test('the reset pulse, port 92 and CF9 ask for a reset', () => {
  const b = new Bench();
  b.out(0x64, 0xfe);
  b.out(0x92, 1);
  b.out(0xcf9, 0x02);
  b.out(0xcf9, 0x06);
  expect(b.events.filter((event) => event.startsWith('reset'))).toEqual([
    'reset keyboard-controller', 'reset port-92', 'reset reset-control',
  ]);
});
