/**
 * Proves, with real agents, a real VM and a controller that speaks agent.proto over mutual TLS: a VM is made, started
 * and ended by orders, each done once; it outlives its agent and is found again; its death is told with its cause.
 */
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Datastore } from '@godwit/storage';
import { images, running } from '../boot/guest';
import { TestController } from './support/controller';
import { Host, removeFolder, temporary } from './support/host';

const folder = temporary();
let controller: TestController;
let host: Host;
let datastoreId: string;
const vmId = randomUUID();
const place = () => ({ datastoreId, folder: 'guest' });
const spec = (more: object = {}) => ({
  vmId,
  name: 'guest',
  memoryBytes: 128 << 20,
  vcpus: 1,
  labels: { team: 'test' },
  boot: {
    kernel: 'vmlinuz',
    initrd: 'initrd',
    commandLine: running('while :; do echo tick; sleep 1; done'),
    kernelOrigin: 'vmlinuz',
    initrdOrigin: 'initrd',
  },
  disks: [{ file: 'data.qcow2', bus: 'virtio', format: 'qcow2', sizeBytes: 1 << 20 }],
  ...more,
});
const status = () => controller.vmm(vmId)?.status;

beforeAll(async () => {
  const files = await images();
  const store = path.join(folder, 'store');
  mkdirSync(store);
  const opened = await Datastore.init(store);
  datastoreId = opened.id;
  await opened.close();
  mkdirSync(path.join(folder, 'images'));
  copyFileSync(files.kernel686, path.join(folder, 'images', 'vmlinuz'));
  copyFileSync(files.initrd, path.join(folder, 'images', 'initrd'));
  controller = await TestController.start(path.join(folder, 'ca'));
  host = new Host(folder, 'alpha', {
    join: { token: await controller.token() },
    controllers: [controller.address],
    datastores: { main: store },
    images: path.join(folder, 'images'),
    networks: {},
  });
  await host.start();
  await controller.nextSession(0);
});

afterAll(async () => {
  await host?.remove();
  await controller?.close();
  removeFolder(folder);
});

test('Hello tells what this host is and has', async () => {
  const hello = controller.sessions[0].heard[0].hello!;
  expect(hello.host!.facts).toMatchObject({ hostId: host.hostId, name: 'alpha', datastores: [datastoreId], networks: [] });
  expect(hello.host!.facts!.cpu!.features).toContain('cmov');
  expect(hello.host!.facts!.cpu!.xsaveBytes).toBeGreaterThanOrEqual(512);
  expect(hello.host!.totalMemoryBytes).toBeGreaterThan(hello.host!.facts!.freeMemoryBytes);
  expect(hello.datastores).toMatchObject([{ datastoreId, name: 'main', reachable: true }]);
  expect(hello.vmms).toEqual([]);
});

test('a VM is made, and what it is made of can be read back', async () => {
  const orderId = randomUUID();
  const made = await controller.order('create', { place: place(), spec: spec() }, { vmId, orderId });
  expect(made).toMatchObject({ state: 'ORDER_STATE_DONE', folder: { folder: 'guest', suspended: false } });
  expect(made.folder!.spec).toMatchObject({
    vmId,
    labels: { team: 'test' },
    disks: [{ file: 'data.qcow2', format: 'qcow2', sizeBytes: 1 << 20 }],
  });

  // The same order again is answered, not done; another VM of that name is refused.
  expect(await controller.order('create', { place: place(), spec: spec() }, { vmId, orderId })).toMatchObject({
    state: 'ORDER_STATE_DONE',
  });
  const other = await controller.order('create', { place: place(), spec: spec({ vmId: randomUUID() }) }, { vmId: randomUUID() });
  expect(other).toMatchObject({ state: 'ORDER_STATE_REFUSED', code: 'exists' });

  controller.send({ ask: { datastoreIds: [datastoreId] } });
  const listed = await controller.until(
    () => controller.heard.find(({ message }) => message.datastore?.vmsListed)?.message.datastore,
    'the list',
  );
  expect(listed.vms).toMatchObject([{ folder: 'guest', spec: { vmId }, lease: { ownerHostId: '' } }]);
});

test('it starts, is paused and goes on, and its console is relayed', async () => {
  const started = await controller.order('start', { place: place(), spec: spec() }, { vmId });
  expect(started).toMatchObject({ state: 'ORDER_STATE_DONE', vmm: { status: { vm: { state: 'VM_STATE_RUNNING' }, hostName: 'alpha' } } });
  expect(status()!.leaseEpoch).toBeGreaterThan(0);
  expect(await controller.order('start', { place: place(), spec: spec() }, { vmId })).toMatchObject({
    state: 'ORDER_STATE_REFUSED',
    code: 'wrong-state',
    line: expect.stringContaining('alpha'),
  });
  expect(await controller.order('remove', { place: place() }, { vmId })).toMatchObject({
    state: 'ORDER_STATE_REFUSED',
    code: 'lease-held',
  });

  expect(await controller.order('openConsole', { consoleId: 'c1', console: 'CONSOLE_KIND_SERIAL' }, { vmId })).toMatchObject({
    state: 'ORDER_STATE_DONE',
  });
  await controller.until(() => controller.consoles.get('c1')?.text.includes('tick'), 'the guest on its console', 120_000);

  const paused = await controller.order('pause', {}, { vmId });
  expect(paused).toMatchObject({ state: 'ORDER_STATE_DONE' });
  // What an order changed is told before its result.
  const at = (find: (message: (typeof controller.heard)[0]['message']) => boolean): number =>
    controller.heard.findIndex(({ message }) => find(message));
  expect(at(({ vmm }) => vmm?.status?.vm?.state === 'VM_STATE_PAUSED')).toBeLessThan(
    at(({ result }) => result?.orderId === paused.orderId),
  );
  expect(await controller.order('resume', {}, { vmId })).toMatchObject({ state: 'ORDER_STATE_DONE', vmm: { status: { pauses: [] } } });
});

test('it outlives its agent, which is killed, and is found again; counters come', async () => {
  const { pid } = status()!;
  const { hello } = (await restart('SIGKILL')).heard[0];
  expect(hello!.vmms).toHaveLength(1);
  expect(hello!.vmms[0]).toMatchObject({ place: place() });
  await controller.until(() => status()?.vm?.state === 'VM_STATE_RUNNING' && status()?.pid === pid, 'the same process');
  const counters = await controller.until(
    () => controller.session_.heard.findLast(({ counters }) => counters?.vms[0]?.counters)?.counters,
    'counters',
  );
  expect(counters.vms[0].counters.run_seconds).toBeGreaterThan(0);
});

test('an order of an older term is refused, also after a restart', async () => {
  controller.term = 7;
  await restart('SIGTERM');
  expect(await controller.order('pause', {}, { vmId, term: 6 })).toMatchObject({ state: 'ORDER_STATE_REFUSED', code: 'old-term' });
  await restart('SIGKILL');
  expect(controller.session_.heard[0].hello!.highestTerm).toBe(7);
});

test('a guest that ignores the power button runs on; pulling the plug calls that off', async () => {
  const late = await controller.order('stop', { how: 'BUTTON' }, { vmId, timeMs: 500 });
  expect(late).toMatchObject({ state: 'ORDER_STATE_FAILED', code: 'time', line: expect.stringContaining('runs on alpha') });
  const waiting = controller.order('stop', { how: 'BUTTON' }, { vmId, timeMs: 60_000 });
  expect(await controller.order('stop', { how: 'KILL' }, { vmId })).toMatchObject({ state: 'ORDER_STATE_DONE' });
  expect(await waiting).toMatchObject({ code: 'cancelled' });
  expect(status()).toMatchObject({ ended: 'stopped', vm: { state: 'VM_STATE_STOPPED' } });
});

test('suspended and resumed; a plain start of a suspended VM is refused', async () => {
  await controller.order('start', { place: place(), spec: spec(), takeOver: true }, { vmId });
  const suspended = await controller.order('suspend', {}, { vmId });
  expect(suspended).toMatchObject({ state: 'ORDER_STATE_DONE', saved: { stateBytes: expect.any(Number) } });
  expect(status()).toMatchObject({ ended: 'suspended', vm: { state: 'VM_STATE_SUSPENDED' } });
  expect(await controller.order('start', { place: place(), spec: spec() }, { vmId })).toMatchObject({
    state: 'ORDER_STATE_REFUSED',
    code: 'wrong-state',
  });
  expect(await controller.order('resumeSuspended', { place: place(), spec: spec() }, { vmId })).toMatchObject({
    state: 'ORDER_STATE_DONE',
  });
});

test('a VMM that is killed is reported with the cause, its VM can be started again once the lease has run out', async () => {
  await controller.until(() => status()?.vm?.state === 'VM_STATE_RUNNING', 'it runs');
  process.kill(status()!.pid, 'SIGKILL');
  const ended = await controller.until(() => status()?.ended && status(), 'its end');
  expect(ended).toMatchObject({ ended: 'error', line: expect.stringContaining('SIGKILL') });
  const early = await controller.order('start', { place: place(), spec: spec() }, { vmId });
  expect(early).toMatchObject({ state: 'ORDER_STATE_REFUSED', code: 'lease-held', line: expect.stringContaining('alpha') });
  expect(await controller.order('start', { place: place(), spec: spec(), takeOver: true }, { vmId })).toMatchObject({
    line: '',
    state: 'ORDER_STATE_DONE',
  });
});

test('one killed while no agent looks is told of afterwards; garbage in the state folder does no harm', async () => {
  await host.end('SIGKILL');
  process.kill(status()!.pid, 'SIGKILL');
  const vms = path.join(host.stateDir, 'vms');
  writeFileSync(path.join(vms, 'notes.txt'), 'garbage');
  mkdirSync(path.join(vms, randomUUID()));
  const damaged = path.join(vms, randomUUID());
  mkdirSync(damaged);
  for (const name of ['about.json', 'config.json', 'pid', 'ended.json']) writeFileSync(path.join(damaged, name), '{"pid":1,');
  const before = controller.sessions.length;
  await host.start();
  await controller.nextSession(before);
  expect(controller.session_.heard[0].hello!.vmms).toEqual([]);
  const told = await controller.until(() => controller.session_.heard.find(({ vmm }) => vmm?.status?.ended)?.vmm, 'its end');
  expect(told.status).toMatchObject({ ended: 'error', line: expect.stringContaining('killed') });
  expect(host.vmmFolders).toEqual(['notes.txt']);
});

test('its disks are grown, it is renamed, and removed', async () => {
  const grown = await controller.order(
    'change',
    { place: place(), spec: spec({ name: 'renamed' }), growDisks: { 'data.qcow2': 4 << 20 } },
    { vmId, timeMs: 60_000 },
  );
  expect(grown).toMatchObject({
    state: 'ORDER_STATE_DONE',
    folder: { folder: 'renamed', spec: { name: 'renamed', disks: [{ sizeBytes: 4 << 20 }] } },
  });
  const clone = { vmId: randomUUID(), name: 'clone' };
  const copy = { copy: { place: { datastoreId, folder: 'renamed' }, file: 'data.qcow2', linked: true } };
  const cloned = await controller.order(
    'create',
    { place: { datastoreId, folder: 'clone' }, spec: spec({ ...clone, disks: [{ file: 'data.qcow2', format: 'qcow2', origin: copy }] }) },
    { vmId: clone.vmId },
  );
  expect(cloned).toMatchObject({ state: 'ORDER_STATE_DONE', folder: { spec: { disks: [{ sizeBytes: 4 << 20 }] } } });
  for (const [id, name] of [
    [vmId, 'renamed'],
    [clone.vmId, 'clone'],
  ])
    expect(await controller.order('remove', { place: { datastoreId, folder: name } }, { vmId: id })).toMatchObject({
      state: 'ORDER_STATE_DONE',
    });
  const from = controller.heard.length;
  controller.send({ ask: { datastoreIds: [datastoreId] } });
  const listed = await controller.until(
    () => controller.heard.slice(from).find(({ message }) => message.datastore?.vmsListed)?.message.datastore,
    'the list',
  );
  expect(listed.vms).toEqual([]);
});

/** Ends the agent so, and starts it again. */
async function restart(signal: NodeJS.Signals) {
  const before = controller.sessions.length;
  await host.end(signal);
  await host.start();
  return controller.nextSession(before);
}
