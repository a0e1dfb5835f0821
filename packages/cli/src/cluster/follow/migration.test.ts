/**
 * Proves: a migration's live view shows rounds, what remains, rates and the expected pause, in its place and within the
 * terminal; elsewhere each round is one line, once; at the end stand the pause by parts and where the VM runs; Ctrl-C
 * leaves the view and says how to go on; and each outcome has its exit code.
 */
import type { MigrationView } from '@godwit/wire';
import { CliError } from '../../errors';
import type { Session } from '../session/session';
import { testIo } from '../testing/io';
import { record, round, view } from '../testing/migrations';
import { screenOf } from '../testing/screen';
import { followMigration } from './migration';
import { codeOfMigration, endLines } from './migration-lines';
import { migrationScreen } from './migration-screen';

const pause = { stopMs: 1.2, pagesMs: 12, stateMs: 8.1, leaseMs: 9, startMs: 0.9 };
const states: readonly MigrationView[] = [
  view({ stage: 'preparing' }),
  view({ record: record({ remainingPages: 32_768, expectedPauseMs: 15 }) }),
  view({ record: record({ rounds: [round(0)], roundCount: 1, expectedRemainingMs: 120 }) }),
  view({ record: record({ rounds: [round(0), round(1, { pages: 300 })], roundCount: 2, expectedPauseMs: 90 }) }),
  view({ record: record({ phase: 'final', rounds: [round(0), round(1, { pages: 300 })], roundCount: 2 }) }),
  view({
    stage: 'ended',
    outcome: 'completed',
    vmIs: 'target',
    endedAtMs: 2_000,
    record: record({ phase: 'ended', rounds: [round(0), round(1)], roundCount: 2, pauseMs: 31.2, pause }),
  }),
];

/** A session that only knows how that migration goes. */
const sessionOf = (given: readonly MigrationView[], after?: () => Promise<never>): Session =>
  ({
    follow: async function* () {
      yield* given;
      await after?.();
    },
  }) as unknown as Session;

test('elsewhere than on a terminal: a line a round, then the end', async () => {
  const io = testIo();
  const { code } = await followMigration(io, sessionOf(states), 'm1', undefined);
  expect(code).toBe(0);
  expect(io.stdout).toBe('');
  const lines = io.stderr.trimEnd().split('\n');
  expect(lines).toHaveLength(5);
  expect(lines[0]).toBe('godwit: moving web1 from alpha to beta (migration 70b97ba9-4275-4ae0-bd24-c83ad0e6caba)');
  expect(lines[1]).toBe(
    'godwit: round 0: 32768 pages, 31 MiB in 330 ms; 1.2 MiB left; guest writes 3.8 MB/s, sent 109 MB/s; pause would be 26.9 ms',
  );
  expect(lines[3]).toBe(
    'godwit: web1 runs on beta now; it stood still for 31.2 ms (stop 1.2, pages 12.0, state 8.1, lease 9.0, start 0.9 ms)',
  );
  expect(io.stderr).not.toContain('\x1b');
});

test('on a terminal: rounds stay, what is true now is drawn in its place, and nothing is left of it', async () => {
  const io = testIo({ errIsTerminal: true, env: { NO_COLOR: '1' } });
  await followMigration(io, sessionOf(states), 'm1', undefined);
  const screen = screenOf(io.stderr).filter(Boolean);
  expect(screen[0]).toMatch(/^round +pages +sent/);
  expect(screen.slice(1, 3).map((line) => line.trim().split(/\s+/)[0])).toEqual(['0', '1']);
  expect(screen.slice(3)).toEqual(
    [expect.stringMatching(/^godwit: web1 runs on beta now/), expect.anything(), expect.anything()].slice(0, screen.length - 3),
  );
  expect(screen.join('\n')).not.toMatch(/Ctrl-C|now:/);
});

test('what the view says at each state', () => {
  const text = states.map((state) => migrationScreen(state, 1_500, (_, words) => words).join('\n'));
  expect(text[0]).toBe('web1: alpha → beta   the target starts its process   500 ms');
  expect(text[1]).toMatch(/now: 128 MiB remain; guest writes 3.0 MB\/s against 100 MB\/s sent\n +expected pause 15.0 ms of 50.0 ms$/);
  expect(text[2]).toMatch(/expected pause 20.0 ms of 50.0 ms; switches in about 120 ms$/);
  expect(text[3]).toMatch(/expected pause 90.0 ms of 50.0 ms; does not converge at these rates$/);
  expect(text[4]).toMatch(/sending what was written last/);
  expect(text.join()).not.toContain('%');
});

test('many rounds: the last ones are shown, and lines fit the terminal', () => {
  const rounds = Array.from({ length: 40 }, (_, at) => round(at));
  const lines = migrationScreen(view({ record: record({ rounds, roundCount: 40 }) }), 0, (_, words) => words);
  expect(lines.length).toBeLessThan(14);
  expect(lines.join('\n')).toMatch(/\n +39 /);
  expect(Math.max(...lines.slice(1).map((line) => line.length))).toBeLessThan(120);
});

test('on a terminal of few lines what is true now still stands there', () => {
  const rounds = Array.from({ length: 40 }, (_, at) => round(at));
  const lines = migrationScreen(view({ record: record({ rounds, roundCount: 40 }) }), 0, (_, words) => words, 6);
  expect(lines).toHaveLength(6);
  expect(lines.join('\n')).toMatch(/ 39 [\s\S]*now: [\s\S]*expected pause/);
});

test('Ctrl-C leaves the view, says where the VM runs and how to go on; so does --timeout', async () => {
  for (const timeoutMs of [undefined, 1]) {
    const io = testIo();
    const never = (): Promise<never> =>
      new Promise((_, reject) => {
        setTimeout(() => {
          if (timeoutMs === undefined) io.interrupt();
          reject(new Error('aborted'));
        }, 50);
      });
    const { code } = await followMigration(io, sessionOf(states.slice(0, 3), never), '70b97ba9', timeoutMs);
    expect(code).toBe(8);
    expect(io.stderr).toMatch(
      /goes on; web1 runs on alpha\. To watch it: godwit migration watch 70b97ba9; to cancel it: godwit migration cancel 70b97ba9/,
    );
  }
});

test('a controller that is lost and does not come back leaves the outcome open, and where the VM was is said as such', async () => {
  const io = testIo();
  const gone = async (): Promise<never> => {
    throw new CliError(5, 'nobody listens at ctl-1:7443');
  };
  const { code } = await followMigration(io, sessionOf(states.slice(0, 3), gone), 'm1', undefined);
  expect(code).toBe(8);
  expect(io.stderr).toMatch(
    /nobody listens at ctl-1:7443; the migration goes on; when it was last heard of, web1 runs on alpha\. To watch it: godwit migration watch m1/,
  );
});

test.each([
  ['completed', 'target', 0],
  ['failed', 'source', 7],
  ['cancelled', 'source', 7],
  ['unknown', 'unknown', 8],
  ['lost', 'elsewhere', 8],
  ['failed', 'nowhere', 1],
])('%s, the VM is on %s: %i, and the message says where it runs', (outcome, vmIs, code) => {
  const ended = view({ stage: 'ended', outcome, vmIs, line: outcome === 'completed' ? '' : 'why' });
  expect(codeOfMigration(ended)).toBe(code);
  expect(endLines(ended).join()).toMatch(
    vmIs === 'target'
      ? /runs on beta/
      : vmIs === 'source'
        ? /web1 runs on alpha/
        : vmIs === 'nowhere'
          ? /does not run/
          : /godwit vm show web1/,
  );
});
