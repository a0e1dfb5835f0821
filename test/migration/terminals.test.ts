/**
 * Proves that two terminals move a VM without a controller: `run --control`, `run --incoming`,
 * `migrate`, as a person would type them; that what is wrong is refused in one line; and that
 * a host with less of a CPU is refused with the features named.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { cli, images } from '../boot/guest';

jest.setTimeout(400_000);
const run = promisify(execFile);
const folder = mkdtempSync(path.join(tmpdir(), 'godwit-two-'));
const at = (name: string): string => path.join(folder, name);
const terminals: Terminal[] = [];

class Terminal {
  out = '';
  err = '';
  readonly ended: Promise<number | null>;
  private readonly child: ChildProcess;
  constructor(args: string[]) {
    this.child = spawn(process.execPath, [cli, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout!.on('data', (data: Buffer) => (this.out += data.toString('latin1')));
    this.child.stderr!.on('data', (data: Buffer) => (this.err += data.toString()));
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
    terminals.push(this);
  }
  type(text: string): void {
    this.child.stdin!.write(text);
  }
  async shows(text: string | RegExp, where: 'out' | 'err' = 'out'): Promise<void> {
    for (let waited = 0; typeof text === 'string' ? !this[where].includes(text) : !text.test(this[where]); waited += 50) {
      if (waited > 180_000) throw new Error(`'${text}' was not shown: ${this.out.slice(-1000)}\n${this.err}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  end(): void {
    this.child.kill('SIGKILL');
  }
}

/** Exit code and what was said. */
async function godwit(...args: string[]): Promise<{ code: number; stderr: string; stdout: string }> {
  return run(process.execPath, [cli, ...args]).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

/** A shell that counts on the serial port and answers what is typed. */
const COUNTS = 'echo ready; n=0; while :; do if read -t 1 line; then echo "you said $line"; fi; n=$((n+1)); echo count $n; done';
let machine: string[];

beforeAll(async () => {
  const { kernel686, initrd } = await images();
  const { runParameter } = await import('@godwit/images');
  machine = ['--kernel', kernel686, '--initrd', initrd, '--append', `console=ttyS0 quiet ${runParameter(COUNTS)}`, '--memory', '96M', '--vm', `${at('store')}/shop`];
  await run('mkdir', ['-p', at('store')]);
  expect((await godwit('datastore', 'init', at('store'))).code).toBe(0);
});

afterEach(() => {
  // What a failed test left would stand in the way of the next.
  for (const terminal of terminals.splice(0)) terminal.end();
});

afterAll(() => {
  for (const terminal of terminals) terminal.end();
  rmSync(folder, { recursive: true, force: true });
});

test('a VM moves from one terminal to the other, counts on, and answers there', async () => {
  const source = new Terminal(['run', ...machine, '--control', at('one')]);
  await source.shows('count 2');
  const target = new Terminal(['run', ...machine, '--incoming', at('ticket'), '--control', at('two')]);
  await target.shows('waiting for the VM', 'err');
  expect(statSync(at('ticket')).mode & 0o777).toBe(0o600);
  expect(statSync(at('one')).mode & 0o777).toBe(0o600);
  const moved = await godwit('migrate', '--control', at('one'), '--ticket', at('ticket'), '--json');
  expect(moved.stderr).toMatch(/round 0: \d+ pages.*\n(.*\n)*.*the VM runs on the target; it stood still for [\d.]+ ms/);
  expect(JSON.parse(moved.stdout)).toMatchObject({ outcome: 'completed', vmIs: 'target' });
  expect([moved.code, await source.ended]).toEqual([0, 0]);
  expect(source.err).toMatch(/the VM runs on .* now/);
  // A `read -t` whose second ends in the midst of a line loses it: then it is typed again.
  const typing = setInterval(() => target.type('hello\n'), 3_000);
  target.type('hello\n');
  await target.shows('you said hello').finally(() => clearInterval(typing));
  await target.shows(/count \d+\r?\n(?:.*\n)*count \d+\r?\n/);
  const before = [...source.out.matchAll(/count (\d+)\r?\n/g)].map(([, n]) => Number(n));
  const after = [...target.out.matchAll(/count (\d+)\r?\n/g)].map(([, n]) => Number(n));
  // Lines may be cut where the VM moved, never repeated or counted anew.
  expect(after[0]).toBeGreaterThan(before.at(-1)!);
  expect(after[0] - before.at(-1)!).toBeLessThanOrEqual(2);
  expect(after.slice(1)).toEqual(after.slice(0, -1).map((n) => n + 1));
  target.end();
});

test('what is wrong is said in one line, and the VM runs on', async () => {
  const source = new Terminal(['run', ...machine, '--control', at('three')]);
  await source.shows('count 1');
  const refused = async (why: RegExp, code: number, ...args: string[]): Promise<void> => {
    const { stderr, code: ended } = await godwit(...args);
    expect(stderr).toMatch(why);
    expect([stderr.trim().split('\n').length, ended]).toEqual([1, code]);
  };
  const move = (ticket: string): string[] => ['migrate', '--control', at('three'), '--ticket', ticket];
  await refused(/needs --control SOCKET and --ticket FILE/, 2, 'migrate', '--control', at('three'));
  await refused(/cannot read the ticket .*run --incoming/, 3, ...move(at('nothing')));
  writeFileSync(at('garbage'), 'x');
  await refused(/is no ticket/, 4, ...move(at('garbage')));
  const ticket = (fields: object): string => {
    writeFileSync(at('made'), JSON.stringify({ address: '127.0.0.1:1', token: 'x'.repeat(43), vm: 'x', ...fields }));
    return at('made');
  };
  await refused(/nobody listens at 127\.0\.0\.1:1.* The VM runs on .*, as before/, 5, ...move(ticket({})));
  await refused(/there is no socket .*nobody/, 5, 'migrate', '--control', at('nobody'), '--ticket', ticket({}));
  await refused(/--policy is a list of/, 2, ...move(ticket({})), '--policy', 'pray');
  await refused(/--max-pause is a time like/, 2, ...move(ticket({})), '--max-pause', 'short');
  await refused(/is in use on/, 4, 'run', ...machine);
  await refused(/without TLS only the loopback address can be served, not 0\.0\.0\.0/, 4, 'run', ...machine, '--incoming', at('t'), '--listen', '0.0.0.0:0');
  await refused(/another process serves at/, 4, 'run', ...machine, '--incoming', at('t'), '--control', at('three'));
  const target = new Terminal(['run', ...machine, '--incoming', at('right')]);
  await target.shows('waiting for the VM', 'err');
  const { address } = JSON.parse(readFileSync(at('right'), 'utf8')) as { address: string };
  await refused(/the token is not the one/, 6, ...move(ticket({ address })));
  const before = source.out.length;
  await source.shows('count', 'out');
  for (let waited = 0; source.out.length <= before && waited < 20_000; waited += 100) await new Promise((resolve) => setTimeout(resolve, 100));
  expect(source.out.length).toBeGreaterThan(before);
  source.end();
  target.end();
});

test('other devices on the target are refused by name', async () => {
  const source = new Terminal(['run', ...machine.slice(0, -1), `${at('store')}/other`, '--control', at('four')]);
  await source.shows('count 1');
  const target = new Terminal(['run', ...machine.slice(0, -1), `${at('store')}/other`, '--net', 'user', '--incoming', at('fit')]);
  await target.shows('waiting for the VM', 'err');
  const { code, stderr } = await godwit('migrate', '--control', at('four'), '--ticket', at('fit'));
  expect([code, stderr]).toEqual([7, expect.stringMatching(/here it would get: virtio.*the VM runs here, as before/)]);
  expect(await target.ended).toBe(1);
  expect(existsSync(at('store'))).toBe(true);
  source.end();
});
