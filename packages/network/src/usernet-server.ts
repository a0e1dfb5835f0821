/**
 * The user-mode network: a switch, libslirp as one of its ports, VMMs on the
 * others. A VM that is migrated within this host connects from its new VMM;
 * since libslirp sits behind the switch, its connections go on.
 */
import fs from 'node:fs';
import net from 'node:net';
import { DhcpLeases } from './dhcp-leases';
import { formatForward, parseForward } from './forward';
import { formatIpv4 } from './ipv4';
import { LineReader } from './line-reader';
import { MAX_CONTROL_CLIENTS, MAX_CONTROL_LINE, MAX_PORTS } from './limits';
import { formatMac } from './mac';
import { networkError } from './native';
import { SlirpPort } from './slirp';
import { Switch } from './switch';
import { checkConfig, ControlAnswer, ControlRequest, parseRequest, UsernetConfig, UsernetStatus } from './usernet-protocol';
import { VmmPort } from './vmm-port';

export interface UsernetServer {
  close(): Promise<void>;
}

/** Throws in one line what is wrong with the configuration, the library, a port or a path. */
export async function serveUsernet(given: UsernetConfig): Promise<UsernetServer> {
  const config = checkConfig(given);
  const fabric = new Switch(() => performance.now());
  const vmms = new Set<VmmPort>();
  const leases = new DhcpLeases();
  const flush = (): void => {
    for (const vmm of vmms) vmm.flush();
  };
  const settings = { ...config, network: config.address };
  const slirp = new SlirpPort(
    settings,
    (frame) => {
      leases.observe(frame);
      fabric.receive(wayOut, frame);
    },
    flush,
  );
  const wayOut = fabric.attach(slirp);
  // libslirp's own addresses, 52:55 and the IPv4 address: no guest may pass for the gateway.
  for (const host of [2, 3]) fabric.pin(0x5255 * 2 ** 32 + config.address + host, wayOut);

  const connected = (socket: net.Socket): void => {
    const vmm = new VmmPort(socket);
    const id = fabric.attach(vmm);
    if (id === 0) return void socket.destroy();
    vmms.add(vmm);
    const receive = (frame: Uint8Array): void => fabric.receive(id, frame);
    socket.on('data', (chunk: Buffer) => {
      vmm.read(chunk, receive);
      slirp.flush();
      flush();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      vmms.delete(vmm);
      fabric.detach(id);
    });
  };

  const status = (): UsernetStatus => ({
    pid: process.pid,
    network: config.network,
    forwards: slirp.forwards().map(formatForward),
    leases: leases.list().map(({ mac, address }) => ({ mac: macText(mac), address: formatIpv4(address) })),
    ports: fabric.counters().map((port) => ({
      id: port.id,
      out: port.id === wayOut,
      addresses: port.addresses.map(macText),
      receivedFrames: port.received,
      sentFrames: port.sent,
      droppedFrames: port.dropped,
    })),
    connections: slirp.connections(),
  });

  const actions: Record<ControlRequest['do'], (request: ControlRequest) => Partial<UsernetStatus>> = {
    'add-forward': (request) => (slirp.addForward(parseForward((request as { forward: string }).forward)), {}),
    'remove-forward': (request) => (slirp.removeForward(parseForward((request as { forward: string }).forward)), {}),
    status,
  };

  const servers: net.Server[] = [];
  const close = async (): Promise<void> => {
    for (const server of servers) await closeServer(server);
    slirp.close();
  };
  try {
    for (const forward of config.forwards) slirp.addForward(parseForward(forward));
    servers.push(await listen(config.socket, MAX_PORTS, connected));
    servers.push(await listen(config.control, MAX_CONTROL_CLIENTS, (socket) => serveControl(socket, actions)));
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

function serveControl(socket: net.Socket, actions: Record<string, (request: ControlRequest) => Partial<UsernetStatus>>): void {
  const lines = new LineReader(MAX_CONTROL_LINE);
  const answer = (line: string): ControlAnswer => {
    let id = 0;
    try {
      const request = parseRequest(line);
      id = request.id;
      return { id, ok: actions[request.do](request) };
    } catch (error) {
      return { id, error: (error as Error).message };
    }
  };
  socket.on('data', (chunk: Buffer) => {
    const fits = lines.feed(chunk, (line) => socket.write(`${JSON.stringify(answer(line))}\n`));
    // Who asks and does not read the answers is not waited for.
    if (!fits || socket.writableLength > 16 * MAX_CONTROL_LINE) socket.destroy();
  });
  socket.on('error', () => socket.destroy());
}

const open = new WeakMap<net.Server, Set<net.Socket>>();

async function listen(path: string, maxConnections: number, connected: (socket: net.Socket) => void): Promise<net.Server> {
  await removeStale(path);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    connected(socket);
  });
  open.set(server, sockets);
  server.maxConnections = maxConnections;
  const before = process.umask(0o077);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(networkError(`no socket can be made at ${path} (${error.code})`)));
      server.listen(path, resolve);
    });
  } finally {
    process.umask(before);
  }
  // Later errors are of single connections (too many open files): the others go on.
  server.on('error', () => {});
  return server;
}

/** A socket that nobody serves is left over from a process that was killed. */
async function removeStale(path: string): Promise<void> {
  const code = await new Promise<string>((resolve) => {
    const socket = net.connect(path, () => (socket.destroy(), resolve('')));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'));
  });
  if (code === '') throw networkError(`a user-mode network serves ${path} already: choose another path`);
  if (code === 'ECONNREFUSED' && fs.lstatSync(path).isSocket()) fs.unlinkSync(path);
}

async function closeServer(server: net.Server): Promise<void> {
  for (const socket of open.get(server) ?? []) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve())); // removes the socket's file, too
}

function macText(mac: number): string {
  return formatMac([40, 32, 24, 16, 8, 0].map((shift) => Math.floor(mac / 2 ** shift) % 256));
}
