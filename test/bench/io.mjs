/**
 * Disk and network of a Debian guest, in Godwit and in QEMU's translator, on the
 * same image, the same host and in turn:
 *
 *   node test/bench/io.mjs [--rounds 3] [--json]
 *
 * Disk by fio on a file in the guest's file system with O_DIRECT, over virtio-blk
 * and a raw image. Network by iperf3 and small round trips between host and guest,
 * over virtio-net and libslirp on both sides. Medians; a ratio above 1 means that
 * Godwit is faster. Needs iperf3 and qemu-system-x86 (Debian's packages).
 */
import { execFile, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { parseArgs, promisify } from 'node:util';
import { debianFiles, freePort, Scratch, ssh, startGodwit, untilHttp } from '../state/debian.mjs';

const run = promisify(execFile);
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, json: { type: 'boolean' } } });
const say = (line) => process.stderr.write(`bench: ${line}\n`);

/** Name, what fio is asked for, and which of its figures counts: field of its terse output (version 3), unit, more is better or not. */
const READ = { rate: 6, iops: 7, latency: 39 };
const WRITE = { rate: 47, iops: 48, latency: 80 };
const DISK = [
  { name: 'random read 4K, depth 1', args: '--rw=randread --bs=4k --iodepth=1', field: READ.iops, unit: 'IOPS', more: true },
  { name: 'random read 4K, depth 1, latency', args: '--rw=randread --bs=4k --iodepth=1', field: READ.latency, unit: 'µs', more: false },
  { name: 'random read 4K, depth 32', args: '--rw=randread --bs=4k --iodepth=32', field: READ.iops, unit: 'IOPS', more: true },
  { name: 'random write 4K, depth 1', args: '--rw=randwrite --bs=4k --iodepth=1', field: WRITE.iops, unit: 'IOPS', more: true },
  { name: 'random write 4K, depth 32', args: '--rw=randwrite --bs=4k --iodepth=32', field: WRITE.iops, unit: 'IOPS', more: true },
  { name: 'write 4K and fsync', args: '--rw=randwrite --bs=4k --fsync=1', field: WRITE.iops, unit: 'IOPS', more: true },
  { name: 'sequential read 1M', args: '--rw=read --bs=1M --iodepth=4', field: READ.rate, unit: 'KiB/s', more: true },
  { name: 'sequential write 1M', args: '--rw=write --bs=1M --iodepth=4', field: WRITE.rate, unit: 'KiB/s', more: true },
];
const NETWORK = [
  { name: 'TCP into the guest', unit: 'MB/s', more: true, measure: (ports) => iperf(ports.iperf, []) },
  { name: 'TCP out of the guest', unit: 'MB/s', more: true, measure: (ports) => iperf(ports.iperf, ['-R']) },
  { name: 'round trip of one byte', unit: 'µs', more: false, measure: (ports) => roundTrips(ports.echo) },
];

async function iperf(port, extra) {
  const { stdout } = await run('iperf3', ['-c', '127.0.0.1', '-p', String(port), '-t', '4', '-J', ...extra], { timeout: 60_000 });
  return JSON.parse(stdout).end.sum_received.bits_per_second / 8e6;
}

/** Median of many single-byte echoes, microseconds. */
async function roundTrips(port) {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const times = [];
  for (let i = 0; i < 600; i++) {
    const began = performance.now();
    socket.write('x\n');
    await new Promise((resolve) => socket.once('data', resolve));
    times.push((performance.now() - began) * 1000);
  }
  socket.destroy();
  return times.sort((a, b) => a - b)[times.length >> 1];
}

async function measure(files, ports, guest) {
  await untilHttp(ports.http, 180_000);
  await ssh(files, ports.ssh, 'true', { timeout: 90_000 });
  // The rest of the boot must not be measured.
  await ssh(files, ports.ssh, 'systemctl is-system-running --wait > /dev/null; sleep 3', { timeout: 120_000 });
  const figures = {};
  await ssh(files, ports.ssh, 'iperf3 -s -D; (while :; do busybox nc -l -p 7 -e cat; done) > /dev/null 2>&1 & head -c 100M /dev/zero > /root/x; sync', { timeout: 60_000 });
  for (const { name, args, field } of DISK) {
    const said = await ssh(files, ports.ssh, `fio --name=b --filename=/root/x --size=100M --runtime=3 --time_based --direct=1 --ioengine=libaio ${args} --output-format=terse`, { timeout: 60_000 });
    figures[name] = Number(said.trim().split(';')[field]);
  }
  for (const { name, measure: of } of NETWORK) figures[name] = await of(ports);
  await ssh(files, ports.ssh, 'poweroff').catch(() => {});
  await Promise.race([guest.ended, new Promise((resolve) => setTimeout(resolve, 30_000))]);
  return figures;
}

const forwards = (ports, form) => [[ports.ssh, 22], [ports.http, 80], [ports.iperf, 5201], [ports.echo, 7]].map(form);

function godwit(files, disk, ports) {
  const net = `user,forward=${forwards(ports, ([host, guest]) => `tcp::${host}-${guest}`).join('+')}`;
  return startGodwit(['--kernel', files.kernel, '--initrd', files.initrd, '--append', `${files.kernelParameters} quiet`, '--memory', '512M', '--disk', disk, '--net', net]);
}

function qemu(files, disk, ports) {
  const net = `user,id=n,${forwards(ports, ([host, guest]) => `hostfwd=tcp:127.0.0.1:${host}-:${guest}`).join(',')}`;
  const child = spawn('qemu-system-i386', [
    '-accel', 'tcg', '-cpu', 'max', '-m', '512', '-display', 'none', '-serial', 'null', '-drive', `file=${disk},if=virtio,format=raw`,
    '-kernel', files.kernel, '-initrd', files.initrd, '-append', `${files.kernelParameters} quiet`, '-netdev', net, '-device', 'virtio-net-pci,netdev=n',
  ], { stdio: 'ignore' });
  return { child, ended: new Promise((resolve) => child.on('close', resolve)) };
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

const files = await debianFiles(say);
const scratch = new Scratch();
const results = { godwit: [], qemu: [] };
try {
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const [name, start] of Object.entries({ godwit, qemu })) {
      say(`round ${round} of ${values.rounds}: ${name}`);
      const ports = { ssh: await freePort(), http: await freePort(), iperf: await freePort(), echo: await freePort() };
      const guest = start(files, await scratch.copyDisk(files.disk), ports);
      try {
        results[name].push(await measure(files, ports, guest));
      } finally {
        guest.child.kill('SIGKILL');
        await guest.ended;
      }
    }
  }
} finally {
  scratch.remove();
}
const rows = [...DISK, ...NETWORK].map(({ name, unit, more }) => {
  const [ours, theirs] = [median(results.godwit.map((each) => each[name])), median(results.qemu.map((each) => each[name]))];
  return { name, unit, godwit: ours, qemu: theirs, ratio: more ? ours / theirs : theirs / ours };
});
if (values.json) console.log(JSON.stringify({ rows, results }, null, 2));
else {
  console.log(`${'medians of'.padEnd(36)}${'godwit'.padStart(12)}${'qemu'.padStart(12)}   times as good`);
  for (const { name, unit, godwit: ours, qemu: theirs, ratio } of rows) {
    console.log(`${`${name}, ${unit}`.padEnd(40)}${ours.toFixed(0).padStart(10)}${theirs.toFixed(0).padStart(12)}${ratio.toFixed(2).padStart(10)} ×${ratio < 1 ? '  ! slower' : ''}`);
  }
}
