/** Certificates: who gets which, what is refused, how they are kept, renewed while in use, and how a host that knows only a fingerprint begins. */
import { webcrypto, X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Certificates } from '../certificates';
import { connect } from '../client/connect';
import { WireError } from '../errors';
import { type CertifiedIdentity, identityOf, type PeerIdentity } from '../identity';
import { clientTls, type ServerSecurity, serverTls } from '../security';
import { serve, type WireServer } from '../server/serve';
import { Scratch, until, vmmWith } from '../testing/support';
import { Authority, fingerprintOf } from './authority';
import { type JoinTokenRecord, JoinTokens, type JoinTokenStore, openJoinToken, sealJoinToken } from './join-token';
import { fetchAuthority } from './pinned';
import { keepRenewed, saveMaterial } from './renewal';
import { newRequest } from './request';
import { x509 } from './x509';

const DAY_MS = 86_400_000;
const HOST: CertifiedIdentity = { kind: 'host', hostId: 'host-a' };
const CONTROLLER: CertifiedIdentity = { kind: 'controller', controllerId: 'c1' };

let scratch: Scratch;
let authority: Authority;
beforeEach(async () => {
  scratch = new Scratch();
  authority = await Authority.open(scratch.path('ca'));
});
afterEach(() => scratch.clear());

const caught = async (promise: Promise<unknown>): Promise<WireError> => {
  const error = await promise.then(
    () => new Error('nothing was thrown'),
    (error) => error,
  );
  expect(error).toBeInstanceOf(WireError);
  return error;
};

/** A server that remembers who called. */
async function listening(security: ServerSecurity): Promise<{ server: WireServer; peers: PeerIdentity[]; refused: string[] }> {
  const peers: PeerIdentity[] = [];
  const refused: string[] = [];
  const getStatus = (_request: object, call: { peer: PeerIdentity }) => {
    peers.push(call.peer);
    return { pid: 7 };
  };
  const server = await serve({
    address: '127.0.0.1:0',
    security,
    services: { Vmm: vmmWith({ getStatus }) },
    onRefused: (line) => refused.push(line),
  });
  scratch.defer(() => server.close(100));
  return { server, peers, refused };
}

async function ask(server: WireServer, security: Parameters<typeof connect>[0]['security']): Promise<unknown> {
  const wire = connect({ address: server.address, security });
  try {
    return await wire.client('Vmm').getStatus({}, { deadlineMs: 10_000 });
  } finally {
    wire.close();
  }
}

test('an authority is made once, is found again, and keeps its key to itself', async () => {
  expect(statSync(scratch.path('ca')).mode & 0o777).toBe(0o700);
  expect(statSync(scratch.path('ca/ca-key.pem')).mode & 0o777).toBe(0o600);
  const again = await Authority.open(scratch.path('ca'));
  expect(again.fingerprint).toBe(authority.fingerprint);
  expect(fingerprintOf(await again.issue((await newRequest()).csrPem, HOST))).toMatch(/^[0-9a-f]{64}$/);
  const ca = new X509Certificate(authority.caPem);
  expect(ca.ca).toBe(true);
  chmodSync(scratch.path('ca/ca-key.pem'), 0o640);
  expect(await caught(Authority.open(scratch.path('ca')))).toMatchObject({
    code: 'precondition',
    message: expect.stringMatching(/can be read by others \(mode 0640\): run chmod 600 /),
  });
  chmodSync(scratch.path('ca/ca-key.pem'), 0o600);
  chmodSync(scratch.path('ca'), 0o755);
  expect(await caught(Authority.open(scratch.path('ca')))).toMatchObject({
    message: expect.stringMatching(/open to others \(mode 0755\): run chmod 700 /),
  });
  chmodSync(scratch.path('ca'), 0o700);
  expect(await caught(Authority.open(scratch.path('ca'), () => Date.now() + 4_000 * DAY_MS))).toMatchObject({
    message: expect.stringMatching(/it ended on/),
  });
  writeFileSync(scratch.path('ca/ca-key.pem'), 'no key');
  expect(await caught(Authority.open(scratch.path('ca')))).toMatchObject({
    message: expect.stringMatching(/^the authority in .* cannot be used/),
  });
});

test('a certificate says who the authority was told, whatever the request says, and cannot sign others', async () => {
  const { csrPem } = await newRequest();
  const certificate = new X509Certificate(
    await authority.issue(csrPem, { kind: 'vmm', hostId: 'h', vmId: 'v' }, { addresses: ['10.0.0.1', 'host.example'] }),
  );
  expect(identityOf(certificate)).toEqual({ kind: 'vmm', hostId: 'h', vmId: 'v' });
  expect(certificate.checkIP('10.0.0.1')).toBe('10.0.0.1');
  expect(certificate.checkHost('host.example')).toBe('host.example');
  expect(certificate.ca).toBe(false);
  expect(certificate.verify(new X509Certificate(authority.caPem).publicKey)).toBe(true);
  expect((Date.parse(certificate.validTo) - Date.now()) / DAY_MS).toBeCloseTo(30, 1);
  const forever = new X509Certificate(await authority.issue(csrPem, HOST, { validMs: 1e6 * DAY_MS }));
  expect(Date.parse(forever.validTo)).toBeLessThanOrEqual(Date.parse(new X509Certificate(authority.caPem).validTo));
});

test('a request that is damaged, or of another kind of key, is refused', async () => {
  expect(await caught(authority.issue('no request', HOST))).toMatchObject({ code: 'invalid', message: expect.stringMatching(/damaged/) });
  const { csrPem } = await newRequest();
  const der = Buffer.from(csrPem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  der[der.length - 5] ^= 1;
  expect(
    await caught(
      authority.issue(`-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`, HOST),
    ),
  ).toMatchObject({ code: 'invalid' });
  const library = await x509();
  const algorithm = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const other = await library.Pkcs10CertificateRequestGenerator.create({ name: 'CN=x', keys, signingAlgorithm: algorithm });
  expect(await caught(authority.issue(other.toString('pem'), HOST))).toMatchObject({
    code: 'invalid',
    message: 'the certificate request has a key of ECDSA P-384; ECDSA P-256 is needed',
  });
});

test('each kind of caller is known by its certificate; without one it is refused, or anonymous where that is allowed', async () => {
  const own = new Certificates(await authority.certify(CONTROLLER));
  const { server, peers } = await listening(serverTls(own));
  const everyone: CertifiedIdentity[] = [
    HOST,
    CONTROLLER,
    { kind: 'vmm', hostId: 'host-a', vmId: 'v1' },
    { kind: 'operator', role: 'operate', name: 'eve@example.org' },
  ];
  for (const identity of everyone)
    await ask(server, clientTls(new Certificates(await authority.certify(identity)), { kind: 'controller' }));
  expect(peers).toEqual(everyone);
  const nobody = { kind: 'tls-anonymous', caPem: authority.caPem, expect: { kind: 'controller' } } as const;
  expect(await caught(ask(server, nobody))).toMatchObject({
    code: 'unauthenticated',
    message: 'a certificate of this cluster is needed here, and none was shown',
  });
  const open = await listening(serverTls(own, 'optional'));
  expect(await ask(open.server, nobody)).toMatchObject({ pid: 7 });
  expect(open.peers).toEqual([{ kind: 'anonymous' }]);
});

test('a wrong certificate on either side has its own sentence', async () => {
  const own = new Certificates(await authority.certify(CONTROLLER));
  const { server } = await listening(serverTls(own));
  const foreign = await Authority.open(scratch.path('foreign'));
  // Signed by another authority, whose certificates nevertheless trusts ours.
  const stranger = new Certificates({ ...(await foreign.certify(HOST)), caPem: authority.caPem });
  expect(await caught(ask(server, clientTls(stranger, {})))).toMatchObject({
    code: 'unauthenticated',
    message: expect.stringMatching(/^the certificate that was shown is not of this cluster/),
  });
  const yesterday = await Authority.open(scratch.path('ca'), () => Date.now() - 40 * DAY_MS);
  const late = new Certificates(await yesterday.certify(HOST));
  expect(await caught(ask(server, clientTls(late, {})))).toMatchObject({
    code: 'unauthenticated',
    message: 'the certificate that was shown has expired: renew it, or join the cluster again',
  });
  const tomorrow = await Authority.open(scratch.path('ca'), () => Date.now() + 2 * DAY_MS);
  expect(await caught(ask(server, clientTls(new Certificates(await tomorrow.certify(HOST)), {})))).toMatchObject({
    code: 'unauthenticated',
    message: expect.stringMatching(/not valid yet: compare the clocks/),
  });

  const good = new Certificates(await authority.certify(HOST));
  expect(await caught(ask(server, clientTls(good, { kind: 'vmm', hostId: 'host-b' })))).toMatchObject({
    code: 'unavailable',
    message: `${server.address} is not who it should be: it is controller c1, but vmm on host host-b was expected`,
  });
  const elsewhere = await listening(serverTls(new Certificates(await foreign.certify(CONTROLLER))));
  expect(await caught(ask(elsewhere.server, clientTls(good, {})))).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^the certificate of 127\.0\.0\.1:\d+ is not of this cluster/),
  });
  const expired = await listening(serverTls(late));
  expect(await caught(ask(expired.server, clientTls(good, {})))).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/has expired: renew it there$/),
  });
});

test('a renewed certificate is used by servers and clients that go on running', async () => {
  const server = new Certificates(await authority.certify(CONTROLLER));
  const client = new Certificates(await authority.certify(HOST));
  const { server: wireServer, peers } = await listening(serverTls(server));
  const wire = connect({ address: wireServer.address, security: clientTls(client, { kind: 'controller' }) });
  scratch.defer(() => wire.close());
  await wire.client('Vmm').getStatus({});
  server.replace(await authority.certify({ kind: 'controller', controllerId: 'renewed' }));
  client.replace(await authority.certify({ kind: 'host', hostId: 'renewed' }));
  // What is connected goes on; who comes now sees the new one.
  await wire.client('Vmm').getStatus({});
  await ask(wireServer, clientTls(client, { kind: 'controller' }));
  expect(peers).toEqual([HOST, HOST, { kind: 'host', hostId: 'renewed' }]);
  const other = new Certificates(await authority.certify({ kind: 'host', hostId: 'x' }));
  expect(await caught(ask(wireServer, clientTls(other, { kind: 'host' })))).toMatchObject({
    message: expect.stringMatching(/it is controller renewed,/),
  });
  // A client whose connection is made again by itself, too.
  await wireServer.close(50);
  const again = await serve({
    address: wireServer.address,
    security: serverTls(server),
    services: { Vmm: vmmWith({ getStatus: (_request, call) => ({ line: JSON.stringify(call.peer) }) }) },
  });
  scratch.defer(() => again.close());
  await wire.ready();
  expect((await wire.client('Vmm').getStatus({})).line).toBe('{"kind":"host","hostId":"renewed"}');
});

test('certificates in a folder: kept 0600, refused when others can read them, followed when they change', async () => {
  const folder = scratch.path('tls');
  saveMaterial(folder, await authority.certify(HOST));
  expect(statSync(path.join(folder, 'key.pem')).mode & 0o777).toBe(0o600);
  const certificates = Certificates.fromFolder(folder);
  expect(certificates.identity).toEqual(HOST);
  expect(certificates.renewAtMs).toBeGreaterThan(Date.now() + 19 * DAY_MS);
  expect(certificates.renewAtMs).toBeLessThan(Date.now() + 21 * DAY_MS);
  const failures: string[] = [];
  certificates.follow(folder, 20, (line) => failures.push(line));
  scratch.defer(() => certificates.stop());
  // Half of a renewal: the key of another certificate. What was there stays in use.
  const next = await authority.certify({ kind: 'host', hostId: 'renewed' });
  writeFileSync(path.join(folder, 'cert.pem'), next.certPem);
  await until(() => failures.length > 0, 'the half-written folder is noticed');
  expect(failures[0]).toMatch(/the key is another certificate's/);
  expect(certificates.identity).toEqual(HOST);
  saveMaterial(folder, next);
  await until(() => (certificates.identity as { hostId?: string } | undefined)?.hostId === 'renewed', 'the new certificate is taken');
  chmodSync(path.join(folder, 'key.pem'), 0o644);
  expect(() => Certificates.fromFolder(folder)).toThrow(/key\.pem can be read by others \(mode 0644\): run chmod 600/);
  expect(() => Certificates.fromFolder(scratch.path('nothing'))).toThrow(/cannot be read: ENOENT/);
});

test('a certificate that ends soon is renewed by itself, with a new key, and kept', async () => {
  const folder = scratch.path('tls');
  let now = Date.now();
  const certificates = new Certificates(await authority.certify(HOST));
  const before = certificates.material;
  now += 25 * DAY_MS;
  const told: string[] = [];
  const end = keepRenewed({
    certificates,
    folder,
    now: () => now,
    told: (line) => told.push(line),
    renew: async (csrPem) => {
      const certPem = await (await Authority.open(scratch.path('ca'), () => now)).issue(csrPem, HOST);
      return { certPem, caPem: authority.caPem };
    },
  });
  scratch.defer(end);
  await until(() => told.length > 0, 'it is renewed');
  expect(told[0]).toMatch(/^the certificate was renewed and is good until /);
  expect(certificates.material.keyPem).not.toBe(before.keyPem);
  expect(certificates.endsAtMs).toBeGreaterThan(now + 29 * DAY_MS);
  expect(readFileSync(path.join(folder, 'cert.pem'), 'utf8')).toBe(certificates.material.certPem);
});

class Memory implements JoinTokenStore {
  readonly records = new Map<string, JoinTokenRecord>();

  async put(record: JoinTokenRecord): Promise<void> {
    this.records.set(record.id, record);
  }

  async get(id: string): Promise<JoinTokenRecord | undefined> {
    return this.records.get(id);
  }

  async use(id: string, usedAtMs: number): Promise<boolean> {
    const record = this.records.get(id);
    if (!record || record.usedAtMs !== undefined) return false;
    this.records.set(id, { ...record, usedAtMs });
    return true;
  }
}

test('a join token is good once, for its time, for its cluster; the store never sees its secret', async () => {
  let now = 1_000_000;
  const store = new Memory();
  const tokens = new JoinTokens(store, authority.fingerprint, () => now);
  const { token, endsAtMs } = await tokens.create();
  expect(endsAtMs).toBe(now + 3_600_000);
  const { fingerprint, secret } = openJoinToken(` ${token}\n`);
  expect(fingerprint).toBe(authority.fingerprint);
  expect(JSON.stringify([...store.records.values()])).not.toContain(secret);

  // Two hosts at the same moment: the store lets one through.
  const results = await Promise.allSettled([tokens.use(token), tokens.use(token)]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await caught(tokens.use(token))).toMatchObject({ code: 'denied', message: expect.stringMatching(/has been used/) });
  const other = await tokens.create({ validMs: 1_000 });
  now += 1_000;
  expect(await caught(tokens.use(other.token))).toMatchObject({ code: 'denied', message: expect.stringMatching(/too old/) });
  expect(await caught(tokens.use(sealJoinToken(authority.fingerprint, 'x'.repeat(43))))).toMatchObject({
    code: 'denied',
    message: expect.stringMatching(/not known here/),
  });
  expect(await caught(tokens.use(sealJoinToken('0'.repeat(64), secret)))).toMatchObject({
    code: 'denied',
    message: expect.stringMatching(/another cluster/),
  });
  expect(await caught(tokens.use('nonsense'))).toMatchObject({ code: 'invalid' });
  expect(await caught(tokens.create({ validMs: 30 * DAY_MS }))).toMatchObject({ code: 'invalid' });
});

test('a host finds the cluster’s CA by its fingerprint, and nothing else passes for it', async () => {
  const { server } = await listening(serverTls(new Certificates(await authority.certify(CONTROLLER)), 'optional'));
  const caPem = await fetchAuthority(server.address, authority.fingerprint);
  expect(fingerprintOf(caPem)).toBe(authority.fingerprint);
  expect(await ask(server, { kind: 'tls-anonymous', caPem, expect: { kind: 'controller' } })).toMatchObject({ pid: 7 });

  const foreign = await Authority.open(scratch.path('foreign'));
  expect(await caught(fetchAuthority(server.address, foreign.fingerprint))).toMatchObject({
    code: 'denied',
    message: expect.stringMatching(/is not of the cluster that the join token is from/),
  });
  // Somebody who shows the CA's certificate in his chain but has no certificate of it: found, and then refused by TLS.
  const impostor = new Certificates({ ...(await foreign.certify(CONTROLLER)), caPem: authority.caPem });
  const trap = await listening(serverTls(impostor, 'optional'));
  const found = await fetchAuthority(trap.server.address, authority.fingerprint).catch((error: WireError) => error.code);
  if (found !== 'denied')
    expect(await caught(ask(trap.server, { kind: 'tls-anonymous', caPem: authority.caPem, expect: { kind: 'controller' } }))).toMatchObject(
      { code: 'unavailable' },
    );
  // An agent of the cluster is no controller.
  const host = await listening(serverTls(new Certificates(await authority.certify(HOST)), 'optional'));
  expect(await caught(ask(host.server, { kind: 'tls-anonymous', caPem: authority.caPem, expect: { kind: 'controller' } }))).toMatchObject({
    message: expect.stringMatching(/it is the agent of host host-a, but controller was expected/),
  });
  expect(await caught(fetchAuthority('127.0.0.1:1', authority.fingerprint))).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^nobody listens at 127\.0\.0\.1:1/),
  });
});
