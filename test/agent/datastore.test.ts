/**
 * Proves that a datastore that hangs is told of, and holds up nothing else: the agent goes on reporting, orders on
 * another datastore are done, those on it are refused in one line, and it is there again when it answers.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Datastore } from '@godwit/storage';
import { NfsServer } from '../support/nfs-server';
import { TestController } from './support/controller';
import { Host, removeFolder, temporary } from './support/host';

const folder = temporary();
let server: NfsServer;
let controller: TestController;
let host: Host;
let local: string;
let remote: string;
const spec = (name: string) => ({
  vmId: randomUUID(),
  name,
  memoryBytes: 64 << 20,
  vcpus: 1,
  disks: [{ file: 'data.raw', bus: 'virtio', format: 'raw', sizeBytes: 1 << 20 }],
});
const create = (datastoreId: string, name: string) => {
  const wanted = spec(name);
  return controller.order('create', { place: { datastoreId, folder: name }, spec: wanted }, { vmId: wanted.vmId });
};

beforeAll(async () => {
  server = await NfsServer.start();
  const ids: string[] = [];
  mkdirSync(path.join(folder, 'store'));
  for (const where of [path.join(folder, 'store'), server.url]) {
    const store = await Datastore.init(where);
    ids.push(store.id);
    await store.close();
  }
  [local, remote] = ids;
  controller = await TestController.start(path.join(folder, 'ca'));
  const datastores = { local: path.join(folder, 'store'), remote: server.url };
  host = new Host(folder, 'alpha', {
    join: { token: await controller.token() },
    controllers: [controller.address],
    datastores,
    networks: {},
  });
  await host.start();
  await controller.nextSession(0);
});

afterAll(async () => {
  await host?.remove();
  await controller?.close();
  await server?.stop();
  removeFolder(folder);
});

test('one that hangs is told of and holds nothing up', async () => {
  expect(controller.sessions[0].heard[0].hello!.host!.facts!.datastores).toEqual([local, remote].sort());
  expect(await create(remote, 'one')).toMatchObject({ line: '', state: 'ORDER_STATE_DONE' });

  server.hang();
  const from = controller.heard.length;
  const report = (reachable: boolean) =>
    controller.heard
      .slice(from)
      .find(({ message: { datastore } }) => datastore?.datastoreId === remote && datastore.reachable === reachable)?.message.datastore;
  // An order that is under way when it hangs ends in its time.
  const wanted = spec('stuck');
  const stuck = controller.order(
    'create',
    { place: { datastoreId: remote, folder: 'stuck' }, spec: wanted },
    { vmId: wanted.vmId, timeMs: 3_000 },
  );
  expect(await create(local, 'two')).toMatchObject({ line: '', state: 'ORDER_STATE_DONE' });
  expect(await stuck).toMatchObject({ state: 'ORDER_STATE_FAILED', code: 'time', line: expect.stringContaining('alpha') });
  expect(await controller.until(() => report(false), 'that it hangs', 120_000)).toMatchObject({
    name: 'remote',
    line: expect.stringMatching(/./),
  });
  const facts = await controller.until(
    () =>
      controller.heard.slice(from).findLast(({ message: { host: told } }) => told && !told.facts!.datastores.includes(remote))?.message
        .host,
    'the facts',
  );
  expect(facts).toMatchObject({ facts: { datastores: [local] }, warnings: [expect.stringMatching(/^datastore remote: /)] });
  expect(await create(remote, 'three')).toMatchObject({
    state: 'ORDER_STATE_REFUSED',
    code: 'storage',
    line: expect.stringContaining('remote'),
  });
  // The whole time: one session, and reports in it.
  expect(controller.sessions).toHaveLength(1);

  // A start of the agent does not wait for it either.
  await host.end('SIGKILL');
  await host.start();
  const again = await controller.nextSession(1);
  expect(again.heard[0].hello!.host!.facts!.datastores).toEqual([local]);

  server.goOn();
  await controller.until(
    () => controller.sessions[1].heard.find(({ datastore }) => datastore?.datastoreId === remote && datastore.reachable),
    'that it is back',
    120_000,
  );
  expect(await create(remote, 'three')).toMatchObject({ line: '', state: 'ORDER_STATE_DONE' });
});
