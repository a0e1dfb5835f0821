/**
 * Suspends and resumes a Debian guest again and again, at random moments, while
 * its disk, CPU, network and clock are at work; then has the guest prove that
 * nothing was lost, powers it off and checks its file system.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkFileSystem, debianFiles, freePort, Scratch, ssh, startGodwit, untilHttp } from './debian.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Rejects when `promise` takes longer than that. */
function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(what)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function seeded(seed) {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** → { proof: lines, fsck, cycles, suspendMs: [], clockOffMs } */
export async function suspendCycles({ cycles, seed = 1, adapter = 'virtio', nic = 'virtio', log = () => {} }) {
  const files = await debianFiles(log);
  const scratch = new Scratch();
  const random = seeded(seed);
  let vm;
  try {
    const disk = await scratch.copyDisk(files.disk);
    const [sshPort, httpPort] = [await freePort(), await freePort()];
    const state = scratch.path('state');
    const net = `user,adapter=${nic},forward=tcp::${sshPort}-22+tcp::${httpPort}-80`;
    const suspendMs = [];
    vm = startGodwit([
      '--kernel', files.kernel, '--initrd', files.initrd, '--append', `${files.kernelParameters} quiet`, '--memory', '512M',
      '--disk', `${disk},adapter=${adapter}`, '--net', net, '--suspend-to', state,
    ]);
    await untilHttp(httpPort, 120_000);
    await ssh(files, sshPort, 'cat > /root/load.sh && chmod +x /root/load.sh', { input: readFileSync(path.join(here, 'load.sh')) });
    await ssh(files, sshPort, 'setsid /root/load.sh start > /dev/null 2>&1 < /dev/null &');
    for (let cycle = 1; cycle <= cycles; cycle++) {
      await pause(200 + random(1800));
      const began = performance.now();
      vm.child.kill('SIGTERM');
      const code = await within(60_000, vm.ended, `cycle ${cycle}: suspending does not end`);
      suspendMs.push(performance.now() - began);
      if (code !== 0 || !vm.stderr.includes('suspended to')) throw new Error(`cycle ${cycle}: suspending ended with ${code}: ${vm.stderr}`);
      vm = startGodwit(['--resume-from', state, '--suspend-to', state]);
      await untilHttp(httpPort, 60_000);
      log(`cycle ${cycle} of ${cycles}: suspended in ${Math.round(suspendMs.at(-1))} ms`);
    }
    const said = await ssh(files, sshPort, '/root/load.sh finish', { timeout: 150_000 });
    const proof = said.split('\n').filter((line) => line.startsWith('proof: '));
    const clockOffMs = Date.now() - Number(BigInt(/host (\d+)/.exec(said)?.[1] ?? '0') / 1_000_000n);
    await ssh(files, sshPort, 'poweroff').catch(() => {});
    const code = await within(90_000, vm.ended, 'powering off does not end');
    if (code !== 0) throw new Error(`powering off ended with ${code}: ${vm.stderr}`);
    return { proof, fsck: await checkFileSystem(disk), cycles, suspendMs, clockOffMs };
  } catch (error) {
    throw new Error(`${error.message}\n${vm?.stderr ?? ''}\n${vm?.stdout.slice(-3000) ?? ''}`);
  } finally {
    vm?.child.kill('SIGKILL');
    await vm?.ended;
    scratch.remove();
  }
}
