/**
 * Proves, with real processes of one VM: a wrong, used or foreign token opens nothing; a second migration of a VM that
 * is on its way is refused; garbage on the ports of a migration disturbs nothing; a paused VM arrives paused; a guest
 * that is reset or powered off in the midst of precopy ends as it would have; a target that dies leaves the VM where it
 * was. After each, one copy runs, the message says where, and the VM can be moved or started again without an unlock.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { images } from '../boot/guest';
import { allowedFeatures, createVm, openStore, VmmProcess } from '../support/vmms.mjs';

jest.setTimeout(300_000);
const WAIT_MS = 120_000;
const COUNTS = 'echo ready; n=0; while :; do n=$((n+1)); echo count $n; read -t 1 line && poweroff -f; done';
/** Precopy takes some seconds. */
const SLOW = { bandwidthBytesPerSecond: 6e6 };
const folder = mkdtempSync(path.join(tmpdir(), 'godwit-trouble-'));
const processes: InstanceType<typeof VmmProcess>[] = [];
let hosts = 0;
let current: InstanceType<typeof VmmProcess>;

const begin = (mode: 'start' | 'incoming') => {
  const process = new VmmProcess({ folder, store: path.join(folder, 'store'), vm: 'shop', host: `host${hosts++}`, mode });
  processes.push(process);
  return process;
};
async function boot(): Promise<void> {
  current = begin('start');
  await current.untilRunning();
}
async function target() {
  const process = begin('incoming');
  await process.untilWaiting();
  return process;
}

/** What the guest prints from now on, until `wanted`. */
async function shows(process: InstanceType<typeof VmmProcess>, wanted: RegExp): Promise<RegExpExecArray> {
  let text = '';
  const console = process.console((more: string) => (text += more));
  try {
    for (const limit = Date.now() + WAIT_MS; ; await sleep(20)) {
      const found = wanted.exec(text);
      if (found) return found;
      if (Date.now() > limit) throw new Error(`${String(wanted)} was not shown: ${text.slice(-500)}`);
    }
  } finally {
    console.stop();
  }
}
/** Counts that come one after another: it runs here. */
async function runs(process: InstanceType<typeof VmmProcess>): Promise<void> {
  await shows(process, /count (\d+).*count \d+.*count \d+/s);
}

async function lastCount(): Promise<number> {
  const all = (await shows(current, /.*count \d+\r?\n/s))[0];
  return Number(/.*count (\d+)/s.exec(all)?.[1]);
}

/** A migration under way: its records as they come, and its end. */
function moving(to: InstanceType<typeof VmmProcess>, settings: object = {}) {
  const migrationId = randomUUID();
  let last: { phase?: string } = {};
  const over = current.migrateTo(to, { settings, migrationId, onRecord: (record: object) => (last = record) });
  over.catch(() => {});
  const until = async (phase: RegExp): Promise<void> => {
    for (const limit = Date.now() + WAIT_MS; !phase.test(String(last.phase)); await sleep(5)) if (Date.now() > limit) throw new Error(`never ${String(phase)}: ${JSON.stringify(last)}`);
  };
  return { migrationId, over, until };
}
const PRECOPY = /PRECOPY|precopy/;

async function arrived(to: InstanceType<typeof VmmProcess>, over: Promise<{ outcome: string }>): Promise<void> {
  const record = await over;
  if (!/completed/i.test(record.outcome)) throw new Error(JSON.stringify(record));
  expect((await current.exited).code).toBe(0);
  current = to;
}

beforeAll(async () => {
  const { kernel686, initrd } = await images();
  const { runParameter } = await import('@godwit/images');
  mkdirSync(path.join(folder, 'store'));
  const store = await openStore(path.join(folder, 'store'));
  await createVm(store, { name: 'shop', kernel: kernel686, initrd, append: `console=ttyS0 quiet ${runParameter(COUNTS)}`, disk: undefined, memoryMiB: 96, network: undefined, features: allowedFeatures() });
  await store.close();
  await boot();
  await shows(current, /count 3/);
});
afterAll(async () => {
  for (const process of processes) await process.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('a token that is wrong, of another migration, or used opens nothing; the right one still does', async () => {
  const to = await target();
  const { vm } = await current.status();
  const migrationId = randomUUID();
  const { address, token } = await to.client.expect({ migrationId, vmId: vm.vmId });
  const attempt = async (what: { migrationId: string; token: string }): Promise<string> => {
    let line = '';
    try {
      for await (const record of current.client.migrate({ ...what, targetAddress: address, targetHost: 'there' })) line = `${record.outcome} ${record.line}`;
    } catch (error) {
      line = (error as Error).message;
    }
    return line;
  };
  expect(await attempt({ migrationId, token: randomBytes(32).toString('base64url') })).toMatch(/token/);
  expect(await attempt({ migrationId: randomUUID(), token })).toMatch(/is expected here, not/);
  await runs(current);
  expect(await attempt({ migrationId, token })).toMatch(/completed/i);
  expect((await current.exited).code).toBe(0);
  current = to;
  await runs(current);
  // Its token is spent, and it waits for nothing any more.
  const third = begin('start');
  expect((await third.exited).code).not.toBe(0);
  expect(third.log).toMatch(new RegExp((to as unknown as { host: string }).host));
});

test('a VM that is on its way is not moved a second time; garbage on the ports disturbs nothing', async () => {
  const [to, other] = [await target(), await target()];
  const { migrationId, over, until } = moving(to, SLOW);
  await until(PRECOPY);
  await expect(current.migrateTo(other)).rejects.toThrow(/already|on its way|under way/);
  const ports = [(await to.status()).migrationAddress, (await current.status()).migrationAddress].filter((address: string) => address !== '');
  expect(ports.length).toBeGreaterThan(0);
  for (const address of ports) await garbage(address);
  await current.client.changeMigration({ migrationId, settings: { bandwidthBytesPerSecond: 0 } });
  await arrived(to, over);
  await runs(current);
  expect((await other.status()).vm.state).toBe('VM_STATE_INCOMING');
  await other.remove();
});

test('a paused VM arrives paused and goes on there where it stood', async () => {
  const { vm } = await current.client.pause({});
  expect(vm.state).toBe('VM_STATE_PAUSED');
  const to = await target();
  await arrived(to, moving(to).over);
  expect((await current.status()).vm.state).toBe('VM_STATE_PAUSED');
  let text = '';
  const console = current.console((more: string) => (text += more));
  await sleep(2_000);
  const before = text.length;
  await sleep(1_500);
  expect(text.length).toBe(before);
  console.stop();
  await current.client.resume({});
  await runs(current);
});

test('a guest that is reset in the midst of precopy arrives, and boots there', async () => {
  const before = await lastCount();
  expect(before).toBeGreaterThan(3);
  const to = await target();
  const { migrationId, over, until } = moving(to, SLOW);
  await until(PRECOPY);
  await current.client.reset({});
  await current.client.changeMigration({ migrationId, settings: { bandwidthBytesPerSecond: 0 } });
  await arrived(to, over);
  // What is shown here was printed here: it counts from the beginning.
  expect(Number((await shows(current, /count (\d+)\r?\n/))[1])).toBeLessThan(before);
  await runs(current);
});

test('a target that dies in precopy leaves the VM where it was', async () => {
  const to = await target();
  const { over, until } = moving(to, SLOW);
  await until(PRECOPY);
  to.kill();
  const record = await over;
  expect(record.outcome).toMatch(/failed/i);
  expect(record).toMatchObject({ vmIs: expect.stringMatching(/source/i), line: expect.stringMatching(/the connection to the target is gone/) });
  await runs(current);
  const again = await target();
  await arrived(again, moving(again).over);
  await runs(current);
});

test('a guest that powers off in the midst of precopy ends; nothing is left over, and it can be started at once', async () => {
  const to = await target();
  const { over, until } = moving(to, SLOW);
  await until(PRECOPY);
  current.console(() => {}).type('off\n');
  const record = await over.catch((error: Error) => ({ outcome: 'failed', line: error.message }));
  expect(record.outcome).not.toMatch(/completed/i);
  expect((await current.exited).code).toBe(0);
  await to.exited;
  for (const { socket } of [current, to]) expect(existsSync(socket)).toBe(false);
  await boot();
  await shows(current, /count 2/);
});

/** Bytes of no protocol at all, and a greeting that breaks off. */
async function garbage(address: string): Promise<void> {
  const [host, port] = [address.slice(0, address.lastIndexOf(':')), Number(address.slice(address.lastIndexOf(':') + 1))];
  for (const bytes of [randomBytes(4096), Buffer.from('GET / HTTP/1.0\r\n\r\n'), Buffer.from('PRI * HTTP/2.0\r\n\r\nSM'), Buffer.alloc(0)]) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, host, () => socket.end(bytes));
      socket.on('error', () => {}).on('close', () => resolve());
      socket.resume();
      setTimeout(() => socket.destroy(), 500).unref();
    });
  }
}
