/**
 * Proves who is let in, over real sockets: join tokens that are wrong, used, or for another host; certificates of another
 * cluster; roles; passwords. Each refusal says what is wrong, and changes nothing.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Authority, Certificates, clientTls, connect, saveMaterial, sealJoinToken } from '@godwit/wire';
import { startCluster } from '../support/cluster.mjs';

type Cluster = Awaited<ReturnType<typeof startCluster>>;
let cluster: Cluster;
let stranger: Authority;
const folders = (name: string): string => path.join(cluster.dir, name);

beforeAll(async () => {
  cluster = await startCluster({ hosts: 1 });
  stranger = await Authority.open(folders('stranger'));
});
afterAll(() => cluster?.stop());

const hostNames = async (): Promise<string[]> => (await cluster.api('Hosts').listHosts({})).hosts.map(({ name }) => name);

/** An agent with that token to its end: how it ended, and its last words. */
async function agentWith(name: string, token: string, config = {}): Promise<{ code: number | null; said: string }> {
  const host = await cluster.addHost({ name, join: false, config: { join: { token }, ...config } });
  await host.start();
  const { code } = await host.exited;
  return {
    code,
    said: host.log
      .split('\n')
      .filter((line) => line.startsWith('godwit: '))
      .join('\n'),
  };
}

test('a join token is good once, for the host it was made for, and ends the agent when it is not', async () => {
  const { token } = await cluster.api('Hosts').createJoinToken({ hostName: 'beta' });
  expect(await agentWith('gamma', token)).toMatchObject({
    code: 6,
    said: expect.stringMatching(/gamma cannot join the cluster: .* is for a host named beta/),
  });
  await cluster.addHost({ name: 'beta', join: false, config: { join: { token } } }).then((host) => host.start());
  await cluster.ready(['beta']);
  expect(await agentWith('delta', token)).toMatchObject({
    code: 6,
    said: expect.stringMatching(/wrong or was used before: make a new one/),
  });
  const wrong = token.replace(/[^.]+$/, (secret) => [...secret].reverse().join(''));
  expect(await agentWith('epsilon', wrong)).toMatchObject({ code: 6, said: expect.stringMatching(/wrong or was used before/) });
  expect(await agentWith('zeta', 'no token at all')).toMatchObject({ code: 4, said: expect.stringMatching(/this is no join token/) });
  expect(await hostNames()).toEqual(['beta', 'host-1']);
});

test('a name that another host has is refused', async () => {
  const { token } = await cluster.api('Hosts').createJoinToken({});
  expect(await agentWith('twin', token, { name: 'beta' })).toMatchObject({
    code: 6,
    said: expect.stringMatching(/beta cannot join the cluster: .*beta/),
  });
});

test("a token of another cluster is not shown to this one: its CA's fingerprint tells", async () => {
  const host = await cluster.addHost({
    name: 'lost',
    join: false,
    config: { join: { token: sealJoinToken(stranger.fingerprint, 'a'.repeat(43)) } },
  });
  await host.start();
  await cluster.until(() => host.log.includes('not of the cluster that the join token is from'), 'be refused by the host');
  await host.end();
  expect(await hostNames()).not.toContain('lost');
});

test('certificates of another cluster are refused, on either side', async () => {
  const folder = folders('stranger-admin');
  saveMaterial(folder, await stranger.certify({ kind: 'operator', role: 'admin', name: 'mallory' }));
  // The server is not the one that its CA vouches for.
  const wire = connect({
    address: cluster.controllerAddress,
    security: clientTls(Certificates.fromFolder(folder), { kind: 'controller' }),
  });
  await expect(wire.client('Vms').listVms({})).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/certificate of .* is not of this cluster/),
  });
  wire.close();
  // Nor does the server believe a stranger who knows its CA.
  const mixed = folders('mixed');
  const { certPem, keyPem } = await stranger.certify({ kind: 'operator', role: 'admin', name: 'mallory' });
  mkdirSync(mixed, { mode: 0o700 });
  saveMaterial(mixed, { certPem, keyPem, caPem: Certificates.fromFolder(cluster.certificates).material.caPem });
  const other = connect({
    address: cluster.controllerAddress,
    security: clientTls(Certificates.fromFolder(mixed), { kind: 'controller' }),
  });
  await expect(other.client('Vms').listVms({})).rejects.toMatchObject({ name: 'WireError', message: expect.stringMatching(/certificate/) });
  other.close();
});

test('roles: who may look may not change; a host and a nobody may neither', async () => {
  const authority = await Authority.open(folders('controller-1/ca'));
  const as = async (identity: Parameters<Authority['certify']>[0]) => {
    const folder = folders(`as-${identity.kind}-${'role' in identity ? identity.role : ''}`);
    saveMaterial(folder, await authority.certify(identity));
    return cluster.wire(undefined, folder);
  };
  const viewer = await as({ kind: 'operator', role: 'view', name: 'vera' });
  expect(await viewer.client('Access').whoAmI({})).toMatchObject({ user: 'vera', role: 'ROLE_VIEW', by: 'certificate' });
  expect((await viewer.client('Hosts').listHosts({})).hosts).toHaveLength(2);
  await expect(viewer.client('Hosts').createJoinToken({})).rejects.toMatchObject({
    code: 'denied',
    message: expect.stringMatching(/vera has the role view; this needs admin/),
  });
  const operator = await as({ kind: 'operator', role: 'operate', name: 'olga' });
  await expect(operator.client('Access').putUser({ name: 'eve', role: 'ROLE_ADMIN', password: 'long enough' })).rejects.toMatchObject({
    code: 'denied',
  });
  const host = await as({ kind: 'host', hostId: cluster.host('host-1').hostId });
  await expect(host.client('Vms').listVms({})).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('the first password is the one that was shown, and a login is worth what its user is', async () => {
  const caPem = Certificates.fromFolder(cluster.certificates).material.caPem;
  const security = { kind: 'tls-anonymous', caPem, expect: { kind: 'controller' } } as const;
  const nobody = connect({ address: cluster.controllerAddress, security });
  await expect(nobody.client('Vms').listVms({})).rejects.toMatchObject({
    code: 'unauthenticated',
    message: expect.stringMatching(/log in/),
  });
  const { user, password } = cluster.admin!;
  await expect(nobody.client('Access').login({ user, password: `${password}x` })).rejects.toMatchObject({ code: 'unauthenticated' });
  const { token, identity } = await nobody.client('Access').login({ user, password });
  expect(identity).toMatchObject({ user, role: 'ROLE_ADMIN', by: 'session' });
  nobody.close();
  const somebody = connect({ address: cluster.controllerAddress, security, bearer: token });
  expect((await somebody.client('Hosts').listHosts({})).hosts).toHaveLength(2);
  somebody.close();
});

test('no secret stands in a log', () => {
  const { password } = cluster.admin!;
  const tokens = cluster.hosts
    .map(({ config }) => (config.join as { token?: string } | undefined)?.token)
    .filter((token) => token?.startsWith('godwit1.'));
  expect(tokens.length).toBeGreaterThan(3);
  const all = [...cluster.controllers, ...cluster.hosts].map(({ log }) => log).join('\n');
  for (const secret of [password, ...tokens.map((token) => token!.split('.')[2])]) expect(all.includes(secret)).toBe(false);
});
