/**
 * Moves a Debian guest from process to process (`godwit vmm`), over shared storage and
 * one user-mode network, while a client outside talks to it on one connection.
 */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVm, openStore, VmmProcess } from '../support/vmms.mjs';
import { checkFileSystem, debianFiles, freePort, Scratch, ssh, untilHttp } from '../state/debian.mjs';

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
const { startUsernet } = require('../../packages/network');
const { allowedFeatures } = require('../../packages/vmm');

/** → { records: of each move, proof, fsck, gapMs: the longest that a line and its echo took } */
export async function moveAround({ moves, load = false, nodeArgs = [], log = () => {} }) {
  const files = await debianFiles(log);
  const scratch = new Scratch();
  const hosts = [];
  let usernet;
  try {
    mkdirSync(scratch.path('store'));
    const store = await openStore(scratch.path('store'));
    const { diskFile: disk } = await createVm(store, { name: 'web', ...files, features: allowedFeatures(), append: `${files.kernelParameters} quiet`, network: 'lan' });
    await store.close();
    const [sshPort, httpPort] = [await freePort(), await freePort()];
    usernet = await startUsernet({ socket: scratch.path('net'), control: scratch.path('control'), forwards: [`tcp::${sshPort}-22`, `tcp::${httpPort}-80`] });
    const order = { nodeArgs, folder: scratch.folder, store: scratch.path('store'), vm: 'web', networks: { lan: { kind: 'user', socket: usernet.config.socket } } };
    let current = new VmmProcess({ ...order, host: 'host0', mode: 'start' });
    hosts.push(current);
    await current.untilRunning();
    await untilHttp(httpPort, 120_000);
    if (load) {
      await ssh(files, sshPort, 'cat > /root/load.sh && chmod +x /root/load.sh', { input: readFileSync(path.join(here, '..', 'state', 'load.sh')) });
      await ssh(files, sshPort, 'setsid /root/load.sh start > /dev/null 2>&1 < /dev/null &');
    }
    // One connection that lasts through every move: the guest answers each line.
    const connection = await echoes(files, sshPort, scratch);
    const records = [];
    for (let move = 1; move <= moves; move++) {
      const target = new VmmProcess({ ...order, host: `host${move}`, mode: 'incoming' });
      hosts.push(target);
      await target.untilWaiting();
      connection.take();
      const record = await current.migrateTo(target);
      if (record.outcome !== 'completed') throw new Error(`move ${move}: ${JSON.stringify(record)}; target: ${target.log}`);
      const { code } = await current.exited;
      await new Promise((resolve) => setTimeout(resolve, 700));
      const gapMs = connection.take();
      records.push({ ...record, sourceExit: code, gapMs });
      log(`move ${move}: ${record.outcome}, pause ${pauseText(record)}, setup ${record.setupMs.toFixed(0)}, precopy ${record.precopyMs.toFixed(0)}, all ${record.totalMs.toFixed(0)} ms, ${record.roundCount} rounds, ${(record.counts.wireBytes / 2 ** 20).toFixed(1)} MiB, outside gap ${Math.round(gapMs)} ms`);
      current = target;
      await untilHttp(httpPort, 60_000);
    }
    const said = load ? await ssh(files, sshPort, '/root/load.sh finish', { timeout: 150_000 }) : '';
    const connected = !connection.ended;
    connection.stop();
    await ssh(files, sshPort, 'poweroff').catch(() => {});
    await current.exited;
    return { records, connected, proof: said.split('\n').filter((line) => line.startsWith('proof: ')), fsck: await checkFileSystem(disk) };
  } finally {
    for (const host of hosts) await host.remove();
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

const pauseText = ({ pause = {}, pauseMs }) => `${pauseMs?.toFixed(1)} (${Object.entries(pause).filter(([, ms]) => typeof ms === 'number').map(([part, ms]) => `${part.replace(/Ms$/, '')} ${ms.toFixed(1)}`).join(', ')})`;
