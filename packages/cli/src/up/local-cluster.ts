/**
 * A whole cluster on this machine, without any privilege: a controller and some agents as processes, a folder as the
 * datastore that all hosts share, and one user-mode network that they share too, so that connections to a guest
 * survive its moves.
 *
 *     <checkout>/.cache/up/    (its home) config.yaml (the context), processes.json, logs/, datastore/
 *     /tmp/godwit-up-…/        controller/, host-1/ …, net: sockets need short paths
 */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Datastore } from '@godwit/storage';
import { Certificates, clientTls, connect, type ServiceClient, type Services, type Wire } from '@godwit/wire';
import { saveContext } from '../cluster/context/file';
import { makeCluster, type NewCluster } from '../cluster-init';
import { CliError, exitCodes } from '../errors';
import { LACK_MS, LOOK_MS, READY_MS } from './limits';
import { type NfsPlan, serveNfs } from './nfs';
import { leftBehind, Processes } from './processes';
import { sweep } from './sweep';

export interface LocalClusterPlan {
  /** Where disks, logs and the context lie. */
  readonly home: string;
  readonly controllerPort: number;
  readonly httpPort: number;
  /** The datastore is on an NFS server; undefined: it is a folder that the hosts share. */
  readonly nfs: NfsPlan | undefined;
}

export class LocalCluster {
  readonly access: NewCluster;
  readonly address: string;
  /** Where the VMs lie, as hosts find it. */
  private datastore: string;
  private readonly wire: Wire;

  private constructor(
    private readonly home: string,
    private readonly folder: string,
    readonly processes: Processes,
    plan: LocalClusterPlan,
    access: NewCluster,
  ) {
    this.access = access;
    this.datastore = path.join(home, 'datastore');
    this.address = `127.0.0.1:${plan.controllerPort}`;
    this.wire = connect({
      address: this.address,
      security: clientTls(Certificates.fromFolder(access.certificates), { kind: 'controller' }),
    });
  }

  /** Ends what an earlier run left when it was killed. @throws CliError if one runs */
  static async clear(home: string): Promise<void> {
    const folder = await leftBehind(path.join(home, 'processes.json'));
    if (folder !== undefined && path.basename(folder).startsWith(PREFIX) && existsSync(folder)) {
      await sweep(folder);
      rmSync(folder, { recursive: true, force: true });
    }
    for (const name of ['datastore', 'config.yaml', 'processes.json']) rmSync(path.join(home, name), { recursive: true, force: true });
  }

  /** The controller runs and leads. @throws CliError */
  static async begin(plan: LocalClusterPlan, signal: AbortSignal): Promise<LocalCluster> {
    const { home } = plan;
    const logs = path.join(home, 'logs');
    mkdirSync(logs, { recursive: true });
    const folder = mkdtempSync(path.join(tmpdir(), PREFIX));
    const processes = new Processes(path.join(home, 'processes.json'), folder, logs);
    const advertise = `127.0.0.1:${plan.controllerPort}`;
    const access = await makeCluster({
      folder: path.join(folder, 'controller'),
      clusterName: 'up',
      controllerName: 'controller-1',
      advertise,
      listen: [advertise, 'unix:controller.sock'],
      http: `127.0.0.1:${plan.httpPort}`,
      store: { kind: 'embedded', file: 'cluster.db' },
    });
    const cluster = new LocalCluster(home, folder, processes, plan, access);
    try {
      await processes.godwit('controller', ['controller', access.configFile]);
      await cluster.until(() => serves(plan.controllerPort), 'the controller does not listen', signal);
      await cluster.until(async () => (await cluster.api('Cluster').getStatus({})).leader !== '', 'the controller does not lead', signal);
      await cluster.makeDatastore(plan.nfs, signal);
      return cluster;
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  api<S extends keyof Services>(service: S): ServiceClient<S> {
    return this.wire.client(service);
  }

  /** Joins that many hosts, which may make VMs of these images (name → file). */
  async addHosts(count: number, images: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string[]> {
    const folder = path.join(this.folder, 'images');
    mkdirSync(folder);
    for (const [name, file] of Object.entries(images)) copyFileSync(file, path.join(folder, name));
    const names = Array.from({ length: count }, (_, at) => `host-${at + 1}`);
    for (const name of names) {
      const { token } = await this.api('Hosts').createJoinToken({ hostName: name });
      const config = {
        schema: 1,
        stateDir: path.join(this.folder, name),
        name,
        controllers: [this.address],
        join: { token },
        datastores: { shared: this.datastore },
        networks: { user: { kind: 'user', socket: this.network } },
        images: folder,
      };
      const file = path.join(this.folder, `${name}.json`);
      writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
      await this.processes.godwit(name, ['agent', file]);
    }
    let readyAt: number | undefined;
    const ready = async (): Promise<boolean> => {
      const { hosts } = await this.api('Hosts').listHosts({});
      const here = hosts.filter(({ name, state }) => names.includes(name) && state === 'HOST_STATE_READY');
      if (here.length < names.length) return false;
      if (here.every(({ facts }) => facts?.networks.includes('user') && facts.datastores.length > 0)) return true;
      // They say themselves what they lack.
      readyAt ??= Date.now();
      if (Date.now() - readyAt > LACK_MS)
        throw new CliError(exitCodes.precondition, (await this.warnings()) || 'the hosts have no network');
      return false;
    };
    await this.until(ready, 'the hosts do not come', signal, () => this.warnings());
    return names;
  }

  /** For `npx godwit …`. */
  announce(): void {
    saveContext(this.contextFile, 'up', { controllers: [this.address], certificates: this.access.certificates }, { use: true });
  }

  /** Looks until it holds; a process that ends meanwhile says why it cannot. @throws CliError */
  async until(
    holds: () => boolean | Promise<boolean>,
    what: string,
    signal: AbortSignal,
    more: () => Promise<string> = async () => '',
    limitMs = READY_MS,
  ): Promise<void> {
    const limit = Date.now() + limitMs;
    for (let last = ''; ; await sleep(LOOK_MS, undefined, { signal })) {
      const { failure } = this.processes;
      if (failure !== undefined) throw new CliError(exitCodes.failed, failure);
      try {
        if (await holds()) return;
      } catch (error) {
        if (error instanceof CliError) throw error;
        last = (error as Error).message;
      }
      if (Date.now() > limit)
        throw new CliError(
          exitCodes.failed,
          `${what}: ${(await more()) || last || 'nothing more is known'}; the logs are in ${path.join(this.home, 'logs')}`,
        );
    }
  }

  /** The socket of the network that the hosts share. */
  get network(): string {
    return path.join(this.folder, 'net');
  }

  /** Nothing is left running, and nothing of the VMs is kept. */
  async end(): Promise<void> {
    this.wire.close();
    rmSync(this.contextFile, { force: true });
    await this.processes.end((name) => name !== 'controller' && name !== 'nfs');
    await sweep(this.folder);
    await this.processes.end();
    rmSync(this.folder, { recursive: true, force: true });
    for (const name of ['datastore', 'processes.json']) rmSync(path.join(this.home, name), { recursive: true, force: true });
  }

  /** That of the checkout, if its home is there (cluster/context/file.ts). */
  private get contextFile(): string {
    return path.join(this.home, 'config.yaml');
  }

  private async makeDatastore(nfs: NfsPlan | undefined, signal: AbortSignal): Promise<void> {
    const folder = path.join(this.home, 'datastore');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o700);
    const state = path.join(this.folder, 'nfs');
    if (nfs)
      this.datastore = await serveNfs(this.processes, nfs, { folder, state, until: (holds, what) => this.until(holds, what, signal) });
    await (await Datastore.init(this.datastore)).close();
  }

  /** What hosts complain of, in one line. */
  private async warnings(): Promise<string> {
    const { hosts } = await this.api('Hosts').listHosts({});
    // Hosts of one machine lack the same.
    return [...new Set(hosts.flatMap(({ warnings }) => warnings))].join('; ');
  }
}

const PREFIX = 'godwit-up-';

function serves(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(port, '127.0.0.1', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
