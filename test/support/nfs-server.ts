/**
 * A real NFS server for tests: nfs-ganesha in user space, NFSv3 over TCP on loopback, on
 * free ports. Needs root and Debian's nfs-ganesha, nfs-ganesha-vfs, rpcbind.
 *
 * Ganesha insists on registering with rpcbind, which wants port 111 of its network and a
 * socket in /run. So both run in a mount namespace with a /run of their own, and rpcbind
 * in an empty network namespace, only until ganesha is up. Clients name the ports
 * themselves (`nfsport`, `mountport`) and ask no rpcbind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const START_MS = 15_000;
const PLUGINS = '/usr/lib/x86_64-linux-gnu/ganesha';

export class NfsServer {
  private process: ChildProcess | undefined;

  private constructor(
    /** All of the server's files; removed by `stop`. */
    private readonly base: string,
    private readonly nfsPort: number,
    private readonly mountPort: number,
    private readonly sizeBytes: number | undefined,
    private readonly address: string,
  ) {}

  /**
   * With a size, the export is a file system of its own that can become full; `folder` then shows nothing of it.
   * @param options.address another than loopback only in a network namespace of the test's own
   */
  static async start({ sizeBytes, address = '127.0.0.1' }: { sizeBytes?: number; address?: string } = {}): Promise<NfsServer> {
    if (process.getuid?.() !== 0) throw new Error('the tests with an NFS server need root: ganesha opens files by handle');
    for (const file of ['/usr/bin/ganesha.nfsd', `${PLUGINS}/libfsalvfs.so`, '/sbin/rpcbind']) {
      if (!fs.existsSync(file)) throw new Error(`${file} is missing: apt-get install nfs-ganesha nfs-ganesha-vfs rpcbind`);
    }
    const base = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-nfs-'));
    const [nfsPort, mountPort] = await freePorts();
    const server = new NfsServer(base, nfsPort, mountPort, sizeBytes, address);
    fs.mkdirSync(server.folder);
    fs.mkdirSync(path.join(base, 'recovery'));
    fs.writeFileSync(path.join(base, 'ganesha.conf'), server.config());
    try {
      await server.run();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** The exported folder as the server's host sees it. */
  get folder(): string {
    return path.join(this.base, 'export');
  }

  /** For clients: `nfs://…` of the export. */
  get url(): string {
    return `nfs://${this.address}${this.folder}?nfsport=${this.nfsPort}&mountport=${this.mountPort}`;
  }

  /** Requests are taken by the kernel and not answered: the server hangs. */
  async hang(): Promise<void> {
    const { pid } = this.process!;
    this.process!.kill('SIGSTOP');
    // Its threads stop one by one.
    const stopped = (thread: string): boolean => / [Tt] /.test(fs.readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
    while (!fs.readdirSync(`/proc/${pid}/task`).every(stopped)) await sleep(1);
  }

  goOn(): void {
    this.process?.kill('SIGCONT');
  }

  /** kill -9: connections break. */
  async kill(): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  /** After `kill`: the same export on the same ports. */
  async run(): Promise<void> {
    const [log, pidFile] = [path.join(this.base, 'log'), path.join(this.base, 'rpcbind.pid')];
    fs.rmSync(log, { force: true });
    fs.rmSync(pidFile, { force: true });
    // setpriv: the server does not outlive the test, however that ends.
    const script = `set -e
      mount -t tmpfs none /run
      mkdir /run/rpcbind
      ${this.sizeBytes === undefined ? '' : `mount -t tmpfs -o size=${this.sizeBytes},mode=0777 none ${this.folder}`}
      unshare -n /sbin/rpcbind -f -w & echo $! > ${pidFile}
      for try in $(seq 100); do [ -S /run/rpcbind.sock ] && break; sleep 0.05; done
      exec /usr/bin/ganesha.nfsd -F -f ${this.base}/ganesha.conf -L ${log} -p ${this.base}/ganesha.pid`;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '-m', '--propagation', 'private', 'sh', '-c', script], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.process = child;
    let stderr = '';
    child.stderr!.on('data', (bytes) => (stderr += bytes));
    const until = Date.now() + START_MS;
    const up = (): boolean => fs.existsSync(log) && fs.readFileSync(log, 'utf8').includes('NFS SERVER INITIALIZED');
    try {
      while (!up()) {
        if (child.exitCode !== null || Date.now() > until) throw new Error(`nfs-ganesha did not start: ${stderr}\n${tail(log)}`);
        await sleep(50);
      }
    } finally {
      if (fs.existsSync(pidFile)) killQuietly(Number(fs.readFileSync(pidFile, 'utf8')));
    }
  }

  async stop(): Promise<void> {
    this.goOn();
    await this.kill();
    fs.rmSync(this.base, { recursive: true, force: true });
  }

  private config(): string {
    return `
      NFS_CORE_PARAM { Protocols = 3; NFS_Port = ${this.nfsPort}; MNT_Port = ${this.mountPort}; Bind_addr = ${this.address};
        Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; Plugins_Dir = ${PLUGINS}; }
      NFSv4 { RecoveryBackend = fs; RecoveryRoot = ${this.base}/recovery; Graceless = true; }
      EXPORT { Export_Id = 1; Path = ${this.folder}; Pseudo = /export; Access_Type = RW; Squash = No_Root_Squash;
        SecType = sys, none; Protocols = 3; Transports = TCP; FSAL { Name = VFS; } }
      LOG { Default_Log_Level = EVENT; }`;
  }
}

async function freePorts(): Promise<[number, number]> {
  const servers = [net.createServer(), net.createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as net.AddressInfo).port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return [ports[0], ports[1]];
}

function tail(file: string): string {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(-15).join('\n') : '';
}

function killQuietly(pid: number): void {
  try {
    if (pid > 0) process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
