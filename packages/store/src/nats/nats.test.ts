/**
 * Proves what only NATS can do to the store: servers that are away, come back, refuse, run out of room, or
 * hold something else; TLS and credentials; messages in the log that must not count; a log that was replaced. Against
 * real servers on loopback.
 */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { connect, headers, type NatsConnection } from 'nats';
import { NatsServers } from '../../../../test/support/nats-server';
import { StoreError } from '../errors';
import { HISTORY_PER_KEY } from '../limits';
import type { Memory } from '../memory';
import { bytes, contents, noted, text, upToCurrent } from '../testing/bench';
import type { NatsOptions } from './connection';
import { AFTER, WRITE_ID } from './leader-log';
import { openNats } from './open-nats';

let servers: NatsServers | undefined;
let raw: NatsConnection | undefined;
const opened: Memory[] = [];
let problems: string[] = [];

beforeEach(() => (problems = []));
afterEach(async () => {
  for (const memory of opened.splice(0)) await memory.close();
  await raw?.close();
  await servers?.stop();
  [raw, servers] = [undefined, undefined];
});

async function open(options: Partial<NatsOptions> = {}): Promise<Memory> {
  const memory = await openNats({ servers: servers!.urls, onProblem: (problem) => problems.push(problem), ...options });
  opened.push(memory);
  return memory;
}

const refused = async (what: Promise<unknown>): Promise<StoreError> => {
  const error = await what.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
};

test('nobody there: told in bounded time, with the servers named', async () => {
  const error = await refused(openNats({ servers: ['127.0.0.1:1', '127.0.0.1:2'], operationTimeoutMs: 500 }));
  expect([error.code, error.message]).toEqual([
    'unavailable',
    expect.stringMatching(/^NATS at 127\.0\.0\.1:1, 127\.0\.0\.1:2 did not answer in time while connecting/),
  ]);
});

test('a server without JetStream is told', async () => {
  servers = await NatsServers.start({ jetstream: false });
  expect((await refused(openNats({ servers: servers.urls, operationTimeoutMs: 1_000 }))).message).toMatch(
    /JetStream; enable it there|did not answer in time/,
  );
});

test('a server that dies and comes back costs time, not data; a watch misses nothing', async () => {
  servers = await NatsServers.start();
  const [node] = servers.nodes;
  const memory = await open({ operationTimeoutMs: 20_000 });
  const brief = await open({ operationTimeoutMs: 700 });
  await memory.store.put('w/a', bytes('1'));
  await brief.store.get('w/a');
  const watch = memory.store.watch('w/')[Symbol.asyncIterator]();
  const subscription = memory.events.subscribe({})[Symbol.asyncIterator]();
  expect(noted(await upToCurrent(watch))).toEqual(['reset', 'w/a=1', 'current']);
  await node.kill();
  const away = await refused(brief.store.get('w/a'));
  expect([away.code, away.message]).toEqual([
    'unavailable',
    expect.stringMatching(/nothing was changed: check that a majority of its servers runs$/),
  ]);
  expect(text((await brief.store.get('w/a', { local: true }))!.value)).toBe('1');
  expect((await refused(brief.store.put('w/x', bytes('1')))).code).toBe('unavailable');
  expect((await refused(brief.events.publish({ kind: 'vm', id: 'a', data: 1 }))).code).toBe('unavailable');
  // Asked for while it is away, done when it is back.
  const late = memory.store.put('w/b', bytes('2'));
  const published = memory.events.publish({ kind: 'vm', id: 'a', data: 'late' });
  await node.run();
  await late;
  await published;
  expect(noted(await upToCurrent(watch))).toEqual(['w/b=2', 'current']);
  const { value: first } = await subscription.next();
  expect(first).toMatchObject({ type: 'event', event: { data: 'late' } });
  expect(text((await brief.store.get('w/b'))!.value)).toBe('2');
});

test('a server that hangs is given up; a write without an answer says so, and can be found out', async () => {
  servers = await NatsServers.start();
  const [node] = servers.nodes;
  const memory = await open({ operationTimeoutMs: 1_500 });
  const revision = await memory.store.put('a', bytes('1'));
  node.hang();
  const error = await refused(memory.store.put('a', bytes('2'), { expect: revision }));
  expect([error.code, error.mayHaveHappened]).toEqual(['unavailable', true]);
  expect(error.message).toMatch(/it is not known whether it was done: read the key to learn that/);
  node.goOn();
  const patient = await open({ operationTimeoutMs: 20_000 });
  // It was on its way when the server hung; nothing came between.
  expect(text((await patient.store.get('a'))!.value)).toMatch(/^[12]$/);
});

test('only what stands where its writer meant it counts; what other programs wrote counts too', async () => {
  servers = await NatsServers.start();
  const { store } = await open();
  const revision = await store.put('a', bytes('right'));
  raw = await connect({ servers: servers.urls });
  const js = raw.jetstream();
  const tooLate = headers();
  tooLate.set(AFTER, String(revision - 1));
  tooLate.set(WRITE_ID, 'another.1');
  await js.publish('$KV.godwit.a', bytes('too late'), { headers: tooLate });
  await js.publish('$KV.godwit.by/hand', bytes('as with the nats command'));
  await js.publish('$KV.godwit.no key.at all'.replaceAll(' ', '~'), bytes('ignored'));
  expect(await contents(store)).toEqual(
    new Map([
      ['a', 'right'],
      ['by/hand', 'as with the nats command'],
    ]),
  );
  expect((await store.history('a')).length).toBe(1);
  const anew = await open();
  expect(await contents(anew.store)).toEqual(await contents(store));
  await store.put('a', bytes('next'), { expect: revision });
  expect(text((await anew.store.get('a'))!.value)).toBe('next');
});

test('what is superseded leaves the stream; late writes in between push out nothing that counts', async () => {
  servers = await NatsServers.start();
  const { store } = await open();
  raw = await connect({ servers: servers.urls });
  const jsm = await raw.jetstreamManager();
  for (let index = 0; index < 200; index++) {
    await store.put('hot', bytes(`${index}`));
    if (index % 10 === 0) {
      const tooLate = headers();
      tooLate.set(AFTER, '1');
      await raw.jetstream().publish('$KV.godwit.hot', bytes('too late'), { headers: tooLate });
    }
  }
  expect((await store.history('hot')).map((change) => change.type === 'put' && Number(text(change.value)))).toEqual(
    Array.from({ length: HISTORY_PER_KEY }, (_, back) => 199 - back),
  );
  for (let reads = 0; reads < 200; reads++) await store.get('hot');
  const until = Date.now() + 10_000;
  const count = async (): Promise<number> => (await jsm.streams.info('KV_godwit')).state.messages;
  while ((await count()) > 150 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await count()).toBeLessThanOrEqual(150);
  expect(await contents((await open()).store)).toEqual(new Map([['hot', '199']]));
});

test('a log that was replaced is noticed, and read anew', async () => {
  servers = await NatsServers.start();
  const { store } = await open();
  for (let index = 0; index < 20; index++) await store.put(`old/${index}`, bytes('1'));
  const watch = store.watch('')[Symbol.asyncIterator]();
  expect((await upToCurrent(watch)).length).toBe(22);
  raw = await connect({ servers: servers.urls });
  const jsm = await raw.jetstreamManager();
  const { config } = await jsm.streams.info('KV_godwit');
  await jsm.streams.delete('KV_godwit');
  await jsm.streams.add(config);
  await raw.jetstream().publish('$KV.godwit.from/backup', bytes('1'));
  expect([...(await contents(store)).keys()]).toEqual(['from/backup']);
  expect(noted(await upToCurrent(watch))).toEqual(['reset', 'from/backup=1', 'current']);
  expect(problems).toEqual([expect.stringMatching(/is read anew: the log was shortened$/)]);
});

test("a newer version's store and a stream that forgets are refused", async () => {
  servers = await NatsServers.start();
  await (await open({ name: 'newer' })).close();
  raw = await connect({ servers: servers.urls });
  await raw.jetstream().publish('$KV.newer._schema', bytes('2'));
  const newer = await refused(openNats({ servers: servers.urls, name: 'newer' }));
  expect([newer.code, newer.message]).toEqual([
    'newer-schema',
    expect.stringContaining('(schema 2, this one knows 1); install that version on every controller'),
  ]);
  const jsm = await raw.jetstreamManager();
  await jsm.streams.add({ name: 'KV_forgets', subjects: ['$KV.forgets.>'], max_msgs_per_subject: 1 });
  const forgets = await refused(openNats({ servers: servers.urls, name: 'forgets' }));
  expect([forgets.code, forgets.message]).toEqual(['corrupt', expect.stringMatching(/^the NATS stream KV_forgets was not made by Godwit/)]);
});

test("the server's own limit is told as full; what is there stays, and it goes on with more room", async () => {
  servers = await NatsServers.start();
  const { store } = await open();
  raw = await connect({ servers: servers.urls });
  const jsm = await raw.jetstreamManager();
  const { config } = await jsm.streams.info('KV_godwit');
  await store.put('a', bytes('1'));
  await jsm.streams.update('KV_godwit', { ...config, max_bytes: 20_000 });
  const full = await refused(store.put('b', new Uint8Array(30_000)));
  expect([full.code, full.mayHaveHappened, full.message]).toEqual([
    'full',
    false,
    expect.stringMatching(/has no room left; give JetStream more storage/),
  ]);
  await store.put('a', bytes('2'));
  await jsm.streams.update('KV_godwit', { ...config, max_bytes: -1 });
  await store.put('b', new Uint8Array(30_000));
  expect((await store.list('')).entries.length).toBe(2);
});

test('TLS and credentials: the right ones are let in, the wrong ones told', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-tls-'));
  try {
    const [mine, other] = [await certificates(), await certificates()];
    for (const name of ['ca', 'cert', 'key'] as const) fs.writeFileSync(path.join(folder, name), mine[name]);
    servers = await NatsServers.start({
      config: `tls { cert_file: "${folder}/cert", key_file: "${folder}/key", ca_file: "${folder}/ca", verify: true }
               authorization { users: [ { user: godwit, password: "right" } ] }`,
    });
    const credentials = { user: 'godwit', password: 'right' };
    const { store } = await open({ tls: mine, credentials });
    await store.put('a', bytes('1'));
    const denied = await refused(
      openNats({ servers: servers.urls, tls: mine, credentials: { user: 'godwit', password: 'wrong' }, operationTimeoutMs: 2_000 }),
    );
    expect(denied.message).toMatch(/refuses these credentials; check user, token or credentials file$/);
    for (const tls of [other, { ca: mine.ca }, undefined]) {
      const error = await refused(openNats({ servers: servers.urls, credentials, operationTimeoutMs: 1_000, ...(tls && { tls }) }));
      expect(error.code).toBe('unavailable');
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** An authority, and one certificate of it for server and client on loopback. */
async function certificates(): Promise<{ ca: string; cert: string; key: string }> {
  const { subtle } = webcrypto;
  x509.cryptoProvider.set(webcrypto as never);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const times = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
  const authority = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    ...times,
    name: 'CN=test CA',
    keys: authority,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  });
  const keys = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const names = new x509.SubjectAlternativeNameExtension([
    { type: 'ip', value: '127.0.0.1' },
    { type: 'dns', value: 'localhost' },
  ]);
  const cert = await x509.X509CertificateGenerator.create({
    ...times,
    subject: 'CN=test',
    issuer: ca.subject,
    signingKey: authority.privateKey,
    publicKey: keys.publicKey,
    signingAlgorithm: algorithm,
    extensions: [names],
  });
  const key = x509.PemConverter.encode(await subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { ca: ca.toString('pem'), cert: cert.toString('pem'), key };
}
