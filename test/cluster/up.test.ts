/**
 * Proves `npm run up` without its build, as a new user would use it: a cluster and a guest that answers; the command
 * line finds it; `godwit migrate` moves the guest while a client asks it all the time; it ends without a trace, also
 * after it was killed; and what stands in its way is said in one line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { cli, freePorts, isAlive } from '../support/cluster.mjs';
import { Poller } from './poller';

const home = mkdtempSync(path.join(os.tmpdir(), 'gwu-'));
let ports: number[];
const children = new Set<ChildProcess>();

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  out: string;
  err: string;
}

function godwit(args: readonly string[]): Run {
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, GODWIT_CONFIG: path.join(home, 'config.yaml') },
  });
  children.add(child);
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      children.delete(child);
      resolve(code);
    });
  });
  const run: Run = { child, ended, out: '', err: '' };
  child.stdout.on('data', (data: Buffer) => (run.out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (run.err += data.toString()));
  return run;
}
const up = (...args: string[]): Run =>
  godwit([
    'up',
    '--home',
    home,
    '--memory',
    '64M',
    '--port',
    String(ports[0]),
    '--http-port',
    String(ports[1]),
    '--guest-port',
    String(ports[2]),
    ...args,
  ]);

async function said(run: Run, text: string): Promise<void> {
  let over = false;
  void run.ended.then(() => (over = true));
  while (!run.out.includes(text)) {
    if (over) throw new Error(`it ended before it said ${text}: ${run.err}${logs()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const logs = (): string =>
  existsSync(path.join(home, 'logs'))
    ? readdirSync(path.join(home, 'logs'))
        .map((name) => readFileSync(path.join(home, 'logs', name), 'utf8').slice(-1_500))
        .join('\n')
    : '';

/** Where it keeps its sockets, and everything that it runs. */
function traces(): { folder: string; pids: number[] } {
  const { folder, started } = JSON.parse(readFileSync(path.join(home, 'processes.json'), 'utf8')) as {
    folder: string;
    started: { pid: number }[];
  };
  const vmms = readdirSync(folder)
    .map((host) => path.join(folder, host, 'vms'))
    .filter((vms) => existsSync(vms))
    .flatMap((vms) => readdirSync(vms).map((vmm) => (JSON.parse(readFileSync(path.join(vms, vmm, 'pid'), 'utf8')) as { pid: number }).pid));
  return { folder, pids: [...started.map(({ pid }) => pid), ...vmms] };
}

function expectGone({ folder, pids }: { folder: string; pids: number[] }): void {
  expect(pids.length).toBeGreaterThan(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
  expect(existsSync(path.join(home, 'config.yaml'))).toBe(false);
  expect(existsSync(path.join(home, 'datastore'))).toBe(false);
}

beforeAll(async () => {
  ports = await freePorts(3);
});
afterAll(async () => {
  for (const child of children) child.kill('SIGTERM');
  await new Promise((resolve) => setTimeout(resolve, 50));
  rmSync(home, { recursive: true, force: true });
});

test('a cluster comes up, its guest answers, and moves by one command while it does', async () => {
  const run = up();
  await said(run, 'Ctrl-C ends everything');
  const url = `http://127.0.0.1:${ports[2]}/`;
  expect(run.out).toContain(`curl ${url}`);
  expect(run.out).toMatch(/user admin, password \S{20}/);
  expect(await (await fetch(url)).text()).toMatch(/^web1 is a Debian kernel/);

  const listed = godwit(['vm', 'ls']);
  expect(await listed.ended).toBe(0);
  expect(listed.out).toMatch(/web1\s+running\s+host-\d/i);

  const poller = new Poller(url);
  const moved = godwit(['migrate', 'web1', '--longest-pause', '10s', '--policy', 'throttle,extend,force']);
  expect([await moved.ended, moved.err]).toMatchObject([0, expect.anything()]);
  expect((await poller.end()).failures).toEqual([]);
  expect(poller.count).toBeGreaterThan(3);
  const after = godwit(['vm', 'ls']);
  expect(await after.ended).toBe(0);
  expect(/web1.*host-(\d)/.exec(after.out)?.[1]).not.toBe(/web1.*host-(\d)/.exec(listed.out)?.[1]);
  expect(run.err).toMatch(/web1: moved from host-\d to host-\d/);

  const second = up();
  expect(await second.ended).toBe(4);
  expect(second.err).toMatch(/npm run up runs in this checkout already \(process \d+\)/);

  // Killed, it leaves everything running; the next run ends that first, and says what stands in its own way.
  const left = traces();
  run.child.kill('SIGKILL');
  await run.ended;
  expect(left.pids.every(isAlive)).toBe(true);
  const [taken] = await freePorts(1);
  const other = net.createServer().listen(taken, '127.0.0.1');
  const third = up('--port', String(taken));
  expect(await third.ended).toBe(4);
  expect(third.err).toMatch(
    new RegExp(`port ${taken} of 127.0.0.1, for the controller, is taken by another program: choose another with --port PORT`),
  );
  expectGone(left);
  other.close();
});

test('a Ctrl-C ends it without a trace', async () => {
  const run = up('--vms', '0', '--hosts', '3');
  await said(run, 'Ctrl-C ends everything');
  const left = traces();
  expect(left.pids).toHaveLength(4);
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
  expectGone(left);
});

test.each([
  [['--hosts', '0'], /--hosts is a number from 1 to 16, not '0'/],
  [['--memory', '12'], /--memory is 64M to 3G, not '12'/],
  [['--host', '3'], /Unknown option '--host'.*it knows --hosts/],
])('%j is refused with a line that says why', async (args, line) => {
  const run = up(...args);
  expect(await run.ended).toBe(2);
  expect(run.err).toMatch(line);
});
