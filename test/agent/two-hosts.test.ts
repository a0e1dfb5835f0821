/**
 * Proves, with two real agents on one machine that joined with tokens: a running VM moves from one to the other by
 * their orders, and both tell of it; a move that was called off leaves nothing behind; a certificate is renewed while
 * the session goes on; both agents share one user-mode network, which outlives them.
 */
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { connectUsernetControl } from '@godwit/network';
import { Datastore } from '@godwit/storage';
import { images, running } from '../boot/guest';
import { TestController } from './support/controller';
import { Host, removeFolder, temporary } from './support/host';

const folder = temporary();
const socket = path.join(folder, 'net', 'user');
const vmId = randomUUID();
let controller: TestController;
let alpha: Host;
let beta: Host;
let datastoreId: string;
const place = () => ({ datastoreId, folder: 'guest' });
const spec = () => ({
  vmId,
  name: 'guest',
  memoryBytes: 128 << 20,
  vcpus: 1,
  networks: [{ network: 'user', adapter: 'virtio', mac: '52:54:00:12:34:56' }],
  boot: {
    kernel: 'vmlinuz',
    initrd: 'initrd',
    commandLine: running('while :; do echo tick; sleep 1; done'),
    kernelOrigin: 'vmlinuz',
    initrdOrigin: 'initrd',
  },
});

beforeAll(async () => {
  const files = await images();
  const store = path.join(folder, 'store');
  for (const name of [store, path.join(folder, 'images')]) mkdirSync(name);
  const opened = await Datastore.init(store);
  datastoreId = opened.id;
  await opened.close();
  copyFileSync(files.kernel686, path.join(folder, 'images', 'vmlinuz'));
  copyFileSync(files.initrd, path.join(folder, 'images', 'initrd'));
  controller = await TestController.start(path.join(folder, 'ca'));
  // The first certificate has passed two thirds of its life at once: five minutes of it lie before now.
  controller.certificateMs = 60_000;
  const config = async () => ({
    controllers: [controller.address],
    join: { token: await controller.token() },
    datastores: { main: store },
    images: path.join(folder, 'images'),
    networks: { user: { kind: 'user', socket } },
  });
  [alpha, beta] = [new Host(folder, 'alpha', await config()), new Host(folder, 'beta', await config())];
  await Promise.all([alpha.start(), beta.start()]);
  await controller.until(() => controller.sessions.filter(({ heard }) => heard[0]?.hello).length === 2, 'both hosts');
});

afterAll(async () => {
  await alpha?.remove();
  await beta?.remove();
  await controller?.close();
  const network = await connectUsernetControl(`${socket}.control`).catch(() => undefined);
  const status = await network?.status();
  network?.close();
  if (status) process.kill(status.pid, 'SIGTERM');
  removeFolder(folder);
});

test('both have joined; keys are private; the certificate is renewed over the session', async () => {
  for (const host of [alpha, beta]) {
    expect(statSync(path.join(host.stateDir, 'tls', 'key.pem')).mode & 0o777).toBe(0o600);
    expect(controller.of(host.hostId).heard[0].hello!.host!.facts!.networks).toEqual(['user']);
  }
  await controller.until(() => controller.renewed >= 2, 'the renewals');
  expect(controller.sessions).toHaveLength(2);
});

const on = (host: Host) => ({ vmId, host: host.hostId });
const migrations = (host: Host, migrationId: string) =>
  controller.heard
    .filter(({ hostId, message }) => hostId === host.hostId && message.migration?.migrationId === migrationId)
    .map(({ message }) => message.migration!);

test('a VM is started on one and moves to the other', async () => {
  expect(await controller.order('create', { place: place(), spec: spec() }, on(alpha))).toMatchObject({
    line: '',
    state: 'ORDER_STATE_DONE',
  });
  expect(await controller.order('start', { place: place(), spec: spec() }, on(alpha))).toMatchObject({
    line: '',
    state: 'ORDER_STATE_DONE',
  });
  const held = await controller.order('start', { place: place(), spec: spec() }, on(beta));
  expect(held).toMatchObject({ state: 'ORDER_STATE_REFUSED', code: 'lease-held', line: expect.stringContaining('alpha') });

  const migrationId = randomUUID();
  const prepared = await controller.order('prepareIncoming', { migrationId, place: place(), spec: spec(), waitMs: 60_000 }, on(beta));
  expect(prepared).toMatchObject({
    line: '',
    state: 'ORDER_STATE_DONE',
    waiting: { address: expect.stringMatching(/^127\.0\.0\.1:\d+$/) },
  });
  const { address, token } = prepared.waiting!;
  const begun = await controller.order('migrateOut', { migrationId, targetAddress: address, token, targetHost: 'beta' }, on(alpha));
  expect(begun).toMatchObject({ line: '', state: 'ORDER_STATE_DONE', migration: { migrationId, vmId } });

  const record = await controller.until(
    () => migrations(alpha, migrationId).find((one) => one.record?.outcome)?.record,
    'the last record',
    120_000,
  );
  expect(record).toMatchObject({ line: expect.any(String), outcome: 'completed', vmIs: 'target', targetHost: 'beta' });
  await controller.until(() => migrations(beta, migrationId).find(({ targetOutcome }) => targetOutcome === 'runs'), 'the target');
  const ended = await controller.until(
    () => controller.heard.find(({ hostId, message: { vmm } }) => hostId === alpha.hostId && vmm?.status?.ended)?.message.vmm,
    'the end of the source',
  );
  expect(ended.status).toMatchObject({ ended: 'migrated', vm: { state: 'VM_STATE_STOPPED' } });
  await controller.until(
    () => controller.heard.some(({ hostId, message: { vmm } }) => hostId === beta.hostId && vmm?.status?.vm?.state === 'VM_STATE_RUNNING'),
    'the VM on beta',
  );
  expect(alpha.vmmFolders).toEqual([]);

  // Told again with each Hello until a controller has it.
  const before = controller.sessions.length;
  await alpha.end('SIGKILL');
  await alpha.start();
  expect((await controller.nextSession(before)).heard[0].hello!.migrations).toMatchObject([
    { migrationId, side: 'source', record: { outcome: 'completed' } },
  ]);
  controller.of(alpha.hostId).out.offer({ acknowledge: { migrationIds: [migrationId] } });
  expect(await controller.order('cancelMigration', { migrationId, why: 'late' }, on(alpha))).toMatchObject({
    state: 'ORDER_STATE_REFUSED',
    code: 'not-here',
  });
});

test('a move that is called off leaves nothing on the target, and cannot be prepared any more', async () => {
  const migrationId = randomUUID();
  const prepare = () => controller.order('prepareIncoming', { migrationId, place: place(), spec: spec(), waitMs: 60_000 }, on(alpha));
  const first = await prepare();
  const again = await prepare();
  expect(again.waiting!.address).toBe(first.waiting!.address);
  expect(alpha.vmmFolders).toHaveLength(1);
  expect(await controller.order('dropIncoming', { migrationId }, on(alpha))).toMatchObject({ line: '', state: 'ORDER_STATE_DONE' });
  expect(alpha.vmmFolders).toEqual([]);
  expect(migrations(alpha, migrationId).at(-1)).toMatchObject({ targetPhase: 'ended', targetOutcome: 'discarded' });
  expect(await prepare()).toMatchObject({ state: 'ORDER_STATE_REFUSED', code: 'cancelled' });
});

test('the network is one process that outlives both agents; no secret is in any log', async () => {
  const pid = async () => {
    const control = await connectUsernetControl(`${socket}.control`);
    const { pid: found } = await control.status();
    control.close();
    return found;
  };
  const before = await pid();
  await alpha.end('SIGKILL');
  await beta.end('SIGKILL');
  expect(await pid()).toBe(before);
  await beta.start();
  expect(await pid()).toBe(before);
  const secrets = controller.heard.flatMap(({ message: { result } }) => (result?.waiting ? [result.waiting.token] : []));
  expect(secrets).toHaveLength(3);
  for (const host of [alpha, beta]) {
    const logs = [
      host.logText,
      host.vmmLog(),
      ...readdirSync(host.stateDir)
        .filter((name) => name.endsWith('.log'))
        .map((name) => readFileSync(path.join(host.stateDir, name), 'utf8')),
    ].join('');
    for (const secret of secrets) expect(logs).not.toContain(secret);
    // A good run logs no warnings.
    expect(host.complaints).toEqual([]);
  }
});
