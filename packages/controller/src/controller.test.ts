/**
 * Proves the controller as a whole over a real store, without a network: hosts join once per token, orders go out and
 * come to an end, roles hold for every method, errors carry codes, and a controller that begins anew
 * finds what the one before it knew and what its agents tell.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { METHOD_ROLES } from './api/roles';
import { checkConfig, ConfigError } from './config';
import { type Controller, startController, type Transport } from './controller';
import type { Call, Message } from './rpc/rpc';
import { text } from './rpc/fields';
import { FakeAgent } from './testing/fake-agent';
import { answerType, checkMessage } from './testing/schema-check';

const folder = mkdtempSync(path.join(tmpdir(), 'controller-'));
const config = checkConfig(
  {
    clusterId: randomUUID(),
    clusterName: 'test',
    name: 'c1',
    advertise: '127.0.0.1:1',
    store: { kind: 'embedded', file: path.join(folder, 'store.db') },
    logLevel: 'silent',
  },
  'test',
);
const transport: Transport = {
  authority: { caPem: 'CA', issueAgent: async (_, hostId) => ({ certificatePem: `certificate of ${hostId}`, endsAtMs: 1e15 }) },
  sealJoinToken: (token) => token,
  listen: async () => undefined,
  close: async () => undefined,
};
const admin = call({ kind: 'operator', id: 'ops', name: 'ops', role: 'admin' });
const [hostId, otherId] = [randomUUID(), randomUUID()];
let controller: Controller;
let agent: FakeAgent;

beforeAll(async () => {
  controller = await begin();
});
afterAll(async () => {
  await controller.stop();
  rmSync(folder, { recursive: true });
});

test('a host joins with a token, once', async () => {
  const { token } = (await api('Hosts', 'CreateJoinToken', { hostName: 'host-a' })) as Message & { token: string };
  const request = { token, csrPem: 'csr', hostId, hostName: 'host-a' };
  await expect(join({ ...request, hostName: 'host-b' })).rejects.toMatchObject({
    status: 'PERMISSION_DENIED',
    message: expect.stringContaining('host-a'),
  });
  expect(await join(request)).toMatchObject({ hostId, certificatePem: `certificate of ${hostId}`, caPem: 'CA' });
  await expect(join(request)).rejects.toMatchObject({ status: 'PERMISSION_DENIED' });
  const again = (await api('Hosts', 'CreateJoinToken', {})) as Message & { token: string };
  await join({ token: again.token, csrPem: 'csr', hostId: otherId, hostName: 'host-b' });
  agent = new FakeAgent(controller.services.agents, hostId, 'host-a');
  agent.connect();
  await until(async () => text((await api('Hosts', 'GetHost', { host: 'host-a' })) as Message, 'state') === 'HOST_STATE_READY');
});

test('a VM is made, started, paused and stopped, each as an operation that ends', async () => {
  const spec = { name: 'web-1', memoryBytes: 2 ** 29, disks: [{ file: 'disk0', sizeBytes: 1e9 }], networks: [{ network: 'user' }] };
  const made = await follow(await api('Vms', 'CreateVm', { spec, start: true, idempotencyKey: 'k1' }));
  expect(made).toMatchObject({ state: 'OPERATION_STATE_SUCCEEDED', kind: 'create-vm', vmName: 'web-1', progress: 1 });
  expect(await api('Vms', 'CreateVm', { spec, start: true, idempotencyKey: 'k1' })).toMatchObject({
    operationId: text(made, 'operationId'),
  });
  expect(await api('Vms', 'GetVm', { vm: 'web-1' })).toMatchObject({
    state: 'VM_STATE_RUNNING',
    hostName: 'host-a',
    wanted: 'WANTED_STATE_RUNNING',
  });
  await follow(await api('Vms', 'PauseVm', { vm: 'web-1' }));
  expect(await api('Vms', 'GetVm', { vm: 'web-1' })).toMatchObject({ state: 'VM_STATE_PAUSED', pauses: ['operator'] });
  await follow(await api('Vms', 'StopVm', { vm: 'web-1', kill: true }));
  expect(await api('Vms', 'GetVm', { vm: 'web-1' })).toMatchObject({ state: 'VM_STATE_STOPPED' });
  await follow(await api('Vms', 'StartVm', { vm: 'web-1' }));
  expect(agent.orders.filter((kind) => kind !== 'other')).toEqual(['create', 'start', 'pause', 'stop', 'start']);
});

test('errors carry a code, a status, and where the VM is', async () => {
  await expect(api('Vms', 'GetVm', { vm: 'nobody' })).rejects.toMatchObject({ code: 'no-vm', status: 'NOT_FOUND' });
  await expect(api('Vms', 'CreateVm', { spec: { name: 'web-1', memoryBytes: 2 ** 29 } })).rejects.toMatchObject({ code: 'vm-exists' });
  await expect(api('Vms', 'CreateVm', { spec: { name: '../x', memoryBytes: 2 ** 29 } })).rejects.toMatchObject({ code: 'bad-name' });
  await expect(api('Migrations', 'Migrate', { vm: 'web-1' })).rejects.toMatchObject({
    code: 'blocked',
    message: expect.stringContaining('web-1 runs on host-a'),
  });
  await expect(api('Hosts', 'RemoveHost', { host: 'host-a' })).rejects.toMatchObject({ code: 'not-drained' });
  await expect(api('Vms', 'StartVm', { vm: 'web-1', idempotencyKey: 'k1' })).rejects.toMatchObject({ code: 'key-reused' });
});

test('a dry run names every other host with its reasons', async () => {
  const answer = (await api('Migrations', 'Migrate', { vm: 'web-1', dryRun: true })) as {
    hosts: { name: string; blockers: object[] }[];
    chosenHostId: string;
  };
  expect(answer.chosenHostId).toBe('');
  expect(answer.hosts.map(({ name }) => name)).toEqual(['host-b']);
  expect(answer.hosts[0].blockers.length).toBeGreaterThan(0);
  expect(await api('Hosts', 'DrainHost', { host: 'host-a', dryRun: true })).toMatchObject({
    operation: null,
    plan: { blockers: [{ vmName: 'web-1' }] },
  });
});

test('every method has a role, and nobody does more than theirs', async () => {
  for (const [service, methods] of Object.entries(controller.services.api))
    expect(Object.keys(methods).sort()).toEqual(Object.keys(METHOD_ROLES[service as 'Vms']).sort());
  await api('Access', 'PutUser', { name: 'eve', role: 'ROLE_VIEW', password: 'long enough' });
  await expect(api('Vms', 'ListVms', {}, call(undefined))).rejects.toMatchObject({ code: 'no-login', status: 'UNAUTHENTICATED' });
  await expect(api('Access', 'Login', { user: 'eve', password: 'wrong one' }, call(undefined))).rejects.toMatchObject({
    code: 'wrong-password',
  });
  const { token } = (await api('Access', 'Login', { user: 'eve', password: 'long enough' }, call(undefined))) as { token: string };
  const eve = call(undefined, token);
  expect(await api('Access', 'WhoAmI', {}, eve)).toMatchObject({ user: 'eve', role: 'ROLE_VIEW', by: 'session' });
  expect(await api('Vms', 'ListVms', {}, eve)).toMatchObject({ vms: [{ spec: { name: 'web-1' } }] });
  await expect(api('Vms', 'StopVm', { vm: 'web-1' }, eve)).rejects.toMatchObject({ code: 'role', status: 'PERMISSION_DENIED' });
  await expect(api('Vms', 'ListVms', {}, call({ kind: 'agent', id: hostId, name: 'host-a', role: '' }))).rejects.toMatchObject({
    code: 'no-login',
  });
  await api('Access', 'Logout', {}, eve);
  await expect(api('Vms', 'ListVms', {}, eve)).rejects.toMatchObject({ code: 'login-ended' });
});

test('the timeline tells what happened, to what, and by whom', async () => {
  await controller.timeline.flush();
  const { events } = (await api('Events', 'ListEvents', { vm: 'web-1', kinds: ['operation.', 'vm.created'] })) as { events: Message[] };
  expect(events.map(({ kind }) => kind)).toEqual([
    'operation.started',
    'vm.created',
    ...['operation.succeeded', 'operation.started'],
    ...['operation.succeeded', 'operation.started'],
    ...['operation.succeeded', 'operation.started'],
    'operation.succeeded',
  ]);
  for (const event of events) expect(event).toMatchObject({ vmName: 'web-1', actor: 'ops', cause: 'operator', severity: 'SEVERITY_INFO' });
  const { events: access } = (await api('Events', 'ListEvents', { kinds: ['access.'] })) as { events: Message[] };
  expect(access.length).toBeGreaterThan(0);
});

test('a watch shows what is there, says so, then what changes', async () => {
  const stop = new AbortController();
  const method = controller.services.api.Vms.WatchVms as { stream: (request: Message, given: Call) => AsyncIterable<object> };
  const seen: string[] = [];
  for await (const message of method.stream({}, { ...admin, signal: stop.signal })) {
    checkMessage(answerType('Vms', 'WatchVms'), message);
    const { change, vm } = message as { change: string; vm?: Message };
    seen.push(`${change.replace('CHANGE_KIND_', '')} ${vm ? text(vm, 'state') : ''}`);
    if (change === 'CHANGE_KIND_SYNCED') void api('Vms', 'PauseVm', { vm: 'web-1' });
    if (vm?.state === 'VM_STATE_PAUSED') stop.abort();
  }
  expect(seen.slice(0, 2)).toEqual(['PUT VM_STATE_RUNNING', 'SYNCED ']);
});

test('a controller that begins anew knows the VM, and its state once the agent has spoken', async () => {
  const ended = agent.done;
  await controller.stop();
  await ended;
  controller = await begin();
  expect(await api('Vms', 'GetVm', { vm: 'web-1' })).toMatchObject({ state: 'VM_STATE_UNKNOWN', hostName: 'host-a' });
  const back = new FakeAgent(controller.services.agents, hostId, 'host-a');
  for (const [id, vmm] of agent.vmms) back.vmms.set(id, vmm);
  back.connect();
  await until(async () => text((await api('Vms', 'GetVm', { vm: 'web-1' })) as Message, 'state') === 'VM_STATE_PAUSED');
  expect(back.term).toBeGreaterThan(agent.term);
  await back.disconnect();
});

test('what the cluster answers is as proto/ says', async () => {
  await api('Cluster', 'GetStatus', {});
  const settings = (await api('Cluster', 'GetSettings', {})) as Message;
  expect(await api('Cluster', 'ChangeSettings', { settings: { ...settings, migrationsPerHost: 3 } })).toMatchObject({
    migrationsPerHost: 3,
    revision: 1,
  });
  expect(await api('Cluster', 'ComputeBaseline', {})).toMatchObject({ vendor: 'GenuineIntel', features: ['cmov', 'sse2'], applied: false });
  expect(await api('Cluster', 'ApplyBaseline', { vendor: 'GenuineIntel', features: ['cmov'] })).toMatchObject({
    applied: true,
    hosts: [{ name: 'host-a', maskedFeatures: ['sse2'] }],
  });
  await api('Cluster', 'PutGroup', { name: 'rack', hosts: ['host-a'] });
  expect(await api('Cluster', 'PutRule', { name: 'away', kind: 'off', group: 'rack', vms: ['web-1'] })).toMatchObject({
    brokenBy: ['web-1'],
  });
  await expect(api('Cluster', 'RemoveGroup', { name: 'rack' })).rejects.toMatchObject({ code: 'in-use' });
  for (const [service, method] of [
    ['Cluster', 'ListRules'],
    ['Cluster', 'ListGroups'],
    ['Cluster', 'GetBaseline'],
    ['Hosts', 'ListHosts'],
    ['Operations', 'ListOperations'],
    ['Migrations', 'ListMigrations'],
    ['Access', 'ListUsers'],
    ['Access', 'ListTokens'],
  ])
    await api(service, method, {});
  expect(await api('Cluster', 'Balance', { dryRun: true })).toMatchObject({ moves: [] });
  const { token } = (await api('Access', 'CreateToken', { name: 'ci', role: 'ROLE_OPERATE' })) as { token: string };
  expect(await api('Access', 'WhoAmI', {}, call(undefined, token))).toMatchObject({ role: 'ROLE_OPERATE', by: 'token' });
});

test('a session needs the certificate of a host that has joined', async () => {
  const stranger = new FakeAgent(controller.services.agents, randomUUID(), 'host-x');
  stranger.connect();
  await expect(stranger.done).rejects.toMatchObject({ status: 'PERMISSION_DENIED' });
});

test('a wrong configuration is named line by line', () => {
  expect(() =>
    checkConfig(
      { clusterId: 'x', name: 'c', clusterName: 'a b', advertise: 'nowhere', store: { kind: 'embedded', file: 'rel' }, extra: 1 },
      'controller.json',
    ),
  ).toThrow(ConfigError);
  expect(() => checkConfig({ ...config, advertise: 'nowhere' }, 'controller.json')).toThrow(
    'controller.json: advertise: must be HOST:PORT',
  );
});

async function begin(): Promise<Controller> {
  const started = await startController(config, { transport, log: pino({ level: 'silent' }) });
  await until(async () => started.health().leads);
  return started;
}

function call(certificate: Call['certificate'], bearer = ''): Call {
  return { certificate, bearer, peer: 'test', signal: new AbortController().signal };
}

async function api(service: string, method: string, request: Message, by: Call = admin): Promise<object> {
  const found = controller.services.api[service][method];
  if (!('unary' in found)) throw new Error(`${method} is no unary method`);
  const answer = await found.unary(request, by);
  checkMessage(answerType(service, method), answer);
  return answer;
}

function join(request: Message): Promise<object> {
  const method = controller.services.agents.Agents.Join;
  if (!('unary' in method)) throw new Error('Join is a unary method');
  return method.unary(request, call(undefined));
}

async function follow(begun: object): Promise<Message> {
  const method = controller.services.api.Operations.WatchOperation as { stream: (request: Message, given: Call) => AsyncIterable<object> };
  let last = begun as Message;
  for await (const message of method.stream({ operationId: text(last, 'operationId') }, admin)) {
    checkMessage(answerType('Operations', 'WatchOperation'), message);
    last = message as Message;
  }
  return last;
}

/** Bounded by the test's own time limit. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
