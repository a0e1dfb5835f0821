/** Proves: an operation's end is told once with its reason, each end has its exit code, a batch names what did not succeed, and what is not waited for goes on, with the command that comes back to it. */
import type { Operation } from '@godwit/wire';
import { CliError } from '../../errors';
import type { Session } from '../session/session';
import { testIo } from '../testing/io';
import { screenOf } from '../testing/screen';
import { follow } from './wait';

const operation = (more: Partial<Operation> = {}): Operation => ({
  operationId: 'o1',
  kind: 'start-vm',
  state: 'OPERATION_STATE_RUNNING',
  vmId: 'v1',
  vmName: 'web1',
  hostId: '',
  hostName: '',
  migrationId: '',
  line: '',
  errorCode: '',
  items: [],
  createdAtMs: 0,
  endedAtMs: 0,
  deadlineAtMs: 0,
  actor: 'root',
  progress: 0,
  cancelWanted: false,
  ...more,
});
const item = (vmName: string, state: Operation['state'], line = ''): Operation['items'][number] => ({
  vmId: '',
  vmName,
  state,
  line,
  errorCode: '',
  migrationId: '',
  toHostName: 'beta',
});
const sessionOf = (given: readonly Operation[]): Session =>
  ({
    follow: async function* () {
      yield* given;
    },
  }) as unknown as Session;

test.each([
  ['OPERATION_STATE_SUCCEEDED', '', 0, 'godwit: web1 runs on beta\n'],
  ['OPERATION_STATE_FAILED', 'blocked', 4, 'godwit: start-vm web1 failed: web1 runs on beta\n'],
  ['OPERATION_STATE_FAILED', 'host-unreachable', 5, /failed/],
  ['OPERATION_STATE_FAILED', 'image', 3, /failed/],
  ['OPERATION_STATE_FAILED', 'no-such-word', 1, /failed/],
  ['OPERATION_STATE_CANCELLED', 'cancelled', 1, /was cancelled/],
  ['OPERATION_STATE_PARTIAL', '', 1, /was done in part/],
  ['OPERATION_STATE_UNKNOWN', '', 8, /what became of it is not known/],
] as const)('%s %s is %i', async (state, errorCode, code, text) => {
  const io = testIo();
  const seen = await follow(io, sessionOf([operation({ state, errorCode, line: 'web1 runs on beta' })]), operation(), undefined);
  expect(seen.code).toBe(code);
  if (typeof text === 'string') expect(io.stderr).toBe(text);
  else expect(io.stderr).toMatch(text);
  expect(io.stdout).toBe('');
});

test('of a batch, what did not succeed is named', async () => {
  const items = [
    item('a', 'OPERATION_STATE_SUCCEEDED'),
    item('b', 'OPERATION_STATE_FAILED', 'no host can take b'),
    item('c', 'OPERATION_STATE_UNSPECIFIED', 'not begun'),
  ];
  const io = testIo();
  await follow(
    io,
    sessionOf([operation({ kind: 'drain-host', vmName: '', hostName: 'alpha', state: 'OPERATION_STATE_PARTIAL', line: '1 of 3', items })]),
    operation(),
    undefined,
  );
  expect(io.stderr).toMatch(
    /godwit: b: failed: no host can take b\ngodwit: c: was not begun: not begun\ngodwit: drain-host alpha was done in part: 1 of 3/,
  );
});

test('each new line is said once; on a terminal it is drawn in its place, and nothing of it stays', async () => {
  const states = ['waits', 'waits', 'starts'].map((line) => operation({ line }));
  const end = operation({ state: 'OPERATION_STATE_SUCCEEDED', line: 'web1 runs' });
  const plain = testIo();
  await follow(plain, sessionOf([...states, end]), operation(), undefined);
  expect(plain.stderr).toBe('godwit: start-vm web1: waits\ngodwit: start-vm web1: starts\ngodwit: web1 runs\n');
  const drawn = testIo({ errIsTerminal: true });
  await follow(drawn, sessionOf([...states, end]), operation(), undefined);
  expect(screenOf(drawn.stderr).filter(Boolean)).toEqual(['godwit: web1 runs']);
});

test('a controller that is lost and does not come back leaves the outcome open', async () => {
  const io = testIo();
  const session = {
    follow: async function* () {
      yield operation({ line: 'waits' });
      throw new CliError(5, 'nobody listens at ctl-1:7443');
    },
  } as unknown as Session;
  const { code } = await follow(io, session, operation(), undefined);
  expect(code).toBe(8);
  expect(io.stderr).toMatch(/nobody listens at ctl-1:7443; it goes on: godwit operation watch o1/);
});

test('Ctrl-C and --timeout leave it alone, and say how to come back', async () => {
  for (const timeoutMs of [undefined, 20]) {
    const io = testIo();
    const session = {
      follow: async function* (_begin: unknown, _isOver: unknown, signal: AbortSignal) {
        yield operation({ line: 'waits' });
        if (timeoutMs === undefined) setTimeout(() => io.interrupt(), 20);
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      },
    } as unknown as Session;
    const { code } = await follow(io, session, operation(), timeoutMs);
    expect(code).toBe(8);
    expect(io.stderr).toMatch(/goes on.*: godwit operation watch o1; to cancel it: godwit operation cancel o1/);
  }
});
