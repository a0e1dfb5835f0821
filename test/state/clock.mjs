/**
 * How far a guest's clock is from its host's after minutes of mixed load, and
 * after a suspend and a resume in their midst:
 *
 *   node test/state/clock.mjs [--minutes 10]
 *
 * The guest's time of day is read over ssh between two readings of the host's;
 * what is printed is the distance from their middle, of the closest of many pairs.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { debianFiles, freePort, Scratch, ssh, startGodwit, untilHttp } from './debian.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const files = await debianFiles(console.log);
const scratch = new Scratch();
const [sshPort, httpPort] = [await freePort(), await freePort()];

/** Milliseconds that the guest's clock is ahead of the host's, and how wide the pair of readings was. */
async function offset() {
  const key = scratch.path('key');
  spawn('install', ['-m', '600', files.sshKey, key]);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const args = ['-i', key, '-p', String(sshPort), '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', 'root@127.0.0.1'];
  const child = spawn('ssh', [...args, 'while read -r x; do date +%s%N; done'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let best = { width: Number.POSITIVE_INFINITY, ahead: 0 };
  for (let i = 0; i < 60; i++) {
    const before = performance.timeOrigin + performance.now();
    child.stdin.write('now\n');
    const { value } = await lines.next();
    const after = performance.timeOrigin + performance.now();
    if (after - before < best.width) best = { width: after - before, ahead: Number(value) / 1e6 - (before + after) / 2 };
  }
  child.stdin.end();
  await new Promise((resolve) => child.on('close', resolve));
  return best;
}

const say = (when, { ahead, width }) => console.log(`${when}: guest ahead by ${ahead.toFixed(1)} ms (read within ${width.toFixed(1)} ms)`);
let vm = startGodwit([
  '--kernel', files.kernel, '--initrd', files.initrd, '--append', `${files.kernelParameters} quiet`, '--memory', '512M',
  '--disk', await scratch.copyDisk(files.disk), '--net', `user,forward=tcp::${sshPort}-22+tcp::${httpPort}-80`, '--suspend-to', scratch.path('state'),
]);
try {
  await untilHttp(httpPort, 120_000);
  await ssh(files, sshPort, 'cat > /root/load.sh && chmod +x /root/load.sh', { input: readFileSync(path.join(here, 'load.sh')) });
  // The guest has no time service of its own: what it shows is what the machine gives it.
  await ssh(files, sshPort, 'systemctl stop systemd-timesyncd chrony ntp 2>/dev/null; true');
  say('at the start', await offset());
  await ssh(files, sshPort, 'setsid /root/load.sh start > /dev/null 2>&1 < /dev/null &');
  await new Promise((resolve) => setTimeout(resolve, Number(values.minutes) * 60_000));
  say(`after ${values.minutes} minutes of load`, await offset());
  vm.child.kill('SIGTERM');
  await vm.ended;
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  vm = startGodwit(['--resume-from', scratch.path('state'), '--suspend-to', scratch.path('state')]);
  await untilHttp(httpPort);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  say('after a suspend of 20 seconds', await offset());
} finally {
  vm.child.kill('SIGKILL');
  await vm.ended;
  scratch.remove();
}
