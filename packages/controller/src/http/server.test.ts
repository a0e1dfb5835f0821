/**
 * Proves the HTTP server over real sockets: nothing is told without a login; a session lies in a cookie that scripts cannot
 * read; another site's page is refused, for calls, streams and consoles; roles are those of gRPC; guessing is slowed down;
 * the live stream shows what is there and what changes; what is no HTTP, and HTTP on the port of HTTPS, is answered clearly.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Authority, Certificates } from '@godwit/wire';
import pino from 'pino';
import { WebSocket } from 'ws';
import { checkConfig } from '../config';
import { type Controller, startController, type Transport } from '../controller';
import { ADMIN, startCrowd } from '../testing/crowd';
import type { FakeAgent } from '../testing/fake-agent';
import { LoginLimit } from './caller';
import { LOGIN_TRIES, LOGIN_WINDOW_MS, MAX_BODY_BYTES } from './limits';
import { HttpServer } from './server';

const folder = mkdtempSync(path.join(tmpdir(), 'http-'));
const log = pino({ level: 'silent' });
const password = 'long enough';
const OWN = { 'x-godwit': '1', 'content-type': 'application/json' };
let controller: Controller;
let agents: FakeAgent[];
let url: string;
let cookie: string;

beforeAll(async () => {
  const config = checkConfig(
    {
      clusterId: randomUUID(),
      clusterName: 'test',
      name: 'c1',
      advertise: '127.0.0.1:1',
      store: { kind: 'embedded', file: path.join(folder, 'store.db') },
      http: { listen: '127.0.0.1:0', tls: false },
      metrics: { listen: '' },
    },
    'test',
  );
  const transport: Transport = {
    authority: { caPem: 'CA', issueAgent: async () => ({ certificatePem: 'PEM', endsAtMs: 1e15 }) },
    sealJoinToken: (token) => token,
    listen: async () => undefined,
    close: async () => undefined,
  };
  controller = await startController(config, { transport, log });
  url = controller.httpUrl;
  while (!controller.health().leads) await new Promise((resolve) => setTimeout(resolve, 10));
  agents = await startCrowd(controller, { hosts: 2, vms: 4 });
  const { PutUser } = controller.services.api.Access;
  if (!('unary' in PutUser)) throw new Error('PutUser is a unary method');
  await PutUser.unary({ name: 'ada', role: 'ROLE_ADMIN', password }, ADMIN);
  await PutUser.unary({ name: 'eve', role: 'ROLE_VIEW', password }, ADMIN);
  cookie = (await logIn('ada')).cookie;
});
afterAll(async () => {
  await controller.stop();
  rmSync(folder, { recursive: true });
});

test('health needs no login, all else does', async () => {
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ leads: true });
  for (const at of ['/api/live', '/metrics']) expect((await fetch(url + at)).status).toBe(401);
  expect(await post('/api/call/Vms/ListVms', {}, OWN)).toMatchObject({ status: 401, body: { error: { code: 'no-login' } } });
  expect(await (await fetch(`${url}/api/session`)).json()).toMatchObject({ user: '', clusterName: 'test' });
});

test('a session is a cookie that scripts cannot read, good until it is ended', async () => {
  const eve = await logIn('eve');
  expect(eve.header).toMatch(/^godwit=godwit_session_[\w-]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
  expect(eve.body).toMatchObject({ user: 'eve', role: 'ROLE_VIEW' });
  expect(JSON.stringify(eve.body)).not.toContain('godwit_session');
  expect((await fetch(`${url}/metrics`, { headers: { cookie: eve.cookie } })).status).toBe(200);
  const ended = await fetch(`${url}/api/session`, { method: 'DELETE', headers: { ...OWN, cookie: eve.cookie } });
  expect(ended.headers.get('set-cookie')).toContain('Max-Age=0');
  expect(await post('/api/call/Vms/ListVms', {}, { ...OWN, cookie: eve.cookie })).toMatchObject({ status: 401, body: { error: { code: 'login-ended' } } });
});

test('roles are those of the API', async () => {
  const eve = await logIn('eve');
  expect(await post('/api/call/Vms/ListVms', {}, { ...OWN, cookie: eve.cookie })).toMatchObject({ status: 200, body: { vms: expect.any(Array) } });
  expect(await post('/api/call/Vms/StopVm', { vm: 'vm-1' }, { ...OWN, cookie: eve.cookie })).toMatchObject({
    status: 403,
    body: { error: { code: 'role', line: 'eve has the role view; this needs operate' } },
  });
  expect(await post('/api/call/Vms/GetVm', { vm: 'nobody' }, { ...OWN, cookie })).toMatchObject({ status: 404, body: { error: { code: 'no-vm' } } });
});

test("another site's page is refused, and so is a form", async () => {
  const stop = (headers: Record<string, string>) => post('/api/call/Vms/ListVms', {}, { cookie, 'content-type': 'application/json', ...headers });
  expect(await stop({ 'x-godwit': '1', origin: 'https://elsewhere.example' })).toMatchObject({ status: 403 });
  expect(await stop({ 'x-godwit': '1', 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
  expect(await stop({})).toMatchObject({ status: 403, body: { error: { line: expect.stringContaining('x-godwit') } } });
  expect(await stop({ 'x-godwit': '1', 'content-type': 'text/plain' })).toMatchObject({ status: 415 });
  expect(await stop({ 'x-godwit': '1', origin: url })).toMatchObject({ status: 200 });
  expect((await fetch(`${url}/api/live`, { headers: { cookie, origin: 'https://elsewhere.example' } })).status).toBe(403);
  expect(await consoleStatus({ cookie, origin: 'https://elsewhere.example' })).toBe(403);
  expect(await consoleStatus({})).toBe(401);
});

test('methods that are not there, streams and logins cannot be called', async () => {
  for (const method of ['Vms/Nothing', 'Vms/WatchVms', 'Agents/Join', 'Access/Login', '__proto__/constructor', 'Vms', 'Vms/ListVms/more'])
    expect(await post(`/api/call/${method}`, {}, { ...OWN, cookie })).toMatchObject({ status: 404 });
  expect(await post('/api/call/Vms/ListVms', 'x'.repeat(MAX_BODY_BYTES + 1), { ...OWN, cookie })).toMatchObject({ status: 413 });
  expect((await fetch(`${url}/api/nothing`)).status).toBe(404);
});

test('logins from one place are slowed down', () => {
  let now = 0;
  const limit = new LoginLimit(() => now);
  for (let tries = 0; tries < LOGIN_TRIES; tries++) limit.admit('192.0.2.1');
  expect(() => limit.admit('192.0.2.1')).toThrow('wait a minute');
  expect(() => limit.admit('192.0.2.2')).not.toThrow();
  now += LOGIN_WINDOW_MS;
  expect(() => limit.admit('192.0.2.1')).not.toThrow();
});

test('a wrong password is refused, and a user who was guessed too often waits', async () => {
  for (let tries = 0; tries < 5; tries++)
    expect(await post('/api/session', { user: 'eve', password: 'wrong' }, OWN)).toMatchObject({ status: 401, body: { error: { code: 'wrong-password' } } });
  expect(await post('/api/session', { user: 'eve', password }, OWN)).toMatchObject({ status: 401, body: { error: { line: expect.stringContaining('too many') } } });
  expect((await post('/api/session', { user: 'ada', password }, { 'content-type': 'application/json' })).status).toBe(403);
});

test('pages load from here alone, with a nonce of their own', async () => {
  const built = mkdtempSync(path.join(folder, 'pages-'));
  writeFileSync(path.join(built, 'index.html'), '<script nonce="__NONCE__"></script>');
  const options = { api: controller.services.api, metrics: controller.metrics, health: () => controller.health(), certificates: undefined, log };
  const server = await HttpServer.listen({ listen: '127.0.0.1:0', tls: false }, { ...options, folder: built });
  const [one, other] = [await fetch(`${server.url}/vms/web1`), await fetch(server.url)];
  const policy = one.headers.get('content-security-policy')!;
  const nonce = /'nonce-([\w-]+)'/.exec(policy)![1];
  expect(await one.text()).toBe(`<script nonce="${nonce}"></script>`);
  expect(policy).toContain("default-src 'none'; script-src 'self';");
  expect(other.headers.get('content-security-policy')).not.toContain(nonce);
  expect(one.headers.get('x-content-type-options')).toBe('nosniff');
  expect((await fetch(`${server.url}/assets/../../etc/passwd.js`)).status).toBe(404);
  await server.close();
});

test('the live stream begins with what is there, and tells what changes', async () => {
  const seen: Record<string, unknown>[] = [];
  const stop = new AbortController();
  const response = await fetch(`${url}/api/live`, { headers: { cookie }, signal: stop.signal });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  let text = '';
  const reader = response.body!.getReader();
  const until = async (holds: (batch: Record<string, unknown>) => boolean): Promise<void> => {
    while (!seen.some(holds)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream ended: ${text}`);
      text += Buffer.from(value).toString();
      const parts = text.split('\n\n');
      text = parts.pop()!;
      for (const part of parts) if (part.startsWith('event: batch')) seen.push(JSON.parse(part.slice(part.indexOf('data: ') + 6)) as Record<string, unknown>);
    }
  };
  await until((batch) => batch.synced === true);
  const names = (seen[0].vms as { spec: { name: string } }[]).map(({ spec }) => spec.name).sort();
  expect(names).toEqual(['vm-1', 'vm-2', 'vm-3', 'vm-4']);
  expect(seen[0]).toMatchObject({ status: { hosts: 2, vmsRunning: 4 }, hosts: [{ name: expect.any(String) }, {}] });
  agents[0].say({ vmm: { ...[...agents[0].vmms.values()][0], cpuUsed: 0.75 } });
  await until((batch) => ((batch.vms ?? []) as { cpuUsed: number }[]).some(({ cpuUsed }) => cpuUsed === 0.75));
  stop.abort();
});

test('what is no HTTP is told so', async () => {
  expect(await raw(Number(new URL(url).port), 'EHLO there\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*this port speaks HTTP/s);
  const authority = await Authority.open(path.join(folder, 'ca'));
  const certificates = new Certificates(await authority.certify({ kind: 'controller', controllerId: 'c1' }));
  const options = { api: controller.services.api, metrics: controller.metrics, health: () => controller.health(), certificates, log };
  const server = await HttpServer.listen({ listen: '127.0.0.1:0' }, options);
  expect(server.url).toMatch(/^https:/);
  expect(await raw(Number(new URL(server.url).port), 'GET / HTTP/1.1\r\nhost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*use https/s);
  await server.close();
  await expect(HttpServer.listen({ listen: '0.0.0.0:0', tls: false }, options)).rejects.toThrow('loopback');
  await expect(HttpServer.listen({ listen: new URL(url).host, tls: false }, options)).rejects.toThrow('EADDRINUSE');
});

async function logIn(user: string) {
  const answer = await fetch(`${url}/api/session`, { method: 'POST', headers: OWN, body: JSON.stringify({ user, password }) });
  const header = answer.headers.get('set-cookie') ?? '';
  return { header, cookie: header.split(';')[0], body: (await answer.json()) as object };
}

async function post(at: string, body: object | string, headers: Record<string, string>): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(url + at, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
  return { status: answer.status, body: await answer.json().catch(() => undefined) };
}

/** The status that a WebSocket to a console is refused with. */
function consoleStatus(headers: Record<string, string>): Promise<number | undefined> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/api/console/vm-1`, { headers });
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (request: http.ClientRequest, response: http.IncomingMessage) => {
      resolve(response.statusCode);
      request.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('open', () => reject(new Error('it was let in')));
  });
}

async function raw(port: number, text: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data: Buffer) => {
    answer += data.toString();
  });
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return answer;
}
