/** Proves: a secret is not shown, a question is no unless it is answered with yes, and without a terminal nobody is asked. */
import { PassThrough } from 'node:stream';
import { testIo } from '../testing/io';
import { askSecret, confirm } from './prompt';

function typing(keys: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, raw: false, setRawMode: (on: boolean) => void (stdin.raw = on) });
  const io = Object.assign(testIo({ errIsTerminal: true }), { stdin });
  setImmediate(() => stdin.write(keys));
  return { io, stdin };
}

test('a secret', async () => {
  const { io, stdin } = typing('past\x7fsword\r');
  expect(await askSecret(io, 'password: ')).toBe('password');
  expect([io.stderr, io.stdout, stdin.raw]).toEqual(['password: \n', '', false]);
});

test.each([
  ['y\r', true],
  ['YES\r', true],
  ['\r', false],
  ['n\r', false],
  ['yy\x7f\r', true],
])('%j', async (keys, answer) => expect(await confirm(typing(keys).io, 'sure?')).toBe(answer));

test.each(['\x03', '\x04'])('%j interrupts', async (keys) => {
  const { io, stdin } = typing(keys);
  await expect(confirm(io, 'sure?')).rejects.toMatchObject({ code: 1 });
  expect(stdin.raw).toBe(false);
});

test('without a terminal', async () => {
  expect(await confirm(testIo(), 'sure?')).toBe(true);
  expect(await askSecret(testIo({ input: 'first line\nsecond' }), 'password: ')).toBe('first line');
  await expect(askSecret(testIo({ input: '' }), 'password: ')).rejects.toMatchObject({ code: 2 });
});
