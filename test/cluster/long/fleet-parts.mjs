/** The parts of the fleet, how they are put together, and the verdict over what happened; see fleet.mjs. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startCluster, webImages } from '../../support/cluster.mjs';
import { brokenLeases, lostWrites } from '../../support/history.mjs';
import { importTs } from '../../support/import-ts.mjs';
import { ask, CGI, Client } from './client.mjs';
import { FleetNet, SWITCH } from './fleet-net.mjs';
import { Witness } from './witness.mjs';

const require = createRequire(import.meta.url);
const { Datastore } = require('../../../packages/storage');
const { writeCpio } = require('../../../packages/images');
const here = path.dirname(fileURLToPath(import.meta.url));

const PORT = 7443;
/** Guests boot in seconds; eight of them, on a loaded machine of two cores, in minutes. */
const PATIENT_MS = 240_000;
/** Hosts are given up soon, so that the test does not wait; longer than a lease all the same. */
const SETTINGS = { hostUnreachableMs: 8_000, hostDeadMs: 20_000 };

export class Fleet {
  spaces = {};
  clients = new Map();
  children = [];

  /** Resolves when every VM answers. */
  static async start(options) {
    const fleet = new Fleet();
    try {
      await fleet.begin(options);
      return fleet;
    } catch (error) {
      options.log(fleet.cluster?.logs(3_000) ?? '');
      await fleet.stop();
      throw error;
    }
  }

  async begin({ hosts, vms, log }) {
    this.log = log;
    this.net = await FleetNet.here();
    const [{ NfsServer }, { NatsServers }] = [await importTs('nfs-server'), await importTs('nats-server')];
    this.nfs = await NfsServer.start({ address: SWITCH });
    await (await Datastore.init(this.nfs.folder)).close();
    this.nats = await NatsServers.start({ address: SWITCH });
    const controllers = [];
    for (const number of [1, 2]) controllers.push(await this.inSpace(`c${number}`, `10.78.0.2${number}`));
    const machines = [];
    for (let number = 1; number <= hosts; number++) machines.push(await this.inSpace(`h${number}`, `10.78.0.1${number}`));
    log(`network, NFS ${this.nfs.url}, NATS ${this.nats.urls}`);
    this.cluster = await startCluster({
      controllers: controllers.map(({ name, address, wrap }) => ({ name, wrap, advertise: `${address}:${PORT}`, listen: `0.0.0.0:${PORT}` })),
      hosts: machines.map(({ name, address, wrap }) => ({ name, wrap, migrationHost: address })),
      store: { kind: 'nats', servers: this.nats.urls },
      datastores: { nfs: this.nfs.url },
      networks: { lan: { kind: 'bridge', bridge: 'br0' } },
      images: await this.images(),
    });
    await this.lead();
    const settings = await this.cluster.api('Cluster').getSettings({});
    await this.cluster.api('Cluster').changeSettings({ settings: { ...settings, ...SETTINGS } });
    this.witness = new Witness(this.cluster, this.nfs.folder);
    log(`${hosts} hosts are ready, ${this.cluster.controllers[0].name} leads`);
    await this.startVms(vms);
  }

  /** A namespace with an address; its processes run through `wrap`. */
  async inSpace(name, address) {
    const space = await this.net.host(name, address);
    await space.sh(`ip route add default via ${SWITCH}`);
    this.spaces[name] = space;
    return { name, address, wrap: (argv) => ['ip', 'netns', 'exec', space.name, ...argv] };
  }

  /** The web guest with a page that writes: a second archive, whose files replace those of the first. */
  async images() {
    const { vmlinuz, initrd } = await webImages();
    const file = path.join(os.tmpdir(), `fleet-initrd-${process.pid}`);
    const folders = ['etc', 'etc/godwit'].map((one) => ({ kind: 'directory', path: one }));
    writeFileSync(file, Buffer.concat([readFileSync(initrd), gzipSync(writeCpio([...folders, { kind: 'file', path: 'etc/godwit/now', data: Buffer.from(CGI), mode: 0o755 }]))]));
    this.initrd = file;
    return { vmlinuz, initrd: file };
  }

  async startVms(count) {
    const macs = Array.from({ length: count }, (_, at) => `52:54:00:78:00:${(at + 1).toString(16).padStart(2, '0')}`);
    const fixed = macs.map((mac, at) => `${mac}=${addressOf(at)}`);
    const dhcp = spawn(process.execPath, [path.join(here, '..', '..', 'support', 'dhcp.mjs'), SWITCH, '10.78.0.200', ...fixed], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.children.push(dhcp);
    await new Promise((resolve, reject) => dhcp.stdout.once('data', resolve) && dhcp.once('exit', () => reject(new Error('the DHCP server ended'))));
    for (const [at, mac] of macs.entries()) {
      const name = `vm${at + 1}`;
      // All on one host: it is to be emptied.
      await this.cluster.startWeb(name, { host: 'h1', networks: [{ network: 'lan', adapter: 'virtio', mac }] });
      await this.until(() => ask(addressOf(at), '/cgi-bin/now?read').then(() => true), `see ${name} answer`);
      this.clients.set(name, new Client(name, addressOf(at)));
      this.log(`${name} answers`);
    }
  }

  until(holds, what, limitMs = PATIENT_MS) {
    return this.cluster.until(holds, what, limitMs);
  }

  /** The leading controller becomes the first, which `cluster.api` asks. */
  async lead(limitMs = PATIENT_MS) {
    let leader;
    await this.until(
      async () => {
        for (const one of this.cluster.controllers.filter(({ isAlive }) => isAlive)) {
          const status = await this.cluster.api('Cluster', one).getStatus({}, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
          leader = this.cluster.controllers.find(({ address, isAlive }) => isAlive && address === status?.leader);
          if (!leader) continue;
          // It may have been replaced: one that leads answers this.
          await this.cluster.api('Cluster', leader).getSettings({}, { signal: AbortSignal.timeout(5_000) });
          return true;
        }
        return false;
      },
      'have a leader',
      limitMs,
    );
    this.cluster.controllers.sort((a, b) => Number(b === leader) - Number(a === leader));
    return leader;
  }

  /** What an operator's client does: where nobody leads now it asks again, whoever leads then. */
  async told(work, limitMs = PATIENT_MS) {
    for (const limit = Date.now() + limitMs; ; await sleep(500)) {
      try {
        return await work();
      } catch (error) {
        if (error.code !== 'unavailable' || Date.now() > limit) throw error;
        await this.lead(limitMs);
      }
    }
  }

  async vm(name) {
    return this.told(() => this.cluster.api('Vms').getVm({ vm: name }));
  }

  /** Asked twice it is begun once: its id. */
  async migrate(request) {
    const idempotencyKey = randomUUID();
    return (await this.told(() => this.cluster.api('Migrations').migrate({ ...request, idempotencyKey }))).migrationId;
  }

  /** A migration to its end, whoever leads. */
  async moved(migrationId) {
    return this.told(() => this.cluster.moved(migrationId, PATIENT_MS));
  }

  /** By host's name: the VMs that run there, as the controller says. */
  async placement() {
    const { vms } = await this.cluster.api('Vms').listVms({});
    const all = new Map(this.cluster.hosts.map(({ name }) => [name, []]));
    for (const vm of vms) if (vm.state === 'VM_STATE_RUNNING') all.get(vm.hostName)?.push(vm.spec.name);
    return all;
  }

  /** Until every VM (of those) runs as the controller says, and its client has had `count` more answers. */
  async allAnswer(names = [...this.clients.keys()], count = 2) {
    const wanted = new Map(names.map((name) => [name, this.clients.get(name).acknowledged.length + count]));
    for (const name of names) {
      let seen;
      await this.until(async () => (seen = await this.vm(name)).state === 'VM_STATE_RUNNING', `see ${name} run`).catch((error) => {
        throw new Error(`${error.message}: ${seen?.state} on ${seen?.hostName}, pauses ${seen?.pauses}, ${seen?.line}`, { cause: error });
      });
      await this.until(async () => this.clients.get(name).acknowledged.length >= wanted.get(name), `see ${name} answer its client`);
    }
  }

  /** @throws Error if a request of these clients failed since then */
  noneFailed(sinceMs, names = [...this.clients.keys()]) {
    const lines = names.flatMap((name) => this.clients.get(name).failuresSince(sinceMs));
    if (lines.length > 0) throw new Error(`${lines.length} requests failed: ${lines.slice(0, 5).join('; ')}`);
  }

  /** What must hold of everything that happened, once all is quiet. */
  async verdict() {
    const broken = [];
    await Promise.all([...this.clients.values()].map((client) => client.end()));
    await this.lead();
    await this.until(async () => (await this.cluster.api('Operations').listOperations({ runningOnly: true })).operations.length === 0, 'see every operation ended').catch((error) => broken.push(error.message));
    await this.until(async () => (await this.cluster.api('Migrations').listMigrations({ runningOnly: true })).migrations.length === 0, 'see every migration ended').catch((error) => broken.push(error.message));
    let writes = 0;
    for (const client of this.clients.values()) {
      writes += client.acknowledged.length;
      broken.push(...lostWrites(client.acknowledged, await client.written()).map((line) => `${client.name}: ${line}`));
    }
    await sleep(1_000);
    await this.witness.end();
    broken.push(...brokenLeases(this.witness.samples, this.witness.seenClaims));
    const processes = this.cluster.hosts.flatMap((host) => host.vmms.map(({ name }) => name));
    if (processes.length !== this.clients.size) broken.push(`${processes.length} VMMs are left for ${this.clients.size} VMs: ${processes.sort().join(' ')}`);
    const { operations } = await this.cluster.api('Operations').listOperations({ limit: 1000 });
    const states = {};
    for (const { state } of operations) states[state] = (states[state] ?? 0) + 1;
    return { broken, history: { samples: this.witness.samples.length, epochs: this.witness.claims.size, writes, failedRequests: [...this.clients.values()].reduce((sum, one) => sum + one.failures.length, 0), operations: states } };
  }

  async stop() {
    for (const client of this.clients.values()) client.isOver = true;
    if (this.witness) this.witness.isOver = true;
    await this.cluster?.stop();
    for (const child of this.children) child.kill();
    await this.nats?.stop();
    await this.nfs?.stop();
    await this.net?.remove();
    if (this.initrd) rmSync(this.initrd, { force: true });
  }
}

const addressOf = (at) => `10.78.0.${101 + at}`;
