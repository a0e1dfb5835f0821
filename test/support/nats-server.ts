/**
 * Real NATS servers with JetStream for tests: one, or a cluster of several, on free ports of
 * loopback, all files in a temporary folder of their own. Debian's package `nats-server`.
 *
 * Each server can be killed (`kill -9`), started again on the same ports and files, and
 * stopped and continued by signal, which is what a partition looks like to the others:
 * connections stay open, nothing is answered.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 30_000;
const PLACES = ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/usr/local/bin/nats-server'];

export interface NatsServerOptions {
  /** Servers in the cluster; 1: no cluster. */
  readonly servers?: number;
  /** Lines for each server's configuration: TLS, users, limits. */
  readonly config?: string;
  /** False: a server that only passes messages on. */
  readonly jetstream?: boolean;
  /** Where clients reach them; another than loopback only in a network namespace of the test's own. */
  readonly address?: string;
}

export class NatsServers {
  private constructor(
    private readonly folder: string,
    readonly nodes: readonly NatsNode[],
  ) {}

  static async start({ servers = 1, config = '', jetstream = true, address = '127.0.0.1' }: NatsServerOptions = {}): Promise<NatsServers> {
    const binary = PLACES.find((place) => fs.existsSync(place));
    if (!binary) throw new Error('nats-server is missing: apt-get install nats-server');
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-nats-'));
    const ports = await freePorts(3 * servers);
    const routes = Array.from({ length: servers }, (_, index) => ports[servers + index]);
    const nodes = routes.map((route, index) => {
      const node: NodeFiles = {
        name: `n${index}`,
        folder: path.join(folder, `n${index}`),
        address,
        client: ports[index],
        route,
        monitor: ports[2 * servers + index],
      };
      fs.mkdirSync(node.folder);
      fs.writeFileSync(path.join(node.folder, 'nats.conf'), configuration(node, servers > 1 ? routes : [], jetstream, config));
      return new NatsNode(binary, node);
    });
    const all = new NatsServers(folder, nodes);
    try {
      await Promise.all(nodes.map((node) => node.run()));
      await all.ready();
    } catch (error) {
      await all.stop();
      throw error;
    }
    return all;
  }

  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  /** Waits until JetStream answers on every server that runs; in a cluster that takes a leader. */
  async ready(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => node.isRunning).map((node) => node.ready()));
  }

  /** The node that is called so in the server's own answers (a stream's leader). */
  named(name: string): NatsNode {
    const found = this.nodes.find((node) => node.name === name);
    if (!found) throw new Error(`no NATS server is called ${name}`);
    return found;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

interface NodeFiles {
  readonly name: string;
  readonly folder: string;
  readonly address: string;
  readonly client: number;
  readonly route: number;
  readonly monitor: number;
}

export class NatsNode {
  private process: ChildProcess | undefined;

  constructor(
    private readonly binary: string,
    private readonly files: NodeFiles,
  ) {}

  get name(): string {
    return this.files.name;
  }

  get url(): string {
    return `${this.files.address}:${this.files.client}`;
  }

  get isRunning(): boolean {
    return this.process !== undefined && this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Starts it, on the ports and files it had before if it ran already; comes back once it takes connections. */
  async run(): Promise<void> {
    // setpriv: the server does not outlive the test, however that ends.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', this.binary, '-c', path.join(this.files.folder, 'nats.conf')], {
      stdio: 'ignore',
    });
    this.process = child;
    await until(
      `NATS server ${this.name} to start`,
      async () => {
        if (child.exitCode !== null) throw new Error(`nats-server ended at once:\n${this.log()}`);
        return (await this.health()) !== undefined;
      },
      () => this.log(),
    );
  }

  async ready(): Promise<void> {
    await until(
      `JetStream of ${this.name}`,
      async () => (await this.health()) === 200,
      () => this.log(),
    );
  }

  /** kill -9: connections break. */
  async kill(): Promise<void> {
    const child = this.process;
    if (!child || !this.isRunning) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** Stops it as it stands: its connections stay open and nothing is answered. */
  hang(): void {
    this.process?.kill('SIGSTOP');
    // The signal is on its way: all its threads stand when each says so.
    for (let tries = 0; tries < 1000 && !this.stands(); tries++) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }

  private stands(): boolean {
    const pid = this.process?.pid;
    if (pid === undefined) return true;
    const tasks = `/proc/${pid}/task`;
    return fs.readdirSync(tasks).every((task) => /\) [TtZX] /.test(fs.readFileSync(`${tasks}/${task}/stat`, 'utf8')));
  }

  goOn(): void {
    this.process?.kill('SIGCONT');
  }

  log(): string {
    const file = path.join(this.files.folder, 'log');
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(-40).join('\n') : '';
  }

  /** HTTP status of /healthz: 200 once JetStream runs and knows its cluster's leader; undefined: no answer. */
  private async health(): Promise<number | undefined> {
    try {
      return (await fetch(`http://127.0.0.1:${this.files.monitor}/healthz?js-server-only=true`, { signal: AbortSignal.timeout(1_000) }))
        .status;
    } catch {
      return undefined;
    }
  }
}

function configuration(node: NodeFiles, routes: readonly number[], jetstream: boolean, extra: string): string {
  const cluster =
    routes.length === 0
      ? ''
      : `cluster { name: test, listen: "127.0.0.1:${node.route}", routes: [${routes.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')}] }`;
  return `
    server_name: ${node.name}
    listen: "${node.address}:${node.client}"
    http: "127.0.0.1:${node.monitor}"
    log_file: "${path.join(node.folder, 'log')}"
    pid_file: "${path.join(node.folder, 'pid')}"
    ${jetstream ? `jetstream { store_dir: "${path.join(node.folder, 'data')}", max_memory_store: 64MB, max_file_store: 1GB }` : ''}
    ${cluster}
    ${extra}
  `;
}

async function until(what: string, done: () => Promise<boolean>, log: () => string): Promise<void> {
  const end = Date.now() + START_MS;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}:\n${log()}`);
    await sleep(50);
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as net.AddressInfo).port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return ports;
}
