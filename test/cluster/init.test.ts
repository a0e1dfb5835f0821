/**
 * Proves the first minutes of a cluster by hand, each step a command as documented: `cluster init` makes it and shows a
 * password once, `controller` runs it, the context finds it, further operators get certificates; what is wrong is told.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cli, freePorts } from '../support/cluster.mjs';

const home = mkdtempSync(path.join(os.tmpdir(), 'gwi-'));
const folder = path.join(home, 'controller');
const env = { ...process.env, GODWIT_CONFIG: path.join(home, 'config.yaml') };
let advertise: string;
let controller: ChildProcess | undefined;

const godwit = (...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [cli, ...args], { env, cwd: home, timeout: 60_000 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });

beforeAll(async () => {
  const [port] = await freePorts(1);
  advertise = `127.0.0.1:${port}`;
});
afterAll(async () => {
  if (controller && controller.exitCode === null) {
    const ended = new Promise((resolve) => controller!.once('exit', resolve));
    controller.kill('SIGKILL');
    await ended;
  }
  rmSync(home, { recursive: true, force: true });
});

test('a cluster is made in one folder, open to its owner alone, and its password is shown once', async () => {
  const made = await godwit('cluster', 'init', '--advertise', advertise, '--folder', folder, '--name', 'first');
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^\S{20}\n$/) });
  const file = path.join(folder, 'controller.json');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain(made.out.trim());
  expect(await godwit('cluster', 'init', '--advertise', advertise, '--folder', folder)).toMatchObject({
    code: 4,
    err: expect.stringMatching(/there is a cluster in .* already: choose another --folder/),
  });
});

test.each([
  [[], /needs --advertise HOST:PORT/],
  [['--advertise', 'here'], /--advertise is to be HOST:PORT, not 'here'/],
  [['--advertise', '127.0.0.1:1', '--name', 'a b'], /clusterName: must be letters, digits/],
])('cluster init %j is refused', async (args, line) => {
  const { code, err } = await godwit('cluster', 'init', '--folder', path.join(home, 'other'), ...args);
  expect(code).not.toBe(0);
  expect(err).toMatch(line);
});

test('its controller runs, and the context finds it', async () => {
  controller = spawn(process.execPath, [cli, 'controller', path.join(folder, 'controller.json')], { stdio: 'ignore', env });
  let status = await godwit('cluster', 'status');
  for (let tries = 0; status.code !== 0 && tries < 60; tries++) {
    await sleep(500);
    status = await godwit('cluster', 'status');
  }
  expect(status).toMatchObject({ code: 0, out: expect.stringContaining('first') });
  const token = await godwit('host', 'add', 'alpha');
  expect(token).toMatchObject({ code: 0, out: expect.stringMatching(/godwit1\.\S+/) });
});

test('an operator with a certificate of his own may what his role may', async () => {
  expect(await godwit('cluster', 'certificate', 'vera', '--role', 'view', '--folder', folder)).toMatchObject({ code: 0 });
  expect(await godwit('cluster', 'certificate', 'vera', '--role', 'view', '--folder', folder)).toMatchObject({ code: 4 });
  expect(await godwit('context', 'add', 'vera', '--controller', advertise, '--certificates', path.join(home, 'vera'))).toMatchObject({
    code: 0,
  });
  expect(await godwit('--context', 'vera', 'host', 'ls')).toMatchObject({ code: 0 });
  expect(await godwit('--context', 'vera', 'host', 'add', 'beta')).toMatchObject({
    code: 6,
    err: expect.stringContaining('vera has the role view'),
  });
});

test('a second controller on the same store, a damaged and an open configuration are refused in one line', async () => {
  const file = path.join(folder, 'controller.json');
  expect(await godwit('controller', file)).toMatchObject({ code: 4, err: expect.stringMatching(/^godwit: .+\n$/) });
  const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  const other = path.join(folder, 'other.json');
  writeFileSync(other, JSON.stringify({ ...config, listen: ['nowhere'], advertise: 7 }), { mode: 0o600 });
  expect(await godwit('controller', other)).toMatchObject({
    code: 4,
    err: expect.stringMatching(/advertise: [\s\S]*listen\.0: must be HOST:PORT or unix:/),
  });
  chmodSync(other, 0o644);
  expect(await godwit('controller', other)).toMatchObject({ code: 4, err: expect.stringMatching(/it is open to everybody: chmod 600/) });
  chmodSync(other, 0o600);
  writeFileSync(other, '{', { mode: 0o600 });
  expect(await godwit('controller', other)).toMatchObject({ code: 4, err: expect.stringMatching(/cannot be read: .*JSON/) });
  expect(await godwit('controller', path.join(home, 'none.json'))).toMatchObject({
    code: 4,
    err: expect.stringMatching(/none\.json cannot be read/),
  });
});

test('SIGTERM ends it', async () => {
  const ended = new Promise((resolve) => controller!.once('exit', (code) => resolve(code)));
  controller!.kill('SIGTERM');
  expect(await ended).toBe(0);
});
