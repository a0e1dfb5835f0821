/**
 * Proves, with libslirp itself and a guest made of bytes, without privilege:
 * addresses, gateway, ping, TCP out to this host and in through a forward; a VM
 * that moves to another port of the switch keeps its connections; hostile
 * frames and broken streams hurt nobody else; the process ends with its parent,
 * on SIGTERM, and cleans up.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net, { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { formatIpv4 } from './ipv4';
import { formatMac } from './mac';
import { mac } from './testing/packets';
import { RawGuest } from './testing/raw-guest';
import { connectUsernetControl, startUsernet, Usernet, UsernetControl } from './usernet';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-usernet-'));
const socket = path.join(folder, 'net');
const control = path.join(folder, 'control');
const library = process.env.GODWIT_LIBSLIRP ?? 'libslirp.so.0';

afterAll(() => fs.rmSync(folder, { recursive: true }));

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a usernet', () => {
  let usernet: Usernet;
  let steer: UsernetControl;
  let server: http.Server;
  let port: number;
  const body = Buffer.alloc(300_000, 'godwit ');

  beforeAll(async () => {
    server = http.createServer((request, response) => {
      response.setHeader('connection', 'close');
      response.end(request.url === '/big' ? body : 'hello guest');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    usernet = await startUsernet({ socket, control, library });
    steer = await connectUsernetControl(control);
  });
  afterAll(async () => {
    steer?.close();
    await usernet?.stop();
    await new Promise((resolve) => server.close(resolve));
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  async function guest(last: number): Promise<RawGuest> {
    const made = await RawGuest.connect(socket, mac(last));
    await made.dhcp();
    await made.resolveGateway();
    return made;
  }

  test('gives an address, answers ARP and ping, and tells of the lease', async () => {
    const one = await RawGuest.connect(socket, mac(1));
    expect(formatIpv4(await one.dhcp())).toBe('10.0.2.15');
    expect(formatMac(await one.resolveGateway())).toBe('52:55:0a:00:02:02');
    expect(Buffer.from(await one.ping(Buffer.from('are you there?'))).toString()).toBe('are you there?');
    const status = await steer.status();
    expect(status.leases).toEqual([{ mac: '56:00:00:00:00:01', address: '10.0.2.15' }]);
    expect(status.ports.map((p) => p.out)).toEqual([true, false]);
    one.close();
  });

  test('carries TCP from the guest to the host, all bytes in order', async () => {
    const one = await guest(1);
    const text = Buffer.from(await one.tcpExchange(port, Buffer.from('GET / HTTP/1.0\r\n\r\n'))).toString();
    expect(text).toMatch(/200 OK[\s\S]*hello guest$/);
    const big = Buffer.from(await one.tcpExchange(port, Buffer.from('GET /big HTTP/1.0\r\n\r\n'), 40_001));
    expect(big.subarray(big.indexOf('\r\n\r\n') + 4).equals(body)).toBe(true);
    one.close();
  });

  test('forwards a host port to the guest until told otherwise', async () => {
    const one = await guest(1);
    const hostPort = await freePort();
    await steer.addForward(`tcp:127.0.0.1:${hostPort}-80`);
    await expect(steer.addForward(`tcp:127.0.0.1:${hostPort}-81`)).rejects.toThrow(/already/);
    expect((await steer.status()).forwards).toEqual([`tcp:127.0.0.1:${hostPort}-10.0.2.15:80`]);
    const served = one.serveOnce(80, Buffer.from('from the guest'));
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const client = net.connect(hostPort, '127.0.0.1', () => client.write('to the guest'));
      client.on('data', (chunk) => (text += chunk));
      client.on('end', () => (client.end(), resolve(text)));
      client.on('error', reject);
    });
    expect(answer).toBe('from the guest');
    expect(Buffer.from(await served).toString()).toBe('to the guest');
    await steer.removeForward(`tcp:127.0.0.1:${hostPort}-80`);
    await expect(steer.removeForward(`tcp:127.0.0.1:${hostPort}-80`)).rejects.toThrow(/was not there/);
    await expect(steer.addForward(`tcp:127.0.0.1:${port}-80`)).rejects.toThrow(/in use/);
    await expect(steer.addForward(`tcp:127.0.0.1:${hostPort}-10.9.9.9:80`)).rejects.toThrow(/not in 10\.0\.2\.0\/24/);
    await expect(steer.addForward('nonsense')).rejects.toThrow(/no port forward/);
    one.close();
  });

  test('a guest that turns up at another port is the same to the world', async () => {
    const before = await guest(1);
    const after = await RawGuest.connect(socket, mac(1));
    after.ip = before.ip;
    await after.resolveGateway();
    const lost = before.next((f) => (f[12] === 8 && f[13] === 0 ? f : undefined), 300).catch(() => 'nothing');
    expect(Buffer.from(await after.ping(Buffer.from('moved'))).toString()).toBe('moved');
    expect(await lost).toBe('nothing');
    before.close();
    after.close();
  });

  test('lives through hostile frames, and ends a stream that makes no sense', async () => {
    const good = await guest(1);
    const bad = await guest(2);
    let seed = 12345;
    const random = (n: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
    for (let i = 0; i < 4000; i++) {
      const frame = new Uint8Array(14 + random(i % 50 === 0 ? 60_000 : 400));
      for (let k = 0; k < Math.min(frame.length, 120); k++) frame[k] = random(256);
      frame.set([0x52, 0x55, 10, 0, 2, 2, ...mac(2), 8, [0, 6, 0, 0][i & 3]]);
      // Nearly right headers reach deeper: IP, UDP to the services, TCP with odd offsets.
      if (i & 4 && frame.length > 60) {
        frame.set([0x40 | (5 + random(3)), 0, random(8), random(256)], 14);
        frame.set([64, [1, 2, 6, 17][random(4)]], 22);
        frame.set([10, 0, 2, 16, 10, 0, 2, [2, 3, 255, 15][random(4)]], 26);
        frame.set([0, 68, 0, [67, 53, 69, 21][random(4)]], 34);
      }
      bad.send(frame);
    }
    bad.sendBytes(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3));
    for (let i = 0; i < 100 && bad.connected; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(bad.connected).toBe(false);
    expect(Buffer.from(await good.ping(Buffer.from('still'))).toString()).toBe('still');
    good.close();
  }, 15_000);

  test('refuses a second one on the same sockets, and nonsense on the control socket', async () => {
    await expect(startUsernet({ socket, control, library })).rejects.toThrow(/serves .* already/);
    const client = net.connect(control);
    const answers: string[] = [];
    client.on('data', (chunk) => answers.push(chunk.toString()));
    client.write('{"id":9,"do":"dance"}\n{broken\n[]\n');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(answers.join('').trim().split('\n').length).toBe(3);
    const ended = new Promise((resolve) => client.on('close', resolve));
    client.on('error', () => {});
    client.write(Buffer.alloc(1 << 20, 'x'));
    await ended;
    expect((await steer.status()).pid).toBe(usernet.pid);
  });
});

test('says what to do when the library is missing, the network or a path is nonsense', async () => {
  await expect(startUsernet({ socket, control, library: '/nowhere/libslirp.so.0' })).rejects.toThrow(/install libslirp0/);
  await expect(startUsernet({ socket, control, library, network: '10.0.2.1/24' })).rejects.toThrow(/no network/);
  await expect(startUsernet({ socket: `/tmp/${'x'.repeat(120)}`, control })).rejects.toThrow(/shorter folder/);
  await expect(connectUsernetControl(path.join(folder, 'nobody'))).rejects.toThrow(/is it running/);
});

test('restricted guests reach nothing outside, and the host can still come in', async () => {
  const server = http.createServer((_, response) => response.end('secret'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const hostPort = await freePort();
  const forwards = [`tcp::${hostPort}-80`];
  const usernet = await startUsernet({ socket, control, library, forwards, restrict: true, network: '10.0.2.0/25' });
  const guest = await RawGuest.connect(socket, mac(1));
  await guest.dhcp();
  await guest.resolveGateway();
  const asked = guest.tcpExchange(port, Buffer.from('GET / HTTP/1.0\r\n\r\n')).then(String, (error: Error) => error.message);
  const served = guest.serveOnce(80, Buffer.from('welcome'));
  const client = net.connect(hostPort, '127.0.0.1', () => client.write('hello'));
  expect(String(await new Promise((resolve) => client.once('data', resolve)))).toBe('welcome');
  expect(String(Buffer.from(await served))).toBe('hello');
  client.destroy();
  expect(await asked).toMatch(/no such frame came|no connection/);
  guest.close();
  await usernet.stop();
  await new Promise((resolve) => server.close(resolve));
}, 10_000);

test('ends when its parent is killed, and its left-over sockets are taken over', async () => {
  const config = JSON.stringify({ socket, control, library });
  const index = JSON.stringify(path.join(__dirname, '..', 'dist'));
  const parent = spawn(process.execPath, ['-e', `require(${index}).startUsernet(${config}).then(u => console.log(u.pid))`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
  parent.kill('SIGKILL');
  const gone = (): boolean => {
    try {
      return process.kill(pid, 0) && fs.readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
    } catch {
      return true;
    }
  };
  for (let i = 0; i < 100 && !gone(); i++) await new Promise((resolve) => setTimeout(resolve, 30));
  expect(gone()).toBe(true);

  const left = net.createServer().listen(socket);
  await new Promise((resolve) => left.once('listening', resolve));
  fs.renameSync(socket, `${socket}.kept`);
  await new Promise((resolve) => left.close(resolve));
  fs.renameSync(`${socket}.kept`, socket); // a socket's file that nobody serves
  const again = await startUsernet({ socket, control, library });
  expect(fs.statSync(socket).mode & 0o077).toBe(0);
  await again.stop();
  expect(await again.ended).toMatch(/exit code 0/);
});
