/**
 * A real cluster for tests: `godwit controller` and `godwit agent` as processes of this machine, mutual TLS, hosts that
 * join with tokens, a datastore that all see, one user-mode network that they share.
 *
 *     const cluster = await startCluster({ hosts: 2, images: { vmlinuz, initrd } });
 *     await cluster.api('Vms').listVms({});                    // as an admin, over TLS
 *     await cluster.godwit('vm', 'ls')                         // { code, stdout, stderr }
 *     await cluster.stop();                                    // nothing is left, also of what a test broke
 */
import { execFile, spawn } from 'node:child_process';
import { copyFileSync, constants, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const dist = (name) => require(path.join(root, 'packages', name));
const { Certificates, clientTls, connect } = dist('wire');
const { Datastore } = dist('storage');
const { connectUsernetControl } = dist('network');
const { makeCluster, makeController } = require(path.join(root, 'packages', 'cli', 'dist', 'cluster-init.js'));
const { commandLine, guestInitramfs } = require(path.join(root, 'packages', 'cli', 'dist', 'up', 'guest.js'));
const { ensureGuestImages } = dist('images');
const { saveContext } = require(path.join(root, 'packages', 'cli', 'dist', 'cluster', 'context', 'file.js'));

export const cli = path.join(root, 'packages', 'cli', 'dist', 'main.js');
/** A slow machine under load; nothing waits longer than it must. */
const READY_MS = 90_000;
const END_MS = 20_000;

/**
 * @typedef {object} HostOptions
 * @property {string} [name]
 * @property {object} [config] put over the agent's configuration (agent's README)
 * @property {(argv: string[]) => string[]} [wrap] the command that runs it: `ip netns exec …`, `prlimit …`
 * @property {string} [migrationHost] where other hosts reach its VMMs; 127.0.0.1
 * @property {Record<string, string>} [env] of the agent and its VMMs
 * @property {boolean} [join] false: it gets no token and is not started
 *
 * @typedef {object} ControllerOptions
 * @property {string} [name]
 * @property {string} [advertise] HOST:PORT; 127.0.0.1 and a free port
 * @property {string} [listen] HOST:PORT if not the same
 * @property {object} [config] put over its configuration
 * @property {(argv: string[]) => string[]} [wrap]
 * @property {Record<string, string>} [env]
 *
 * @typedef {object} ClusterOptions
 * @property {number | HostOptions[]} [hosts] 2
 * @property {number | ControllerOptions[]} [controllers] 1; more need a NATS store
 * @property {object} [store] of the controllers' configuration; an embedded one
 * @property {string} [dir] kept after `stop`; left out: a temporary one that goes
 * @property {Record<string, string>} [images] name → file, which VMs may be made from
 * @property {Record<string, string>} [datastores] name → where, for all hosts; `main`, a folder that is made
 * @property {Record<string, object>} [networks] for all hosts; `user`, one that they share
 * @property {string[]} [forwards] of that network: `tcp:127.0.0.1:8080-10.0.2.15:80`
 * @property {boolean} [http] the dashboard and metrics over HTTP(S) on a free port
 */

/** @param {ClusterOptions} [options] Resolves when every host is ready. */
export async function startCluster(options = {}) {
  const cluster = new Cluster(options);
  try {
    await cluster.begin();
    return cluster;
  } catch (error) {
    const logs = cluster.logs();
    await cluster.stop().catch(() => {});
    throw new Error(`the cluster did not start: ${error.message}\n${logs}`, { cause: error });
  }
}

export class Cluster {
  /** @type {Controller[]} */
  controllers = [];
  /** @type {Host[]} */
  hosts = [];
  /** @type {number[]} of the networks that the hosts share */
  networkPids = [];
  /** @type {Map<string, any>} */
  wires = new Map();

  /** @param {ClusterOptions} options */
  constructor(options) {
    this.options = options;
    this.isTemporary = options.dir === undefined;
    // Short: sockets lie in it.
    this.dir = options.dir ?? mkdtempSync(path.join(os.tmpdir(), 'gwc-'));
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    running.add(this);
  }

  /** For `godwit` as a child: its context is this cluster's. */
  get env() {
    return { ...process.env, GODWIT_CONFIG: path.join(this.dir, 'config.yaml'), GODWIT_CONTEXT: 'test' };
  }

  async begin() {
    const { controllers = 1, hosts = 2, images, datastores, networks } = this.options;
    const listed = typeof controllers === 'number' ? Array.from({ length: controllers }, () => ({})) : controllers;
    await this.addControllers(listed);
    if (images) {
      this.images = path.join(this.dir, 'images');
      mkdirSync(this.images, { recursive: true });
      for (const [name, file] of Object.entries(images)) copyFileSync(file, path.join(this.images, name), constants.COPYFILE_FICLONE);
    }
    this.datastores = datastores ?? { main: await makeDatastore(path.join(this.dir, 'main')) };
    this.networks = networks ?? { user: { kind: 'user', socket: path.join(this.dir, 'net'), forwards: this.options.forwards ?? [] } };
    for (const one of this.controllers) {
      await one.start();
      // Not asked before it listens: a client that found nobody waits a while before it tries again.
      await this.until(() => one.isUp(), `see ${one.name} up`);
      // The first leads, which is asked: others come when it does.
      if (one === this.controllers[0]) await this.until(async () => (await this.api('Cluster').getStatus({})).leader === one.address, 'have a leader');
    }
    const machines = typeof hosts === 'number' ? Array.from({ length: hosts }, () => ({})) : hosts;
    for (const one of machines) await this.addHost(one, false);
    await this.ready();
    for (const { socket } of Object.values(this.networks).filter(({ kind }) => kind === 'user')) if (socket) this.networkPids.push(await usernetOf(socket));
  }

  /** @param {ControllerOptions[]} listed */
  async addControllers(listed) {
    const ports = await freePorts(2 * listed.length);
    const advertised = listed.map(({ advertise }, at) => advertise ?? `127.0.0.1:${ports[2 * at]}`);
    for (const [at, { name = `controller-${at + 1}`, listen, config = {}, wrap, env }] of listed.entries()) {
      const folder = path.join(this.dir, name);
      const http = this.options.http ? `127.0.0.1:${ports[2 * at + 1]}` : undefined;
      const plan = {
        folder,
        clusterName: 'test',
        controllerName: name,
        advertise: advertised[at],
        controllers: advertised,
        listen: [listen ?? advertised[at], 'unix:controller.sock'],
        http,
        store: this.options.store ?? { kind: 'embedded', file: 'cluster.db' },
      };
      if (at === 0) {
        const made = await makeCluster(plan);
        this.admin = { user: made.user, password: made.password };
        this.certificates = made.certificates;
        saveContext(path.join(this.dir, 'config.yaml'), 'test', { controllers: advertised, certificates: made.certificates }, { use: true });
      } else makeController(path.join(this.controllers[0].folder, 'controller.json'), plan);
      const file = path.join(folder, 'controller.json');
      writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...config }));
      this.controllers.push(new Controller({ folder, name, file, address: advertised[at], httpAddress: http, wrap, env }));
    }
  }

  /** @param {HostOptions} [host] @param {boolean} [wait] until it is ready */
  async addHost({ name = `host-${this.hosts.length + 1}`, config = {}, wrap, env, migrationHost = '127.0.0.1', join = true } = {}, wait = true) {
    const stateDir = path.join(this.dir, name);
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const file = path.join(this.dir, `${name}.json`);
    const token = join ? (await this.api('Hosts').createJoinToken({ hostName: name })).token : undefined;
    const whole = {
      schema: 1,
      stateDir,
      name,
      controllers: this.controllers.map(({ address }) => address),
      ...(token ? { join: { token } } : {}),
      migration: { host: migrationHost },
      datastores: this.datastores,
      networks: this.networks,
      ...(this.images ? { images: this.images } : {}),
      log: { level: 'debug' },
      ...config,
    };
    writeFileSync(file, JSON.stringify(whole), { mode: 0o600 });
    const host = new Host({ folder: stateDir, name, file, config: whole, wrap, env });
    this.hosts.push(host);
    if (!join) return host;
    await host.start();
    if (wait) await this.ready([name]);
    return host;
  }

  /** Until these hosts (all) are ready. */
  async ready(names = this.hosts.filter(({ isAlive }) => isAlive).map(({ name }) => name)) {
    await this.until(async () => {
      const gone = this.hosts.find((host) => names.includes(host.name) && !host.isAlive);
      if (gone) throw new Fatal(`${gone.name} ended: ${gone.log.slice(-2_000)}`);
      const { hosts } = await this.api('Hosts').listHosts({});
      return names.every((name) => hosts.some((host) => host.name === name && host.state === 'HOST_STATE_READY'));
    }, `see ${names.join(', ')} ready`);
  }

  host(name) {
    const found = this.hosts.find((host) => host.name === name);
    if (!found) throw new Error(`there is no host ${name}`);
    return found;
  }

  get controllerAddress() {
    return this.controllers[0].address;
  }

  get httpAddress() {
    return this.controllers[0].httpAddress;
  }

  /**
   * A client of a service of controller.proto, as admin; of that controller, or the first.
   * @template {keyof import('@godwit/wire').Services} S
   * @param {S} service
   * @returns {import('@godwit/wire').ServiceClient<S>}
   */
  api(service, controller = this.controllers[0]) {
    return this.wire(controller).client(service);
  }

  wire(controller = this.controllers[0], certificates = this.certificates) {
    const key = `${controller.address} ${certificates}`;
    if (!this.wires.has(key))
      this.wires.set(key, connect({ address: controller.address, security: clientTls(Certificates.fromFolder(certificates), { kind: 'controller' }) }));
    return this.wires.get(key);
  }

  /** An operation to its end. @throws unless it succeeded */
  async done(operation, limitMs = READY_MS) {
    let last = operation;
    const signal = AbortSignal.timeout(limitMs);
    for await (const now of this.api('Operations').watchOperation({ operationId: operation.operationId }, { signal })) last = now;
    if (last.state !== 'OPERATION_STATE_SUCCEEDED') throw new Error(`${last.kind} of ${last.vmName || last.hostName}: ${last.state} ${last.errorCode}: ${last.line}`);
    return last;
  }

  /** A migration to its end: its last view. */
  async moved(migrationId, limitMs = READY_MS) {
    let last;
    const signal = AbortSignal.timeout(limitMs);
    for await (const now of this.api('Migrations').watchMigration({ migrationId }, { signal })) last = now;
    if (!last) throw new Error(`nothing was said of migration ${migrationId}`);
    return last;
  }

  /** `godwit …` as an operator of this cluster: its code and output. */
  godwit(...args) {
    const options = typeof args.at(-1) === 'object' ? args.pop() : {};
    return new Promise((resolve) => {
      const child = execFile(process.execPath, [cli, ...args], { env: this.env, maxBuffer: 1 << 24, timeout: READY_MS, killSignal: 'SIGKILL', ...options }, (error, stdout, stderr) =>
        resolve({ code: error ? (typeof error.code === 'number' ? error.code : null) : 0, stdout, stderr }),
      );
      child.stdin.end(options.input);
    });
  }

  /**
   * A small Linux with a disk and a web page (packages/cli/src/up/guest.ts), which boots in seconds; for a cluster
   * with `images: await webImages()`. @param {object} [more] of its VmSpec @returns the operation's end
   */
  async startWeb(name, { start = true, memoryMiB = 64, host = '', ...more } = {}) {
    return this.done(await this.api('Vms').createVm({ spec: webSpec(name, memoryMiB, more), start, host }));
  }

  /** Its page's address, reachable from here wherever it runs, once it answers. Only on the user-mode network that all share. */
  async urlOf(name, { port, guestPort = 80 } = {}) {
    const at = port ?? (await freePorts(1))[0];
    const { spec } = await this.api('Vms').getVm({ vm: name });
    const control = await connectUsernetControl(`${this.networks.user.socket}.control`);
    try {
      let lease;
      await this.until(async () => {
        lease = (await control.status()).leases.find(({ mac }) => mac === spec.networks[0].mac.toLowerCase());
        return lease !== undefined;
      }, `see ${name} get an address`);
      await control.addForward(`tcp:127.0.0.1:${at}-${lease.address}:${guestPort}`);
    } finally {
      control.close();
    }
    const url = `http://127.0.0.1:${at}/`;
    if (guestPort === 80) await this.until(async () => (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok, `see ${name} answer at ${url}`);
    return url;
  }

  /** Until `holds` does; a controller that is away meanwhile is asked again. */
  async until(holds, what, limitMs = READY_MS) {
    const limit = Date.now() + limitMs;
    for (let last = 'no'; ; await sleep(50)) {
      try {
        if (await holds()) return;
      } catch (error) {
        if (error instanceof Fatal) throw error;
        last = error.message;
      }
      if (Date.now() > limit) throw new Error(`the cluster did not ${what} within ${limitMs} ms: ${last}`);
    }
  }

  /** The end of each log, for a test that failed. */
  logs(characters = 3_000) {
    return [...this.controllers, ...this.hosts].map((one) => `── ${one.name}\n${one.log.slice(-characters)}${'vmmLogs' in one ? one.vmmLogs().slice(-characters) : ''}`).join('\n');
  }

  /** Ends everything, also what a test has left behind; the folder goes unless it was given. */
  async stop() {
    running.delete(this);
    for (const wire of this.wires.values()) wire.close();
    this.wires.clear();
    await Promise.all(this.hosts.map((host) => host.end()));
    await Promise.all(this.controllers.map((one) => one.end()));
    const pids = this.hosts.flatMap((host) => host.vmms.map(({ pid }) => pid));
    for (const one of Object.values(this.networks ?? {})) if (one.kind === 'user' && one.socket) pids.push(await usernetOf(one.socket));
    for (const host of this.hosts) for (const socket of host.ownNetworks) pids.push(await usernetOf(socket));
    for (const pid of pids) if (pid) kill(pid);
    const limit = Date.now() + END_MS;
    while (pids.some((pid) => pid && isAlive(pid)) && Date.now() < limit) await sleep(20);
    if (this.isTemporary) rmSync(this.dir, { recursive: true, force: true });
  }

  /** At the end of this process: no waiting. */
  killAll() {
    for (const one of [...this.hosts, ...this.controllers]) one.child?.kill('SIGKILL');
    for (const host of this.hosts) for (const { pid } of host.vmms) kill(pid);
    for (const pid of this.networkPids) kill(pid);
  }
}

class Fatal extends Error {}

/** A process of the cluster with its log file. */
class Process {
  constructor({ folder, name, file, wrap = (argv) => argv, env = {} }) {
    this.folder = folder;
    this.name = name;
    this.file = file;
    this.wrap = wrap;
    this.env = env;
    this.logFile = path.join(path.dirname(folder), `${name}.log`);
  }

  /** Runs it; the same as before if it has ended. */
  async start() {
    const [program, ...args] = this.wrap([process.execPath, cli, this.command, this.file]);
    const log = openSync(this.logFile, 'a');
    this.child = spawn(program, args, { stdio: ['ignore', log, log], env: { ...process.env, ...this.env } });
    closeSync(log);
    const { child } = this;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => resolve({ code: null, signal: null, error }));
    });
  }

  get pid() {
    return this.child?.pid;
  }
  get isAlive() {
    return this.child !== undefined && this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }
  get log() {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }
  /** Its log as objects. */
  get lines() {
    return this.log.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  kill(signal = 'SIGKILL') {
    if (this.isAlive) this.child.kill(signal);
  }

  /** SIGTERM, and after a while SIGKILL; how it ended. */
  async end() {
    if (!this.child) return undefined;
    // One that is stopped hears nothing.
    this.kill('SIGCONT');
    this.kill('SIGTERM');
    const timer = setTimeout(() => this.kill('SIGKILL'), END_MS);
    const how = await this.exited;
    clearTimeout(timer);
    return how;
  }
}

class Controller extends Process {
  command = 'controller';
  constructor(options) {
    super(options);
    this.address = options.address;
    this.httpAddress = options.httpAddress;
  }

  isUp() {
    if (!this.isAlive) throw new Fatal(`${this.name} ended: ${this.log.slice(-2_000)}`);
    return this.lines.some(({ pid, addresses }) => pid !== undefined && addresses !== undefined);
  }
}

class Host extends Process {
  command = 'agent';
  constructor(options) {
    super(options);
    this.config = options.config;
    this.stateDir = options.folder;
  }

  get hostId() {
    return JSON.parse(readFileSync(path.join(this.stateDir, 'host.json'), 'utf8')).hostId;
  }

  /** VMMs of this host that live: { vmmId, pid, name, control }. */
  get vmms() {
    const vms = path.join(this.stateDir, 'vms');
    const read = (file) => {
      try {
        return JSON.parse(readFileSync(file, 'utf8'));
      } catch {
        return undefined;
      }
    };
    return (existsSync(vms) ? readdirSync(vms) : []).flatMap((vmmId) => {
      const pid = read(path.join(vms, vmmId, 'pid'))?.pid;
      const { name, vmId } = read(path.join(vms, vmmId, 'about.json')) ?? {};
      return pid && isAlive(pid) ? [{ vmmId, pid, name, vmId, control: path.join(vms, vmmId, 'control.sock') }] : [];
    });
  }

  vmmLogs() {
    return ['vms', 'ended']
      .map((folder) => path.join(this.stateDir, folder))
      .flatMap((folder) => (existsSync(folder) ? readdirSync(folder).map((id) => path.join(folder, id, 'vmm.log')) : []))
      .map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
      .join('');
  }

  /** User-mode networks of this agent's own. */
  get ownNetworks() {
    const folder = path.join(this.stateDir, 'networks');
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.control')).map((name) => path.join(folder, name.slice(0, -'.control'.length))) : [];
  }
}

/** For `startCluster({ images })`: kernel and root file system of a small web server. */
export async function webImages() {
  const cache = path.join(root, '.cache', 'images');
  const images = await ensureGuestImages(cache);
  const initrd = path.join(cache, `web-initrd-${process.pid}.gz`);
  writeFileSync(initrd, guestInitramfs(images));
  temporary.add(initrd);
  return { vmlinuz: images.kernel686, initrd };
}
const temporary = new Set();
process.on('exit', () => {
  for (const file of temporary) rmSync(file, { force: true });
});

/** What a VM of those is made from. */
export const webSpec = (name, memoryMiB = 64, more = {}) => ({
  name,
  memoryBytes: memoryMiB << 20,
  vcpus: 1,
  disks: [{ file: 'data', bus: 'virtio', sizeBytes: 16 << 20, format: 'raw' }],
  networks: [{ network: 'user', adapter: 'virtio' }],
  boot: { kernel: 'vmlinuz', initrd: 'initrd', commandLine: commandLine(name), kernelOrigin: 'vmlinuz', initrdOrigin: 'initrd' },
  ...more,
});

/** A folder that hosts may share; its path. */
export async function makeDatastore(folder) {
  mkdirSync(folder, { recursive: true });
  await (await Datastore.init(folder)).close();
  return folder;
}

/** Ports of loopback that nobody serves now, all different. */
export async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve, reject) => {
          const server = net.createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function usernetOf(socket) {
  if (!existsSync(`${socket}.control`)) return undefined;
  const control = await connectUsernetControl(`${socket}.control`).catch(() => undefined);
  if (!control) return undefined;
  const status = await control.status().catch(() => undefined);
  control.close();
  return status?.pid;
}

export function isAlive(pid) {
  try {
    // A zombie is dead: it waits for its parent only.
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Nothing outlives whoever started it. */
const running = new Set();
process.on('exit', () => {
  for (const cluster of running) cluster.killAll();
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(1));
