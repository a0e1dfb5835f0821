/**
 * The transport of a migration over real sockets, plain and with mutual TLS: messages whole and in order,
 * back-pressure, the end and its reason; and calls, peers and bytes that do harm elsewhere disturb nothing.
 */
import { createHash } from 'node:crypto';
import http2 from 'node:http2';
import net from 'node:net';
import { Certificates } from '../certificates';
import { connect } from '../client/connect';
import { Authority } from '../pki/authority';
import { type ClientSecurity, clientTls, PLAIN, type ServerSecurity, serverTls } from '../security';
import { serve } from '../server/serve';
import { rest, Scratch, until } from '../testing/support';
import { dialMigration } from './dial';
import { EXCHANGE_PATH, ID_HEADER, MigrationListener, TOKEN_HEADER } from './listener';
import type { MigrationTransport } from './transport';

const TOKEN = 'a-token-of-this-migration';
const MESSAGE = 512 * 1024;
const LINGER_MS = 300;

let scratch: Scratch;
let secure: { server: ServerSecurity; client: ClientSecurity; elsewhere: ClientSecurity };
beforeAll(async () => {
  const folder = new Scratch();
  const authority = await Authority.open(folder.path('ca'));
  const certificates = async (hostId: string) => new Certificates(await authority.certify({ kind: 'vmm', hostId, vmId: 'v' }));
  const source = { kind: 'vmm', hostId: 'source' } as const;
  secure = {
    server: serverTls(await certificates('source')),
    client: clientTls(await certificates('target'), source),
    elsewhere: clientTls(await certificates('elsewhere'), source),
  };
  await folder.clear();
});
beforeEach(() => (scratch = new Scratch()));
afterEach(() => scratch.clear());

interface Source {
  readonly listener: MigrationListener;
  readonly address: string;
  readonly refused: string[];
}

async function source(security: ServerSecurity = PLAIN, handshakeMs?: number): Promise<Source> {
  const listener = new MigrationListener({ lingerMs: LINGER_MS });
  const refused: string[] = [];
  const server = await serve({
    address: '127.0.0.1:0',
    security,
    services: { Incoming: { call: async () => ({}) } },
    raw: [listener],
    onRefused: (line) => refused.push(line),
    limits: { handshakeMs },
  });
  scratch.defer(() => server.close(0));
  return { listener, address: server.address, refused };
}

let migrations = 0;
async function joined(
  { listener, address }: Source,
  security: ClientSecurity = PLAIN,
): Promise<{ from: MigrationTransport; to: MigrationTransport }> {
  const migrationId = `m${migrations++}`;
  const expected = listener.expect({ migrationId, token: TOKEN, hostId: security.kind === 'plain' ? undefined : 'target' });
  const to = await dialMigration({ address, migrationId, token: TOKEN, security });
  return { from: await expected, to };
}

/** What arrives, as sums; and the end. */
function record(transport: MigrationTransport): { readonly sums: string[]; readonly ends: string[]; bytes: number } {
  const heard = { sums: [] as string[], ends: [] as string[], bytes: 0 };
  transport.listen({
    message: (message) => {
      heard.sums.push(sum(message));
      heard.bytes += message.length;
    },
    closed: (why) => heard.ends.push(why),
  });
  return heard;
}
const sum = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

describe.each(['plain', 'mTLS'] as const)('%s', (kind) => {
  const both = () => (kind === 'plain' ? ([PLAIN, PLAIN] as const) : ([secure.server, secure.client] as const));

  test('messages of any size arrive whole, in order, both ways at once, and each end knows the other', async () => {
    const [server, client] = both();
    const { from, to } = await joined(await source(server), client);
    expect([from.peer, to.peer]).toEqual(
      kind === 'plain'
        ? [{ kind: 'anonymous' }, { kind: 'anonymous' }]
        : [
            { kind: 'vmm', hostId: 'target', vmId: 'v' },
            { kind: 'vmm', hostId: 'source', vmId: 'v' },
          ],
    );
    const heard = { from: record(from), to: record(to) };
    const sizes = [4, 64, 4096, 65_536, 1, MESSAGE, 1024 * 1024, 127, 128, 16_384, 3];
    const wanted: string[] = [];
    const sending: Promise<void>[] = [];
    for (const [number, size] of sizes.entries()) {
      const message = Buffer.alloc(size, number + 1);
      wanted.push(sum(message));
      sending.push(from.send(message), to.send(message));
    }
    await Promise.all(sending);
    from.close();
    expect([await from.closed, await to.closed]).toEqual(['it was closed here', 'the other end closed it']);
    expect(heard.to.sums).toEqual(wanted);
    expect(heard.to.ends).toEqual(['the other end closed it']);
    expect(heard.from.ends).toEqual(['it was closed here']);
  });

  test('a buffer may be used again once send has settled: nothing of the next message shows in the one before', async () => {
    const [server, client] = both();
    const { from, to } = await joined(await source(server), client);
    const heard = record(to);
    const buffers = [1, 2, 3].map(() => Buffer.alloc(MESSAGE));
    const wanted: string[] = [];
    let next = 0;
    await Promise.all(
      buffers.map(async (buffer) => {
        while (next < 60) {
          buffer.fill(next++);
          wanted.push(sum(buffer));
          await from.send(buffer);
          buffer.fill(0xee);
        }
      }),
    );
    from.close();
    await to.closed;
    expect(heard.sums).toEqual(wanted);
  });

  test('a connection that speaks outlives the time for handshakes, also while it is quiet', async () => {
    const [server, client] = both();
    const { from, to } = await joined(await source(server, 200), client);
    const heard = record(to);
    record(from);
    await rest(800);
    await from.send(Buffer.alloc(8));
    await until(() => heard.bytes === 8, 'the message arrives');
    expect(heard.ends).toEqual([]);
    to.close();
    await from.closed;
  });

  test('what was sent before close is still delivered, from either end', async () => {
    const [server, client] = both();
    for (const sender of ['from', 'to'] as const) {
      const ends = await joined(await source(server), client);
      const receiver = sender === 'from' ? 'to' : 'from';
      const heard = record(ends[receiver]);
      for (let number = 0; number < 8; number++) void ends[sender].send(Buffer.alloc(MESSAGE, number));
      ends[sender].close();
      expect(await ends[receiver].closed).toBe('the other end closed it');
      expect(heard.sums).toHaveLength(8);
      expect(await ends[sender].closed).toBe('it was closed here');
      await expect(ends[sender].send(Buffer.alloc(4))).rejects.toThrow();
    }
  });
});

test('a receiver that is slow to listen holds the sender back: a few messages are under way, not more', async () => {
  const { from, to } = await joined(await source());
  record(from);
  let settled = 0;
  const sends = Array.from({ length: 40 }, (_, number) => from.send(Buffer.alloc(MESSAGE, number)).then(() => settled++));
  await rest(500);
  // The window of 1 MiB and the sockets' own buffers.
  expect(settled).toBeLessThan(20);
  const heard = record(to);
  await Promise.all(sends);
  await until(() => heard.sums.length === 40, 'all have arrived');
  to.close();
  await from.closed;
});

test('a target that never reads costs a bounded number of sends, and close ends it', async () => {
  const { from, to } = await joined(await source());
  const sends = Array.from({ length: 64 }, () => from.send(Buffer.alloc(64 * 1024 * 16)));
  const outcomes = Promise.allSettled(sends);
  await expect(from.send(Buffer.alloc(4))).rejects.toThrow(/64 messages wait to be sent/);
  from.close();
  expect(await from.closed).toBe('the other end did not take what was sent last');
  expect((await outcomes).some(({ status }) => status === 'rejected')).toBe(true);
  record(to);
  expect(await to.closed).toMatch(/was cut|was lost/);
});

test('a call with a wrong token, of another migration, or from another host is refused in words, and the right one is still taken', async () => {
  const { listener, address } = await source(secure.server);
  const expected = listener.expect({ migrationId: 'm', token: TOKEN, hostId: 'target' });
  const call = (migrationId: string, token: string, security = secure.client) => dialMigration({ address, migrationId, token, security });
  await expect(call('m', `${TOKEN}!`)).rejects.toMatchObject({
    code: 'denied',
    message: 'the token is not the one of migration m',
    remote: true,
  });
  await expect(call('m', '')).rejects.toMatchObject({ code: 'denied' });
  await expect(call('other', TOKEN)).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringMatching(/^no migration other is waited for here/),
  });
  await expect(call('m', TOKEN, secure.elsewhere)).rejects.toMatchObject({
    code: 'denied',
    message: 'migration m goes to host target, and the process of VM v on host elsewhere called',
  });
  const to = await call('m', TOKEN);
  const from = await expected;
  const heard = record(to);
  // Used: not even the right host may come twice, and the first is not disturbed.
  await expect(call('m', TOKEN)).rejects.toMatchObject({ code: 'denied', message: expect.stringMatching(/its token is used$/) });
  await from.send(Buffer.alloc(8));
  await until(() => heard.bytes === 8, 'the transport still works');
  from.close();
  await to.closed;
});

test('without a certificate, with TLS against plain, and where nobody is, the target is told why', async () => {
  const { listener, address } = await source(secure.server);
  const expected = listener
    .expect({ migrationId: 'm', token: TOKEN, timeoutMs: 60_000, signal: AbortSignal.timeout(4_000) })
    .catch((error) => error);
  const dial = (address: string, security: ClientSecurity) => dialMigration({ address, migrationId: 'm', token: TOKEN, security });
  await expect(dial(address, PLAIN)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/speaks TLS|may want TLS/),
  });
  const plain = await source();
  await expect(dial(plain.address, secure.client)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/does not speak TLS|ended the TLS handshake/),
  });
  await expect(dial('127.0.0.1:1', PLAIN)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^nobody listens at 127\.0\.0\.1:1/),
  });
  await expect(dial('192.0.2.1:1', PLAIN)).rejects.toMatchObject({ code: 'precondition' });
  await expect(
    dialMigration({
      address,
      migrationId: 'm',
      token: TOKEN,
      security: secure.client,
      signal: AbortSignal.abort(new Error('cancelled by the operator')),
    }),
  ).rejects.toThrow('cancelled by the operator');
  expect(await expected).toMatchObject({ name: 'TimeoutError' });
});

test('a call that does not come ends the wait: in time, or when it is given up; and leaves room for the next', async () => {
  const { listener, address } = await source();
  await expect(listener.expect({ migrationId: 'm', token: TOKEN, timeoutMs: 50 })).rejects.toMatchObject({
    code: 'unavailable',
    message: 'the target host did not call within 0.05 s: can it reach this host?',
  });
  const stop = new AbortController();
  const expected = listener.expect({ migrationId: 'm', token: TOKEN, signal: stop.signal });
  await expect(listener.expect({ migrationId: 'm', token: TOKEN })).rejects.toMatchObject({ code: 'exists' });
  stop.abort(new Error('the migration was cancelled'));
  await expect(expected).rejects.toThrow('the migration was cancelled');
  await expect(dialMigration({ address, migrationId: 'm', token: TOKEN, security: PLAIN })).rejects.toMatchObject({ code: 'not-found' });
  const { from, to } = await joined({ listener, address, refused: [] });
  from.close();
  await to.closed;
});

test('the other process dies: both its sends and its end say so', async () => {
  for (const dead of ['from', 'to'] as const) {
    const { listener } = await source();
    const server = await serve({ address: '127.0.0.1:0', security: PLAIN, services: {}, raw: [listener] });
    // Between the two, something that can be cut.
    const proxy = await relay(server.address);
    const ends = await joined({ listener, address: proxy.address, refused: [] });
    const alive = dead === 'from' ? ends.to : ends.from;
    const heard = record(alive);
    const sends = Promise.allSettled([1, 2, 3, 4, 5, 6].map(() => alive.send(Buffer.alloc(1024 * 1024))));
    proxy.cut();
    expect(await alive.closed).toMatch(/^the connection (to 127\.0\.0\.1:\d+ was cut|was lost)/);
    expect(heard.ends).toHaveLength(1);
    expect((await sends).some(({ status }) => status === 'rejected')).toBe(true);
    await server.close(0);
  }
});

test('a peer that vanishes without a word is noticed by keepalive, on either side', async () => {
  const listener = new MigrationListener();
  const server = await serve({
    address: '127.0.0.1:0',
    security: PLAIN,
    services: {},
    raw: [listener],
    limits: { keepaliveMs: 200, keepaliveTimeoutMs: 300 },
  });
  scratch.defer(() => server.close(0));
  const proxy = await relay(server.address);
  const expected = listener.expect({ migrationId: 'm', token: TOKEN });
  const to = await dialMigration({
    address: proxy.address,
    migrationId: 'm',
    token: TOKEN,
    security: PLAIN,
    keepalive: { everyMs: 200, timeoutMs: 300 },
  });
  const from = await expected;
  record(from);
  record(to);
  await rest(900);
  const isOver = await Promise.race([from.closed, to.closed, Promise.resolve('')]);
  expect(isOver).toBe('');
  proxy.stall();
  expect(await to.closed).toBe('the connection was lost: the other end has not answered for 0.3 s');
  expect(await from.closed).toMatch(/^the connection (to 127\.0\.0\.1:\d+ was cut|was lost)/);
});

test('a target that breaks the protocol is cut off with the reason, and others go on', async () => {
  const there = await source();
  const good = await joined(there);
  const heard = record(good.to);
  const attack = async (migrationId: string, ...chunks: Buffer[]): Promise<string> => {
    const expected = there.listener.expect({ migrationId, token: TOKEN });
    const session = http2.connect(`http://${there.address}`);
    session.on('error', () => {});
    const stream = session.request(
      { ':method': 'POST', ':path': EXCHANGE_PATH, 'content-type': 'application/grpc', [ID_HEADER]: migrationId, [TOKEN_HEADER]: TOKEN },
      { endStream: false },
    );
    stream.on('error', () => {});
    const from = await expected;
    const heard = record(from);
    for (const chunk of chunks) stream.write(chunk);
    if (chunks.length === 0) session.destroy();
    const why = await from.closed;
    expect(heard.sums).toEqual([]);
    session.destroy();
    return why;
  };
  expect(await attack('a', Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]))).toBe(
    'the other end broke the protocol: a message of 2147483647 bytes came; 1048576 are allowed',
  );
  expect(await attack('b', Buffer.alloc(200_000, 0xa5))).toMatch(
    /^the other end broke the protocol: what came is no message of a migration/,
  );
  expect(await attack('c')).toMatch(/was cut|was lost/);
  await good.from.send(Buffer.alloc(8));
  await until(() => heard.bytes === 8, 'the other migration goes on');
  good.from.close();
  await good.to.closed;
});

test('a call that ends in the midst of a message says so', async () => {
  const there = await source();
  const expected = there.listener.expect({ migrationId: 'half', token: TOKEN });
  const session = http2.connect(`http://${there.address}`);
  const stream = session.request(
    { ':method': 'POST', ':path': EXCHANGE_PATH, [ID_HEADER]: 'half', [TOKEN_HEADER]: TOKEN },
    { endStream: false },
  );
  stream.end(Buffer.from([0, 0, 0, 1, 0, 0x0a]));
  stream.resume();
  const from = await expected;
  record(from);
  expect(await from.closed).toBe('the connection ended in the midst of a message');
  session.close();
});

test('garbage, silence and drops by the hundred on the port cost no memory and disturb no call', async () => {
  const there = await source(PLAIN, 300);
  const good = await joined(there);
  const heard = record(good.to);
  const port = Number(there.address.split(':')[1]);
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      Array.from(
        { length: 20 },
        (_, number) =>
          new Promise<void>((resolve) => {
            const socket = net.connect(port, '127.0.0.1', () => socket.write(Buffer.alloc(number % 3 === 0 ? 1 : 65_536, number)));
            socket.on('error', () => {});
            socket.on('close', () => resolve());
            if (number % 4 === 0) socket.setTimeout(20, () => socket.destroy());
            socket.resume();
          }),
      ),
    );
    await good.from.send(Buffer.alloc(1_000));
  }
  await until(() => heard.bytes === 10_000, 'the migration goes on');
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  const wire = connect({ address: there.address, security: PLAIN });
  await wire.client('Incoming').call({});
  wire.close();
  good.from.close();
  await good.to.closed;
});

/** A relay that can be cut, or fall silent with its connections open. */
async function relay(to: string): Promise<{ address: string; cut(): void; stall(): void }> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((near) => {
    const far = net.connect(Number(to.split(':')[1]), '127.0.0.1');
    sockets.push(near, far);
    for (const socket of [near, far]) socket.on('error', () => {});
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scratch.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    stall: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
  };
}
