/**
 * Moves a Debian guest from process to process, each with its own lease holder,
 * over shared storage and one user-mode network, while a client outside talks to
 * it on one connection.
 */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { checkFileSystem, debianFiles, freePort, Scratch, ssh, untilHttp } from '../state/debian.mjs';

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
const { Datastore, VmDirectory } = require('../../packages/storage');
const { startUsernet, formatMac, macForVm } = require('../../packages/network');

class Host {
  waiting = [];
  seen = [];
  constructor(order) {
    this.name = order.name;
    this.child = spawn(process.execPath, [path.join(here, 'host.mjs'), JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.stderr = '';
    this.child.stderr.on('data', (data) => (this.stderr += data));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const event = JSON.parse(line);
      this.seen.push(event);
      for (const one of this.waiting.splice(0)) if (!one(event)) this.waiting.push(one);
    });
    this.child.on('close', () => this.waiting.splice(0).forEach((one) => one({ event: 'closed', message: this.stderr })));
  }
  do(what, rest = {}) {
    this.child.stdin.write(`${JSON.stringify({ do: what, ...rest })}\n`);
  }
  /** The next event of that kind. */
  next(kind, limitMs = 60_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name}: no ${kind} within ${limitMs} ms: ${JSON.stringify(this.seen.slice(-5))} ${this.stderr}`)), limitMs);
      this.waiting.push((event) => {
        if (event.event === kind) {
          clearTimeout(timer);
          resolve(event);
          return true;
        }
        if (event.event === 'failed' || event.event === 'closed') {
          clearTimeout(timer);
          reject(new Error(`${this.name}: ${JSON.stringify(event)}`));
          return true;
        }
        return false;
      });
    });
  }
  end() {
    this.child.kill('SIGKILL');
  }
}

/** → { records: source's and target's of each move, proof, fsck, gapMs: the longest that a line and its echo took } */
export async function moveAround({ moves, load = false, log = () => {} }) {
  const files = await debianFiles(log);
  const scratch = new Scratch();
  const hosts = [];
  let usernet;
  try {
    const disk = await scratch.copyDisk(files.disk);
    const store = await Datastore.init(scratch.folder);
    await VmDirectory.create(store, { schema: 1, vmId: '11111111-2222-3333-4444-555555555555', name: 'web', memoryBytes: 512 << 20, disks: [], networks: [], settings: {} });
    await store.close();
    const [sshPort, httpPort] = [await freePort(), await freePort()];
    usernet = await startUsernet({ socket: scratch.path('net'), control: scratch.path('control'), forwards: [`tcp::${sshPort}-22`, `tcp::${httpPort}-80`] });
    const order = { store: scratch.folder, vm: 'web', disk, megabytes: 512, files, usernet: usernet.config.socket, mac: formatMac(macForVm('web')) };
    let current = new Host({ ...order, role: 'source', name: 'host0' });
    hosts.push(current);
    await current.next('running');
    await untilHttp(httpPort, 120_000);
    if (load) {
      await ssh(files, sshPort, 'cat > /root/load.sh && chmod +x /root/load.sh', { input: readFileSync(path.join(here, '..', 'state', 'load.sh')) });
      await ssh(files, sshPort, 'setsid /root/load.sh start > /dev/null 2>&1 < /dev/null &');
    }
    // One connection that lasts through every move: the guest answers each line.
    const connection = await echoes(files, sshPort, scratch);
    const records = [];
    for (let move = 1; move <= moves; move++) {
      const target = new Host({ ...order, role: 'target', name: `host${move}` });
      hosts.push(target);
      await new Promise((resolve) => setTimeout(resolve, 500));
      target.do('listen');
      const { port } = await target.next('listening');
      connection.take();
      const arrived = target.next('record', 120_000);
      current.do('migrate', { port });
      const [source, there] = await Promise.all([current.next('record', 120_000), arrived]);
      await new Promise((resolve) => setTimeout(resolve, 700));
      const gapMs = connection.take();
      records.push({ source: source.record, target: there.record, gapMs });
      log(`move ${move}: ${source.record.outcome}, ${JSON.stringify(source.record.pause ?? source.record)}, outside gap ${Math.round(gapMs)} ms`);
      if (source.record.outcome !== 'moved' && source.record.outcome !== 'completed') log(JSON.stringify(source.record));
      current = target;
      await untilHttp(httpPort, 60_000);
    }
    const said = load ? await ssh(files, sshPort, '/root/load.sh finish', { timeout: 150_000 }) : '';
    const connected = !connection.ended;
    connection.stop();
    const ended = current.next('ended', 60_000);
    await ssh(files, sshPort, 'poweroff').catch(() => {});
    await ended;
    return { records, connected, proof: said.split('\n').filter((line) => line.startsWith('proof: ')), fsck: await checkFileSystem(disk) };
  } finally {
    for (const host of hosts) host.end();
    await usernet?.stop();
    scratch.remove();
  }
}

/**
 * Lines to the guest and back on one ssh connection, a line every 5 ms at most; keeps
 * the longest wait between two answers. Resolves with the first answer.
 */
async function echoes(files, sshPort, scratch) {
  const key = scratch.path('key2');
  copyFileSync(files.sshKey, key);
  chmodSync(key, 0o600);
  const target = ['-i', key, '-p', String(sshPort), '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', 'root@127.0.0.1'];
  for (let attempt = 1; ; attempt++) {
    const connection = new Echoes(spawn('ssh', [...target, 'while read -r x; do echo $x; done'], { stdio: ['pipe', 'pipe', 'pipe'] }));
    if (await connection.first) return connection;
    // Refused: the guest's sshd may still be starting.
    if (attempt === 40) throw new Error(`ssh does not connect: ${connection.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

class Echoes {
  longest = 0;
  stderr = '';
  ended = false;
  constructor(child) {
    this.child = child;
    this.sent = performance.now();
    child.stdin.on('error', () => {});
    child.stderr.on('data', (data) => (this.stderr += data));
    /** True once it has answered, false when it ended before. */
    this.first = new Promise((resolve) => {
      child.stdout.on('data', () => {
        resolve(true);
        this.longest = Math.max(this.longest, this.waiting());
        this.sent = undefined;
        setTimeout(() => this.send(), 5);
      });
      child.on('close', () => {
        this.ended = true;
        resolve(false);
      });
    });
    this.send();
  }
  send() {
    if (this.ended) return;
    this.sent = performance.now();
    this.child.stdin.write('x\n');
  }
  waiting() {
    return this.sent === undefined ? 0 : performance.now() - this.sent;
  }
  /** The longest wait since the last call, the present one included. */
  take() {
    const longest = Math.max(this.longest, this.waiting());
    this.longest = 0;
    return longest;
  }
  stop() {
    this.child.kill();
  }
}
