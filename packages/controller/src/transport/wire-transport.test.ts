/** Proves the services over a real socket: requests, streams, bytes both ways, codes of errors, and who may. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, PLAIN } from '@godwit/wire';
import pino from 'pino';
import { checkConfig } from '../config';
import { type Controller, startController } from '../controller';
import { wireTransport } from './wire-transport';

const folder = mkdtempSync(path.join(tmpdir(), 'controller-wire-'));
const log = pino({ level: 'silent' });
const transport = wireTransport({
  listeners: [
    { address: `unix:${path.join(folder, 'c.sock')}`, security: PLAIN },
    { address: '127.0.0.1:0', security: PLAIN },
  ],
  authority: { caPem: 'CA', issueAgent: async () => ({ certificatePem: 'C', endsAtMs: 1e15 }) },
  sealJoinToken: (token) => `sealed.${token}`,
  log,
});
let controller: Controller;

beforeAll(async () => {
  const config = {
    clusterId: randomUUID(),
    clusterName: 'test',
    name: 'c1',
    advertise: '127.0.0.1:1',
    store: { kind: 'embedded', file: path.join(folder, 'store.db') },
  };
  controller = await startController(checkConfig(config, 'test'), { transport, log });
  while (!controller.health().leads) await new Promise((resolve) => setTimeout(resolve, 20));
});
afterAll(async () => {
  await controller.stop();
  rmSync(folder, { recursive: true });
});

test('the owner of the socket is an admin; a stranger over TCP has to log in', async () => {
  const [owner, stranger] = transport.addresses.map((address) => connect({ address, security: PLAIN }));
  try {
    expect(await owner.client('Access').whoAmI({})).toMatchObject({ user: 'local', role: 'ROLE_ADMIN' });
    expect((await owner.client('Hosts').createJoinToken({})).token).toMatch(/^sealed\.godwit_join_/);
    await expect(stranger.client('Vms').listVms({})).rejects.toMatchObject({
      code: 'unauthenticated',
      trailers: { 'godwit-error-code': 'no-login' },
    });
    await expect(owner.client('Vms').getVm({ vm: 'web' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'there is no VM web',
      trailers: { 'godwit-error-code': 'no-vm' },
    });
    for await (const change of owner.client('Vms').watchVms({})) {
      expect(change.change).toBe('CHANGE_KIND_SYNCED');
      break;
    }
    expect(await owner.client('Cluster').getStatus({})).toMatchObject({ name: 'test', store: 'embedded', term: controller.health().term });
  } finally {
    owner.close();
    stranger.close();
  }
});
