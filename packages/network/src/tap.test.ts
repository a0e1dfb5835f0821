/**
 * Proves, with real kernels' network stacks in namespaces: a guest behind rings
 * and a TAP on a Linux bridge answers ping; two kernels reach each other, and
 * this host's loopback, through pumps, switch and libslirp, with checksums and
 * segmentation left to the pump; errors say what to do.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { HostBridge } from './host-bridge';
import { adoptTap, openTap } from './tap';
import { Namespace, namespacesUnsupported } from './testing/namespaces';
import { startUsernet } from './usernet';

const unsupported = namespacesUnsupported();
if (unsupported) console.warn(`TAP tests are left out: ${unsupported}`);
const onTap = unsupported ? describe.skip : describe;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-tap-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

onTap('TAP', () => {
  const spaces: Namespace[] = [];
  const space = (): Namespace => spaces[spaces.push(new Namespace()) - 1];
  afterAll(() => spaces.forEach((one) => one.remove()));

  test('a guest on a bridge answers ping; bridge and errors are as said', async () => {
    const host = space();
    const bridge = new HostBridge('br0', host.run);
    await bridge.create({ address: '10.77.0.1/24', mtu: 1450 });
    await bridge.create({ address: '10.77.0.1/24', mtu: 1450 }); // again: content
    const guest = await host.start('echo-guest', { tap: 'tap0', bridge: 'br0', ip: '10.77.0.2' });
    expect(host.sh('ip -d link show tap0')).toMatch(/master br0[\s\S]*tun type tap[\s\S]*vnet_hdr on/);
    expect(host.ping('10.77.0.2')).toBe(5);
    await expect(host.start('echo-guest', { tap: 'tap0', bridge: 'br0', ip: '10.77.0.3' })).rejects.toThrow(/in use by another process/);
    await expect(host.start('echo-guest', { tap: 'tap1', bridge: 'br9', ip: '10.77.0.3' })).rejects.toThrow(/ip link add br9 type bridge/);
    await expect(host.start('echo-guest', { tap: 'lo', ip: '10.77.0.3' })).rejects.toThrow(/choose another name/);
    expect(await guest.end()).toEqual({ said: 'worker ended 1', code: 0 });

    await bridge.remove();
    await bridge.remove();
    expect(host.sh('ip link')).not.toMatch(/br0|tap0/);
    await expect(new HostBridge('lo', host.run).create()).rejects.toThrow(/bridge lo is not as wanted/);
  });

  test('a VXLAN makes one network of the bridges of two hosts', async () => {
    const [one, two] = [space(), space()];
    one.sh(`ip link add up0 type veth peer name up0 netns ${two.name} && ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up`);
    two.sh('ip addr add 192.0.2.2/24 dev up0 && ip link set up0 up');
    const [bridge, other] = [new HostBridge('br0', one.run), new HostBridge('br0', two.run)];
    await bridge.create();
    await other.create({ address: '10.77.0.1/24', mtu: 1450 });
    await bridge.addVxlan({ name: 'vx7', id: 7, local: '192.0.2.1', remotes: ['192.0.2.2', '192.0.2.3'] });
    await other.addVxlan({ name: 'vx7', id: 7, local: '192.0.2.2', remotes: [] });
    await other.addRemote('vx7', '192.0.2.1');
    const guest = await one.start('echo-guest', { tap: 'tap0', bridge: 'br0', ip: '10.77.0.2' });
    expect(two.ping('10.77.0.2')).toBe(5);
    await guest.end();
    await bridge.removeRemote('vx7', '192.0.2.3');
    expect(one.sh('bridge fdb show dev vx7')).toMatch(/dst 192\.0\.2\.2/);
    expect(one.sh('bridge fdb show dev vx7')).not.toMatch(/192\.0\.2\.3/);
    await bridge.removeVxlan('vx7');
    await bridge.removeVxlan('vx7');
    expect(one.sh('ip link')).not.toMatch(/vx7/);
  });

  test('an interface made beforehand needs no privilege, and outlives us', async () => {
    const host = space();
    host.sh('ip link add br0 type bridge && ip link set br0 up && ip addr add 10.77.0.1/24 dev br0');
    host.sh('ip tuntap add dev tap0 mode tap user nobody && ip link set tap0 master br0 up');
    // As Debian has it, for everyone; `ip netns exec` has mounts of its own.
    const tun = path.join(folder, 'tun');
    const openTun = `cp -a /dev/net/tun ${tun}-$$ && chmod 666 ${tun}-$$ && mount --bind ${tun}-$$ /dev/net/tun`;
    const index = `'${path.join(__dirname, '..', 'dist')}'`;
    const script = (name: string): string =>
      `process.setgroups([]); process.setgid(65534); process.setuid(65534);
       try { console.log(require(${index}).openTap({ name: '${name}', bridge: 'br0' }).name) } catch (e) { console.log(e.message) }`;
    const asNobody = (name: string): string => host.sh(`${openTun} && exec ${process.execPath} -e "${script(name)}"`).trim();
    expect(asNobody('tap0')).toBe('tap0');
    expect(asNobody('tap5')).toMatch(/an administrator can make it for you: ip tuntap add dev tap5 mode tap user/);
    expect(host.sh('ip link show tap0')).toMatch(/tap0/);
  });

  test('kernels talk through switch and libslirp, large and small, offloads or not', async () => {
    const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
    const body = Buffer.alloc(8 << 20, 'switch and slirp ');
    const server = http.createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (chunk) => parts.push(chunk));
      request.on('end', () => response.end(request.method === 'PUT' ? hash(Buffer.concat(parts)) : body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://10.0.2.2:${(server.address() as AddressInfo).port}/`;
    const socket = path.join(folder, 'net');
    const usernet = await startUsernet({ socket, control: path.join(folder, 'control') });
    const [a, b] = [space(), space()];
    const cables = [
      await a.start('tap-cable', { tap: 'tap0', socket, offloads: true }),
      await b.start('tap-cable', { tap: 'tap0', socket }),
    ];
    a.sh('ip addr add 10.0.2.15/24 dev tap0 && ip route add default via 10.0.2.2');
    b.sh('ip addr add 10.0.2.16/24 dev tap0 && ip route add default via 10.0.2.2');
    expect(a.ping('10.0.2.16')).toBe(5);

    const file = path.join(folder, 'body');
    fs.writeFileSync(file, body);
    for (const client of [a, b]) {
      expect(await client.shAsync(`curl -s ${url} | sha256sum`)).toContain(hash(body));
      expect(await client.shAsync(`curl -s -T ${file} ${url}`)).toBe(hash(body));
    }
    // From the one that leaves segmentation to its adapter to the other.
    const sink = `require('http').createServer((q,r)=>{const h=require('crypto').createHash('sha256');q.on('data',d=>h.update(d)).on('end',()=>{r.end(h.digest('hex'));setTimeout(process.exit,100)})}).listen(80,()=>{})`;
    const served = b.shAsync(`${process.execPath} -e "${sink}"`);
    expect(await a.shAsync(`curl -s --retry 20 --retry-connrefused --retry-delay 0 --retry-max-time 8 -T ${file} http://10.0.2.16/`)).toBe(
      hash(body),
    );
    await served;
    const ends = await Promise.all(cables.map((cable) => cable.end()));
    const { tap, socket: out } = JSON.parse(ends[0].said);
    expect(ends.map((e) => e.code)).toEqual([0, 0]);
    expect(tap.rx.bytes / tap.rx.frames).toBeGreaterThan(4000); // the kernel did leave segmentation to us
    expect(out.refusedByNetwork).toBe(0);
    await usernet.stop();
    await new Promise((resolve) => server.close(resolve));
  }, 20_000);

  test('a usernet that comes back is found again; a TAP that vanishes is told', async () => {
    const socket = path.join(folder, 'again');
    const config = { socket, control: path.join(folder, 'again-control') };
    const first = await startUsernet(config);
    const a = space();
    const cable = await a.start('tap-cable', { tap: 'tap0', socket });
    a.sh('ip addr add 10.0.2.15/24 dev tap0');
    await first.stop();
    const second = await startUsernet(config);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(a.ping('10.0.2.2')).toBe(5);
    a.sh('ip link delete tap0');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { links } = JSON.parse((await cable.end()).said);
    expect(links).toEqual([
      expect.stringMatching(/^false .*went away/),
      'true ',
      expect.stringMatching(/^false the TAP interface is gone/),
    ]);
    await second.stop();
  });
});

test('names and descriptors are checked before the kernel sees them', () => {
  expect(() => openTap({ name: 'a b' })).toThrow(/no interface's name/);
  expect(() => openTap({ name: '../../etc/pass' })).toThrow(/no interface's name/);
  expect(() => openTap({ name: 'tap0', bridge: '-x' })).toThrow(/no interface's name/);
  expect(() => new HostBridge('sixteen-letters-')).toThrow(/no interface's name/);
  expect(() => adoptTap(0)).toThrow(/is no TAP/);
});
