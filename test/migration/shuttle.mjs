/**
 * Moves one VM back and forth between two hosts in network namespaces, under disk, CPU and
 * clock load, while an ssh session and a running transfer from a third namespace go on.
 *
 *   node test/migration/shuttle.mjs [--moves 1000] [--json FILE]
 *
 * Ends with 1 when a move fails, a connection breaks, a byte is wrong, the guest's clock
 * goes back, its file system is not clean, or the VMMs' memory grows.
 */
import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Authority } from '../support/certificates.mjs';
import { Net } from '../support/hosts.mjs';
import { createVm, openStore, VmmProcess } from '../support/vmms.mjs';
import { checkFileSystem, debianFiles, Scratch } from '../state/debian.mjs';

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
const { formatMac, macForVm } = require('../../packages/network');
const GUEST = '10.77.0.50';
/** Growth of the resident set that is noise: V8 collects when it likes. */
const GROWTH_LIMIT = 0.25;

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const quantile = (list, q) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))];

export async function shuttle({ moves, log = () => {} }) {
  const files = await debianFiles(log);
  const scratch = new Scratch();
  const net = await Net.create();
  const vmms = [];
  const children = [];
  try {
    const hosts = [await net.host('h0', '10.77.0.10'), await net.host('h1', '10.77.0.11')];
    const client = await net.client('cl', '10.77.0.200');
    const dhcp = client.spawn(process.execPath, [path.join(here, '..', 'support', 'dhcp.mjs'), '10.77.0.200', '10.77.0.100', `${formatMac(macForVm('web'))}=${GUEST}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(dhcp);
    await new Promise((resolve) => dhcp.stdout.once('data', resolve));
    mkdirSync(scratch.path('store'));
    const store = await openStore(scratch.path('store'));
    const { diskFile } = await createVm(store, { name: 'web', ...files, append: `${files.kernelParameters} quiet`, network: 'lan' });
    await store.close();
    const authority = new Authority(scratch.path('ca'));
    const tls = hosts.map((host, number) => authority.host(`host${number}`, [host.address]));
    const start = (number, mode) => {
      const space = hosts[number % 2];
      const vmm = new VmmProcess({ folder: scratch.folder, store: scratch.path('store'), vm: 'web', host: `host${number % 2}`, mode, space, listen: { host: space.address, port: 0 }, tls: tls[number % 2], networks: { lan: { kind: 'bridge', bridge: 'br0' } } });
      vmms.push(vmm);
      return vmm;
    };
    let current = start(0, 'start');
    await current.untilRunning();

    const key = scratch.path('key2');
    copyFileSync(files.sshKey, key);
    chmodSync(key, 0o600);
    const sshArgs = ['-i', key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=5', '-o', 'BatchMode=yes', `root@${GUEST}`];
    const inGuest = (command, input) =>
      new Promise((resolve, reject) => {
        const child = client.spawn('ssh', [...sshArgs, command], { stdio: ['pipe', 'pipe', 'pipe'] });
        let out = '';
        let err = '';
        child.stdout.on('data', (data) => (out += data));
        child.stderr.on('data', (data) => (err += data));
        child.on('exit', (code) => (code === 0 ? resolve(out) : reject(new Error(`${command}: ${code} ${err}`))));
        child.stdin.end(input ?? '');
      });
    for (let tries = 0; ; tries++) {
      try {
        await inGuest('true');
        break;
      } catch (error) {
        if (tries === 60) throw error;
        await sleep(1000);
      }
    }
    await inGuest('cat > /root/load.sh && chmod +x /root/load.sh', readFileSync(path.join(here, '..', 'state', 'load.sh')));
    await inGuest('setsid /root/load.sh start > /dev/null 2>&1 < /dev/null &');
    // The session: a line and its echo. The transfer: numbered blocks, each of which is looked at.
    const session = new Session(client.spawn('ssh', [...sshArgs, 'while read -r x; do echo $x; done'], { stdio: ['pipe', 'pipe', 'inherit'] }));
    const transfer = new Transfer(client.spawn('ssh', [...sshArgs, 'n=0; while :; do n=$((n+1)); printf "%0199d\\n" $n; [ $((n % 50)) = 0 ] && sleep 0.05; done'], { stdio: ['ignore', 'pipe', 'inherit'] }));
    children.push(session.child, transfer.child);

    const results = [];
    for (let move = 1; move <= moves; move++) {
      const target = start(move, 'incoming');
      await target.untilWaiting();
      session.take();
      const record = await current.migrateTo(target);
      if (record.outcome !== 'completed') throw new Error(`move ${move}: ${JSON.stringify(record)}`);
      await current.exited;
      const old = current;
      current = target;
      await sleep(300);
      const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${current.pid}/status`, 'utf8'))[1]) / 1024;
      results.push({ pauseMs: record.pauseMs, totalMs: record.totalMs, rounds: record.roundCount, bytes: record.counts.wireBytes, gapMs: session.take(), rssMiB: rss });
      vmms.splice(vmms.indexOf(old), 1);
      await old.remove();
      if (!session.alive || !transfer.alive) throw new Error(`move ${move}: ${session.alive ? 'the transfer' : 'the ssh session'} broke`);
      if (transfer.wrong) throw new Error(`move ${move}: the transfer is wrong: ${transfer.wrong}`);
      if (move % 10 === 0 || moves <= 20) log(`${move} moves; the last: pause ${record.pauseMs.toFixed(1)} ms, gap ${results.at(-1).gapMs.toFixed(0)} ms, ${record.totalMs.toFixed(0)} ms in all, ${rss.toFixed(0)} MiB; ${transfer.lines} lines transferred`);
    }
    session.child.kill();
    transfer.child.kill();
    const said = await inGuest('/root/load.sh finish');
    await inGuest('poweroff').catch(() => {});
    await current.exited;
    return { results, proof: said.split('\n').filter((line) => line.startsWith('proof: ')), fsck: await checkFileSystem(diskFile) };
  } finally {
    for (const child of children) child.kill();
    for (const vmm of vmms) await vmm.remove();
    await net.remove();
    scratch.remove();
  }
}

class Session {
  alive = true;
  longest = 0;
  constructor(child) {
    this.child = child;
    child.stdin.on('error', () => {});
    child.on('exit', () => (this.alive = false));
    child.stdout.on('data', () => {
      this.longest = Math.max(this.longest, performance.now() - this.sent);
      setTimeout(() => this.send(), 3);
    });
    this.send();
  }
  send() {
    this.sent = performance.now();
    if (this.alive) this.child.stdin.write('x\n');
  }
  take() {
    const { longest } = this;
    this.longest = 0;
    return longest;
  }
}

class Transfer {
  alive = true;
  lines = 0;
  wrong = '';
  rest = '';
  constructor(child) {
    this.child = child;
    child.on('exit', () => (this.alive = false));
    child.stdout.on('data', (data) => {
      const lines = (this.rest + data.toString('latin1')).split('\n');
      this.rest = lines.pop();
      for (const line of lines) if (line !== String(++this.lines).padStart(199, '0')) this.wrong ||= `line ${this.lines}: ${line.slice(0, 40)}…${line.slice(-10)}`;
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { moves: { type: 'string', default: '1000' }, json: { type: 'string' } } });
  const { results, proof, fsck } = await shuttle({ moves: Number(values.moves), log: console.log });
  const column = (name) => results.map((one) => one[name]);
  const show = (name, unit) => console.log(`${name.padEnd(8)} median ${median(column(name)).toFixed(1)}, 95th percentile ${quantile(column(name), 0.95).toFixed(1)}, most ${Math.max(...column(name)).toFixed(1)} ${unit}`);
  show('pauseMs', 'ms');
  show('gapMs', 'ms');
  show('totalMs', 'ms');
  const tenth = Math.max(3, results.length / 10);
  const [first, last] = [median(column('rssMiB').slice(0, tenth)), median(column('rssMiB').slice(-tenth))];
  console.log(`resident set: ${first.toFixed(0)} MiB at first, ${last.toFixed(0)} MiB at last`);
  console.log([...proof, fsck].join('\n'));
  if (values.json) writeFileSync(values.json, JSON.stringify({ results, proof }));
  process.exit(proof.at(-1) === 'proof: whole' && last <= first * (1 + GROWTH_LIMIT) ? 0 : 1);
}
