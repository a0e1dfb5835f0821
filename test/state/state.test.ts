/**
 * Proves that a real Debian system lives on Godwit's disk and network: it boots
 * from its disk, serves ssh and HTTP, works, survives being suspended and resumed
 * under load, and leaves a clean file system. And that a saved VM which does not
 * fit, or is not whole, is refused in one line and harms nothing.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, readSync, statSync, truncateSync, writeSync } from 'node:fs';
import path from 'node:path';
import { suspendCycles } from './cycles.mjs';
import { checkFileSystem, debianFiles, freePort, Scratch, ssh, startGodwit, untilHttp } from './debian.mjs';

jest.setTimeout(400_000);

const scratch = new Scratch();
afterAll(() => scratch.remove());

/** A Debian VM with its ports forwarded; `extra` goes to godwit run. */
async function boot(disk: string, extra: string[] = []) {
  const files = await debianFiles();
  const [sshPort, httpPort] = [await freePort(), await freePort()];
  const net = `user,forward=tcp::${sshPort}-22+tcp::${httpPort}-80`;
  const vm = startGodwit([
    '--kernel', files.kernel, '--initrd', files.initrd, '--append', `${files.kernelParameters} quiet`, '--memory', '512M',
    '--disk', disk, '--net', net, ...extra,
  ]);
  return { vm, httpPort, ssh: (command: string) => ssh(files, sshPort, command) };
}

async function until(holds: () => boolean, limitMs = 90_000): Promise<void> {
  for (const end = Date.now() + limitMs; !holds(); ) {
    if (Date.now() > end) throw new Error('what was waited for did not come');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function finish(guest: Awaited<ReturnType<typeof boot>>, disk: string): Promise<void> {
  await guest.ssh('poweroff').catch(() => {});
  expect(await guest.vm.ended).toBe(0);
  expect(await checkFileSystem(disk)).toMatch(/clean|files/);
}

test('Debian boots from its disk, serves HTTP and ssh, does its work and leaves a clean file system', async () => {
  const disk = await scratch.copyDisk((await debianFiles()).disk, 'work.raw');
  const guest = await boot(disk);
  expect(await untilHttp(guest.httpPort, 120_000)).toContain('It flies');
  expect(await guest.ssh('uname -m; systemctl is-system-running --wait || systemctl --failed')).toMatch(/^i686\nrunning/);
  expect(await guest.ssh('cat /sys/devices/system/clocksource/clocksource0/current_clocksource')).toBe('tsc\n');
  const work = [
    'cd /root && tar -C /usr -cf t.tar share/doc lib/python3 2>/dev/null; mkdir -p out && tar -C out -xf t.tar && sync && rm -rf out',
    "sqlite3 t.db 'create table t(n); begin; insert into t select value from generate_series(1,2000); commit; pragma integrity_check'",
    'fio --name=v --rw=randwrite --bs=4k --size=8M --fsync=16 --verify=crc32c --ioengine=libaio --iodepth=8 --direct=1 --filename=/root/v --output-format=terse | cut -d";" -f5',
  ].join(' && ');
  expect(await guest.ssh(work)).toBe('ok\n0\n');
  await finish(guest, disk);
});

test('suspended and resumed under load: nothing lost, nothing hung, no clock step backwards', async () => {
  const { proof, fsck } = await suspendCycles({ cycles: 3, seed: 5 });
  expect(proof.at(-1)).toBe('proof: whole');
  expect(fsck).toContain('files');
});

test('IDE and PCnet serve as virtio does; a CD can be read', async () => {
  const files = await debianFiles();
  const disk = await scratch.copyDisk(files.disk, 'ide.raw');
  const [sshPort, httpPort] = [await freePort(), await freePort()];
  const vm = startGodwit([
    '--kernel', files.kernel, '--initrd', files.initrd, '--append', `${files.kernelParameters} quiet`, '--memory', '512M',
    '--disk', `${disk},adapter=ide`, '--cdrom', files.initrd, '--net', `user,adapter=pcnet,forward=tcp::${sshPort}-22+tcp::${httpPort}-80`,
  ]);
  const guest = { vm, httpPort, ssh: (command: string) => ssh(files, sshPort, command) };
  await untilHttp(httpPort, 120_000);
  expect(await guest.ssh('readlink /sys/class/net/e*/device/driver /sys/block/sda/device/../../../../driver | xargs -n1 basename')).toContain('pcnet32');
  // The drive shows whole blocks of 2048 bytes: the last, partial one of this "disc" is cut off.
  const sum = (command: string): Promise<string> => guest.ssh(`${command} | sha256sum | cut -c1-64`);
  const whole = statSync(files.initrd).size >> 11;
  const want = createHash('sha256').update(readFileSync(files.initrd).subarray(0, whole * 2048)).digest('hex');
  expect(await sum(`dd if=/dev/sr0 bs=2048 count=${whole} 2>/dev/null`)).toBe(`${want}\n`);
  await finish(guest, disk);
});

test('a full datastore makes the VM wait, and nothing is lost when there is room again', async () => {
  const files = await debianFiles();
  const small = scratch.path('small');
  const mount = (...args: string[]): void => void execFileSync('mount', args);
  mkdirSync(small);
  mount('-t', 'tmpfs', '-o', 'size=24M', 'tmpfs', small);
  try {
    const clone = path.join(small, 'clone.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', files.disk, '-F', 'raw', clone]);
    const guest = await boot(clone);
    await untilHttp(guest.httpPort, 120_000);
    const writing = guest.ssh('head -c 60000000 /dev/urandom > /root/big && sync && sha256sum < /root/big && echo 1 > /proc/sys/vm/drop_caches && sha256sum < /root/big');
    await until(() => guest.vm.stderr.includes('the VM waits, nothing is lost'));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    mount('-o', 'remount,size=512M', small);
    await until(() => guest.vm.stderr.includes('is served again'));
    const [first, second] = (await writing).trim().split('\n');
    expect(second).toBe(first);
    expect(await guest.ssh('dmesg | grep -ciE "I/O error|hung task" || true')).toBe('0\n');
    await guest.ssh('poweroff').catch(() => {});
    expect(await guest.vm.ended).toBe(0);
    expect(execFileSync('qemu-img', ['check', clone]).toString()).toContain('No errors');
  } finally {
    execFileSync('umount', ['-l', small]);
  }
});

describe('a saved VM that does not fit is refused in one line', () => {
  let state: string;
  let disk: string;
  const resume = async (file: string, extra: string[] = []) => {
    const vm = startGodwit(['--resume-from', file, ...extra]);
    return { code: await vm.ended, stderr: vm.stderr };
  };

  beforeAll(async () => {
    disk = await scratch.copyDisk((await debianFiles()).disk, 'refused.raw');
    state = scratch.path('refused.state');
    const guest = await boot(disk, ['--suspend-to', state]);
    await untilHttp(guest.httpPort, 120_000);
    guest.vm.child.kill('SIGTERM');
    expect(await guest.vm.ended).toBe(0);
    expect(guest.vm.stderr).toContain('suspended to');
  });

  test.each<[string, (copy: string) => void, RegExp]>([
    ['truncated', (copy) => truncateSync(copy, 1_000_000), /ends in .*copy it again/],
    ['a flipped bit', (copy) => flip(copy, 3_000_000), /damaged/],
    ['not a state', (copy) => truncateSync(copy, 100), /./],
    ['of a newer program', (copy) => flip(copy, 8), /./],
  ])('%s', async (_what, damage, message) => {
    const copy = scratch.path('copy.state');
    copyFileSync(state, copy);
    damage(copy);
    const { code, stderr } = await resume(copy);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(message);
    expect(code).toBe(4);
  });

  test('its own memory is not to be chosen anew', async () => {
    expect(await resume(state, ['--memory', '1G'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--memory') });
  });

  test('a disk that was written to since', async () => {
    const before = readFileSync(state).length;
    flip(disk, 1_999_000_000);
    const { code, stderr } = await resume(state);
    expect(stderr).toMatch(/disk 0 was written to after the VM was saved/);
    expect(code).toBe(4);
    expect(readFileSync(state).length).toBe(before);
  });
});

function flip(file: string, at: number): void {
  const descriptor = openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  readSync(descriptor, byte, 0, 1, at);
  byte[0] ^= 0x10;
  writeSync(descriptor, byte, 0, 1, at);
  closeSync(descriptor);
}
