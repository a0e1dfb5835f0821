/** A server that cannot be reached: one sentence for each cause, within the call's time, on plain and on TLS connections. */
import net from 'node:net';
import { Certificates } from '../certificates';
import { WireError } from '../errors';
import { Authority } from '../pki/authority';
import { type ClientSecurity, clientTls, PLAIN, serverTls } from '../security';
import { serve } from '../server/serve';
import { Scratch, vmmWith } from '../testing/support';
import { connect } from './connect';

let scratch: Scratch;
let certificates: Certificates;
let tls: ClientSecurity;
beforeAll(async () => {
  scratch = new Scratch();
  const authority = await Authority.open(scratch.path('ca'));
  certificates = new Certificates(await authority.certify({ kind: 'host', hostId: 'a' }));
  tls = clientTls(certificates, { kind: 'host' });
});
afterAll(() => scratch.clear());

/** A program that is not ours. */
async function program(onConnection: (socket: net.Socket) => void): Promise<string> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scratch.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

async function failure(address: string, security: ClientSecurity): Promise<{ code: string; line: string }> {
  const wire = connect({ address, security });
  try {
    const error = await wire
      .client('Vmm')
      .getStatus({}, { deadlineMs: 1_500 })
      .then(
        () => undefined,
        (error) => error,
      );
    expect(error).toBeInstanceOf(WireError);
    expect(error.message).not.toMatch(/\n|undefined|\[object/);
    return { code: error.code, line: error.message.replaceAll(address, 'ADDRESS') };
  } finally {
    wire.close();
  }
}

test('nobody listens', async () => {
  const line = 'nobody listens at ADDRESS: is the process running, and the address right?';
  expect(await failure('127.0.0.1:1', PLAIN)).toEqual({ code: 'unavailable', line });
  expect(await failure('127.0.0.1:1', tls)).toEqual({ code: 'unavailable', line });
  expect(await failure(`unix:${scratch.path('none')}`, PLAIN)).toEqual({
    code: 'unavailable',
    line: 'there is no socket ADDRESS: is the process running, and the path right?',
  });
});

test('a process that takes connections and says nothing', async () => {
  const address = await program((socket) => socket.resume());
  const line = expect.stringMatching(/^ADDRESS takes connections but does not answer: is the process there stopped/);
  expect(await failure(address, PLAIN)).toEqual({ code: 'unavailable', line });
  expect(await failure(address, tls)).toEqual({ code: 'unavailable', line });
});

test('a port of another program', async () => {
  const ssh = await program((socket) => socket.end('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n'));
  expect(await failure(ssh, PLAIN)).toEqual({
    code: 'unavailable',
    line: 'ADDRESS does not speak gRPC: is it the port of another program?',
  });
  expect((await failure(ssh, tls)).line).toMatch(/^ADDRESS (does not speak TLS|ended the TLS handshake)/);
  const web = await program(
    (socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')),
  );
  expect((await failure(web, PLAIN)).line).toBe('ADDRESS does not speak gRPC: is it the port of another program?');
  expect((await failure(web, tls)).line).toMatch(/^ADDRESS (does not speak TLS|ended the TLS handshake)/);
  const curt = await program((socket) => socket.destroy());
  expect((await failure(curt, PLAIN)).line).toMatch(/^ADDRESS (closed the connection without a word|ended the connection)/);
});

test('TLS against plain, and plain against TLS', async () => {
  const services = { Vmm: vmmWith({}) };
  const plain = await serve({ address: '127.0.0.1:0', security: PLAIN, services });
  scratch.defer(() => plain.close(50));
  expect(await failure(plain.address, tls)).toEqual({
    code: 'unavailable',
    line: expect.stringMatching(/^ADDRESS (does not speak TLS, and this call came with it|ended the TLS handshake)/),
  });
  const secure = await serve({ address: '127.0.0.1:0', security: serverTls(certificates), services });
  scratch.defer(() => secure.close(50));
  expect(await failure(secure.address, PLAIN)).toEqual({
    code: 'unavailable',
    line: expect.stringMatching(/^ADDRESS (speaks TLS, and this call came without|closed the connection without a word: it may want TLS)/),
  });
});

test('a service that is not served there', async () => {
  const server = await serve({ address: '127.0.0.1:0', security: PLAIN, services: {} });
  scratch.defer(() => server.close(50));
  expect(await failure(server.address, PLAIN)).toEqual({
    code: 'unsupported',
    line: expect.stringMatching(/^ADDRESS does not know this method: is it an older version, or another program\?/),
  });
});

test('ready says the same, at once when it is known, and waits for a server that comes', async () => {
  const began = connect({ address: '127.0.0.1:1', security: PLAIN });
  await expect(began.ready({ timeoutMs: 60_000 })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/^nobody listens/),
  });
  await expect(began.ready({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  began.close();
  const address = `unix:${scratch.path('later')}`;
  const wire = connect({ address, security: PLAIN });
  await expect(wire.client('Vmm').getStatus({})).rejects.toMatchObject({ code: 'unavailable' });
  const server = await serve({ address, security: PLAIN, services: { Vmm: vmmWith({ getStatus: () => ({ pid: 7 }) }) } });
  scratch.defer(() => server.close(50));
  await wire.ready();
  expect(await wire.client('Vmm').getStatus({})).toMatchObject({ pid: 7 });
  wire.close();
});

test('a connection that is lost during a call leaves the outcome open, and says so', async () => {
  let begun!: () => void;
  const isBegun = new Promise<void>((resolve) => (begun = resolve));
  const server = await serve({
    address: '127.0.0.1:0',
    security: PLAIN,
    services: { Vmm: vmmWith({ pause: () => (begun(), new Promise(() => {})) }) },
  });
  const wire = connect({ address: server.address, security: PLAIN });
  const paused = wire
    .client('Vmm')
    .pause({})
    .catch((error) => error);
  await isBegun;
  await server.close(0);
  expect(await paused).toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(/was lost: whether it did what was asked is not known$/),
    remote: false,
  });
  wire.close();
});
