// network.mjs: what a VM's network carries on this host, without a guest: rings between threads, the cost of a
// wake-up, frames into a TAP, TCP of two kernels through rings and TAPs, TCP through the user-mode network.
// Runs itself in a network namespace of its own, so root is needed: node test/bench/network.mjs
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const network = createRequire(import.meta.url)('@godwit/network');
const { bellRinger, createFrameRing, FrameConsumer, FrameProducer, openBell, openTap, ringCounters, startNetPump, startUsernet } = network;
const self = fileURLToPath(import.meta.url);
const SECONDS = 1;
// Finish the checksum, TCP over IPv4 in segments of 1448 bytes.
const TSO_HEADER = Uint8Array.of(1, 1, 54, 0, 0xa8, 5, 34, 0, 16, 0, 0, 0);

const SINK = `require('net').createServer(s=>{let n=0,t;s.on('data',d=>{t??=process.hrtime.bigint();n+=d.length});s.on('end',()=>{console.log(n/Number(process.hrtime.bigint()-t));process.exit()})}).listen(5001,'0.0.0.0',()=>console.log('ready'))`;
const source = (to) =>
  `const s=require('net').connect(5001,'${to}',()=>{const b=Buffer.alloc(1<<20);const end=Date.now()+${SECONDS * 1000};const go=()=>{while(Date.now()<end)if(!s.write(b))return s.once('drain',go);s.end()};go()})`;

if (!isMainThread) {
  if (workerData.drain) drainForEver(workerData);
  else startNetPump({ ...workerData, wake: () => {} });
} else if (process.argv[2] === 'inside') {
  await main();
} else {
  process.exit(spawnSync('unshare', ['--net', '--mount', process.execPath, self, 'inside'], { stdio: 'inherit' }).status ?? 1);
}

async function main() {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  await ringsAlone(60);
  await ringsAlone(65_550);
  const tap = openTap({ name: 'bench0' });
  await wakeCost(tap);
  await intoTap(tap, 60);
  await intoTap(tap, 65_226);
  tap.close();
  await kernelToKernel();
  await throughUsernet();
}

function report(what, number, unit) {
  console.log(`${what.padEnd(62)} ${number.toFixed(number < 10 ? 2 : 0).padStart(10)} ${unit}`);
}

function drainForEver({ drain, flag }) {
  const consumer = new FrameConsumer(drain, () => {});
  const stop = new Int32Array(flag);
  while (Atomics.load(stop, 0) === 0) consumer.drain(() => true, 64);
}

function pushFor(producer, frame, header) {
  const start = process.hrtime.bigint();
  let taken = 0;
  let now = start;
  while (now - start < SECONDS * 1e9) {
    for (let i = 0; i < 32; i++) if (producer.push([frame], header)) taken++;
    now = process.hrtime.bigint();
  }
  return taken / (Number(now - start) / 1e9);
}

async function ringsAlone(bytes) {
  const ring = createFrameRing();
  const flag = new SharedArrayBuffer(4);
  const worker = new Worker(self, { workerData: { drain: ring, flag } });
  await new Promise((resolve) => worker.once('online', resolve));
  const rate = pushFor(new FrameProducer(ring, () => {}), new Uint8Array(bytes));
  Atomics.store(new Int32Array(flag), 0, 1);
  await worker.terminate();
  report(`rings alone, frames of ${bytes} bytes`, rate / 1e3, 'k frames/s');
  report(`rings alone, frames of ${bytes} bytes`, (rate * bytes) / 1e9, 'GB/s');
}

async function pumpOf(tap) {
  const rings = { tx: createFrameRing(), rx: createFrameRing(), bell: openBell() };
  const worker = new Worker(self, { workerData: { ...rings, backend: { kind: 'tap', fd: tap.fd } } });
  await new Promise((resolve) => worker.once('online', resolve));
  await sleep(100);
  return { ...rings, producer: new FrameProducer(rings.tx, bellRinger(rings.bell)), end: () => worker.terminate() };
}

// To nobody: the kernel takes the frame and its TCP headers apart and drops it, so the way into the kernel is measured.
function tcpFrame(bytes) {
  const frame = new Uint8Array(bytes);
  frame.set([0x56, 0, 0, 0, 0, 1, 0x56, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, (bytes - 14) >> 8, (bytes - 14) & 255]);
  frame.set([64, 6], 22);
  frame.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  frame[46] = 0x50;
  return frame;
}

async function wakeCost(tap) {
  const pump = await pumpOf(tap);
  const frame = tcpFrame(60);
  const costs = [];
  for (let i = 0; i < 300; i++) {
    await sleep(2); // the pump sleeps again
    const start = process.hrtime.bigint();
    pump.producer.push([frame]);
    costs.push(Number(process.hrtime.bigint() - start) / 1e3);
  }
  costs.sort((a, b) => a - b);
  report('push with a sleeping pump, as the vCPU pays it, median', costs[150], 'µs');
  report('push with a sleeping pump, 95 of 100', costs[285], 'µs');
  await pump.end();
}

async function intoTap(tap, bytes) {
  const pump = await pumpOf(tap);
  const before = ringCounters(pump.tx);
  const rate = pushFor(pump.producer, tcpFrame(bytes), bytes > 1514 ? TSO_HEADER : undefined);
  const dropped = ringCounters(pump.tx).dropped - before.dropped;
  report(`rings and pump into a TAP, frames of ${bytes} bytes`, rate / 1e3, 'k frames/s');
  report(`rings and pump into a TAP, frames of ${bytes} bytes`, (rate * bytes) / 1e9, `GB/s (${dropped} pushes refused meanwhile)`);
  await pump.end();
}

/** GB/s of a TCP stream from one command prefix's world to the other's. */
async function stream(sinkPrefix, sourcePrefix, to) {
  const sink = spawn(sinkPrefix[0], [...sinkPrefix.slice(1), '-e', SINK], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = [];
  sink.stdout.on('data', (chunk) => lines.push(...chunk.toString().trim().split('\n')));
  const ended = new Promise((resolve) => sink.once('close', resolve));
  while (!lines.includes('ready')) await sleep(20);
  spawn(sourcePrefix[0], [...sourcePrefix.slice(1), '-e', source(to)], { stdio: 'inherit' });
  await ended;
  return Number(lines.at(-1));
}

async function kernelToKernel() {
  const other = spawn('unshare', ['--net', 'sleep', '60'], { stdio: 'ignore' });
  await sleep(200);
  const inOther = (command) => execFileSync('nsenter', [`--net=/proc/${other.pid}/ns/net`, 'sh', '-c', command]);
  const [a, b] = [openTap({ name: 'kernel0' }), openTap({ name: 'kernel1' })];
  for (const tap of [a, b]) tap.setReceiveOffloads({ checksum: true, tso4: true, tso6: true });
  execFileSync('ip', ['link', 'set', 'dev', 'kernel1', 'netns', String(other.pid)]);
  execFileSync('ip', ['addr', 'add', '10.0.0.1/24', 'dev', 'kernel0']);
  inOther('ip addr add 10.0.0.2/24 dev kernel1 && ip link set dev kernel1 up');
  const [there, back, bellA, bellB] = [createFrameRing(), createFrameRing(), openBell(), openBell()];
  const pumps = [
    startNetPump({ backend: { kind: 'tap', fd: a.fd }, tx: back, rx: there, bell: bellA, wake: bellRinger(bellB) }),
    startNetPump({ backend: { kind: 'tap', fd: b.fd }, tx: there, rx: back, bell: bellB, wake: bellRinger(bellA) }),
  ];
  const rate = await stream(['nsenter', `--net=/proc/${other.pid}/ns/net`, process.execPath], [process.execPath], '10.0.0.2');
  report('TCP from kernel to kernel: TAP, ring, TAP, one thread', rate, 'GB/s');
  for (const pump of pumps) pump.stop();
  other.kill();
}

async function throughUsernet() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'godwit-bench-'));
  const socket = path.join(folder, 'net');
  const usernet = await startUsernet({ socket, control: path.join(folder, 'control'), forwards: ['tcp:127.0.0.1:5001-5001'] });
  const guest = spawn(
    'unshare',
    [
      '--net',
      process.execPath,
      path.join(path.dirname(self), '../../packages/network/dist/testing/tap-cable.js'),
      JSON.stringify({ tap: 'guest0', socket, offloads: true }),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  await new Promise((resolve) => guest.stdout.once('data', resolve));
  const prefix = ['nsenter', `--net=/proc/${guest.pid}/ns/net`];
  execFileSync(prefix[0], [
    ...prefix.slice(1),
    'sh',
    '-c',
    'ip link set lo up; ip addr add 10.0.2.15/24 dev guest0; ip route add default via 10.0.2.2',
  ]);
  report(
    'TCP into the user-mode network through a forward',
    await stream([...prefix, process.execPath], [process.execPath], '127.0.0.1'),
    'GB/s',
  );
  const { connectUsernetControl } = network;
  const control = await connectUsernetControl(path.join(folder, 'control'));
  await control.removeForward('tcp:127.0.0.1:5001-5001');
  control.close();
  report('TCP out of the user-mode network', await stream([process.execPath], [...prefix, process.execPath], '10.0.2.2'), 'GB/s');
  guest.stdin.end();
  await usernet.stop();
  fs.rmSync(folder, { recursive: true });
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
