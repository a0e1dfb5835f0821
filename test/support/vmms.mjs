/**
 * VMs as their own processes (`godwit vmm`), for tests that move them: a VM in a
 * datastore, its processes on several hosts, their control sockets.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const { Datastore, VmDirectory } = require(path.join(root, 'packages', 'storage'));
const { connect, PLAIN, Queue } = require(path.join(root, 'packages', 'wire'));
/** What the VM is given: known beforehand, as a cluster knows it, so that a target can be made ready. */
export const { allowedFeatures } = require(path.join(root, 'packages', 'vmm'));
const { formatMac, macForVm } = require(path.join(root, 'packages', 'network'));
export const cli = path.join(root, 'packages', 'cli', 'dist', 'main.js');

/**
 * Makes a VM in the datastore: { name, kernel, initrd, append, disk?, memoryMiB, network?, features?, shown? }.
 * `disk` is copied there; `shown`: where the datastore's files are seen from here. Gives its vm.json.
 */
export async function createVm(store, { name, kernel, initrd, append, disk, memoryMiB = 512, network, features, shown = store.where }) {
  const config = {
    schema: 1, vmId: randomUUID(), name, memoryBytes: memoryMiB << 20,
    disks: disk ? [{ file: 'disk.raw', bus: 'virtio', readOnly: false }] : [],
    networks: network ? [{ mac: formatMac(macForVm(name)), adapter: 'virtio', network }] : [],
    settings: { boot: { kernel: 'vmlinuz', ...(initrd ? { initrd: 'initrd' } : {}), append }, ...(features ? { features } : {}) },
  };
  const directory = await VmDirectory.create(store, config);
  const at = (folder, file) => path.join(shown, directory.path(folder, file));
  copyFileSync(kernel, at('boot', 'vmlinuz'), constants.COPYFILE_FICLONE);
  if (initrd) copyFileSync(initrd, at('boot', 'initrd'), constants.COPYFILE_FICLONE);
  if (disk) await run('cp', ['--sparse=always', '--reflink=auto', disk, at('disks', 'disk.raw')]);
  return { ...config, diskFile: disk && at('disks', 'disk.raw') };
}

export const openStore = (folder) => Datastore.init(folder);

function run(command, args) {
  return new Promise((resolve, reject) => spawn(command, args, { stdio: 'inherit' }).on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ended with ${code}`)))));
}

/** Processes still alive: they outlive whoever started them, but not a test. */
const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1));

/** One `godwit vmm` process. */
export class VmmProcess {
  /** @type {string} name of the host that runs it */
  host;

  /** @param {any} order { folder, store, vm, host, mode, networks, space (namespace), listen, tls, features, startPaused, env } */
  constructor(order) {
    Object.assign(this, { order, host: order.host, folder: path.join(order.folder, `${order.host}-${randomUUID().slice(0, 8)}`) });
    mkdirSync(this.folder, { recursive: true });
    this.socket = path.join(this.folder, 's');
    const { store, vm, host, mode, networks = {}, listen, tls, features, startPaused, waitSeconds } = order;
    const config = { schema: 1, vm: { datastore: store, name: vm }, hostId: host, hostName: host, vmmId: randomUUID(), control: this.socket, mode, networks, listen, tls, features, startPaused, waitSeconds };
    writeFileSync(path.join(this.folder, 'config.json'), JSON.stringify(config));
    this.logFile = path.join(this.folder, 'log');
    const log = openSync(this.logFile, 'a');
    const options = { stdio: ['ignore', log, log], detached: true, env: { ...process.env, ...order.env } };
    const args = [...(order.nodeArgs ?? []), cli, 'vmm', path.join(this.folder, 'config.json')];
    this.child = order.space ? order.space.spawn(process.execPath, args, options) : spawn(process.execPath, args, options);
    this.exited = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve({ code, signal })));
    this.dead = false;
    alive.add(this.child);
    void this.exited.then(() => {
      this.dead = true;
      alive.delete(this.child);
    });
    this.wire = connect({ address: `unix:${this.socket}`, security: PLAIN });
    /** Service Vmm. */
    this.client = this.wire.client('Vmm');
  }

  get pid() {
    return this.child.pid;
  }
  get log() {
    return readFileSync(this.logFile, 'utf8');
  }
  /** What it wrote when it ended. */
  get end() {
    const file = path.join(this.folder, 'ended.json');
    return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  }

  status() {
    return this.client.getStatus({});
  }

  /** Until the status satisfies `want`; rejects when the process ends first or time is up. */
  async until(want, what, limitMs = 60_000) {
    const limit = Date.now() + limitMs;
    for (let last; ; await sleep(20)) {
      if (this.dead) throw new Error(`${this.host} ended before it ${what}: ${this.log.slice(-2000)}`);
      try {
        last = await this.status();
        if (want(last)) return last;
      } catch (error) {
        last = error.message;
      }
      if (Date.now() > limit) throw new Error(`${this.host} did not ${what} within ${limitMs} ms: ${JSON.stringify(last)} ${this.log.slice(-2000)}`);
    }
  }
  untilRunning() {
    return this.until(({ vm }) => vm.state === 'VM_STATE_RUNNING', 'ran its VM');
  }
  untilWaiting() {
    return this.until(({ vm, migrationAddress }) => vm.state === 'VM_STATE_INCOMING' && migrationAddress !== '', 'waited for its VM');
  }

  /**
   * Moves the VM to a waiting process; its record, `onRecord` with each on the way.
   * @param {VmmProcess} target
   * @param {{ settings?: object, migrationId?: string, onRecord?: (record: any) => void }} given
   */
  async migrateTo(target, { settings, migrationId = randomUUID(), onRecord = () => {} } = {}) {
    const { vm } = await this.status();
    const { address, token } = await target.client.expect({ migrationId, vmId: vm.vmId });
    let last;
    for await (const record of this.client.migrate({ migrationId, targetAddress: address, token, settings, targetHost: target.host })) onRecord((last = record));
    return last;
  }

  /** The text of the serial port, as it comes, to `onText`; returns how to stop. */
  console(onText) {
    const typed = new Queue();
    const left = new AbortController();
    void (async () => {
      try {
        for await (const { data } of this.client.console(typed, { signal: left.signal })) onText(data.toString('latin1'));
      } catch {
        // The VM has left, or the reader.
      }
    })();
    return { type: (text) => void typed.push({ data: Buffer.from(text, 'latin1') }), stop: () => left.abort() };
  }

  kill(signal = 'SIGKILL') {
    if (!this.dead) process.kill(this.child.pid, signal);
  }

  async remove() {
    this.kill('SIGCONT');
    this.kill('SIGKILL');
    await this.exited;
    this.wire.close();
  }
}
