/**
 * Proves: Debian's unmodified i386 kernels, with and without PAE, boot to a
 * shell on the serial console and power off; the command's exit codes and error
 * lines are as documented; it ends cleanly on SIGTERM.
 */
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bareKernel, godwit, images, readJson, running } from './guest';

const folder = mkdtempSync(path.join(tmpdir(), 'godwit-boot-'));

describe('Linux boots and powers off', () => {
  test.each(['kernel686', 'kernelPae'] as const)('%s', async (kernel) => {
    const files = await images();
    const stats = path.join(folder, `${kernel}.json`);
    const script = 'uname -r; cat /proc/cpuinfo | grep -c processor; seq 1 1000 | sha256sum; dmesg | grep -ci "call trace"';
    const vm = godwit(['run', '--kernel', files[kernel], '--initrd', files.initrd, '--append', running(script), '--memory', '256M', '--stats', stats]);
    const { code, stdout, stderr } = await vm.ended;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('godwit: init started');
    expect(stdout).toContain(kernel === 'kernelPae' ? '-686-pae' : '-686');
    // The same sum as `seq 1 1000 | sha256sum` on any machine.
    expect(stdout).toContain('67d4ff71d43921d5739f387da09746f405e425b07d727e4c69d029461d1f051f');
    expect(stdout).toContain('godwit: run ended status=');
    const numbers = readJson(stats) as { translation: { instructions: number }; mode: string; featuresUsed: string[] };
    expect(numbers.mode).toBe('translate');
    expect(numbers.translation.instructions).toBeGreaterThan(100_000);
    // Linux 6.1 saves state with fxsave or xsave; nothing in this guest uses AES.
    expect(numbers.featuresUsed).toEqual(expect.arrayContaining(['fpu', 'cmov', 'fxsr']));
    expect(numbers.featuresUsed).not.toContain('aes');
  });

  test('a shell on the console answers, and SIGTERM ends the VM', async () => {
    const files = await images();
    const vm = godwit(['run', '--kernel', files.kernel686, '--initrd', files.initrd, '--append', 'console=ttyS0 quiet']);
    await vm.seen('~ #');
    vm.child.stdin?.write('echo product $((6*7))\n');
    await vm.seen('product 42');
    vm.child.kill('SIGTERM');
    const { code, stderr } = await vm.ended;
    expect(stderr).toContain('stopped by request');
    expect(code).toBe(0);
  });

  test('work in user space gives the right answers', async () => {
    const files = await images();
    const script = [
      'for i in $(seq 1 8); do seq $i 7 200000 > /tmp/a; gzip -c /tmp/a > /tmp/b; gunzip -c /tmp/b | cmp - /tmp/a || echo BAD; sort -rn /tmp/a | sort -n | cmp - /tmp/a || echo BAD; done',
      'i=0; while [ $i -lt 200 ]; do x=$(echo $i); [ "$x" = $i ] || echo BAD; i=$((i+1)); done; echo finished $i',
    ].join('; ');
    const vm = godwit(['run', '--kernel', files.kernelPae, '--initrd', files.initrd, '--append', running(script), '--memory', '256M']);
    const { code, stdout } = await vm.ended;
    expect(stdout).toContain('finished 200');
    expect(stdout).not.toContain('BAD');
    expect(code).toBe(0);
  });

  test("Debian's installer reaches its first screen", async () => {
    const files = await images();
    const vm = godwit([
      'run', '--kernel', files.installerKernel, '--initrd', files.installerInitrd, '--memory', '768M', '--append', 'console=ttyS0 TERM=linux',
    ]);
    await vm.seen('Language:');
    vm.child.kill('SIGTERM');
    expect((await vm.ended).code).toBe(0);
  });

  test('a masked feature is gone from the guest', async () => {
    const files = await images();
    const vm = godwit([
      'run', '--kernel', files.kernel686, '--initrd', files.initrd, '--append', running('grep ^flags /proc/cpuinfo'), '--cpu', 'host,-sse4_2,-avx',
    ]);
    const { code, stdout } = await vm.ended;
    expect(code).toBe(0);
    const flags = /^flags.*$/m.exec(stdout)?.[0].split(/\s+/) ?? [];
    expect(flags).toContain('sse2');
    expect(flags).not.toContain('sse4_2');
    expect(flags).not.toContain('avx2');
  });
});

describe('how a VM ends', () => {
  // Bare kernels, entered flat in protected mode with an empty descriptor table for interrupts.
  const POWER_OFF = [0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20, 0x66, 0xef, 0xf4]; // mov dx, 604h; mov ax, 2000h; out dx, ax; hlt
  const INVALID = [0x0f, 0x0b]; // ud2

  test('a triple fault is one line and exit code 1', async () => {
    const { code, stderr } = await godwit(['run', '--kernel', bareKernel(folder, INVALID)]).ended;
    expect(stderr).toMatch(/^godwit: triple fault.*eip 00100000\)\n$/);
    expect(code).toBe(1);
  });

  test('a VM needs no privilege', async () => {
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const kernel = bareKernel(folder, POWER_OFF);
    chmodSync(folder, 0o755);
    const { code, stderr } = await godwit(['run', '--kernel', kernel], nobody).ended;
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('a host that refuses the address space is told what is missing in one line', async () => {
    const { code, stderr } = await godwit(['run', '--kernel', bareKernel(folder, POWER_OFF)], { addressSpaceBytes: 24 * 2 ** 30 }).ended;
    expect(stderr).toMatch(/^godwit: .*address space.*\n$/);
    expect(code).toBe(4);
  });
});

describe('errors are one clear line', () => {
  const oneLine = (text: string): void => expect(text.trim().split('\n')).toHaveLength(1);

  test.each<[what: string, args: (k: string) => string[], code: number, message: RegExp]>([
    ['no kernel named', () => ['run'], 2, /needs --kernel/],
    ['missing kernel', () => ['run', '--kernel', '/nowhere/vmlinuz'], 3, /cannot read the kernel .*no such file/],
    ['not a kernel', () => ['run', '--kernel', notAKernel()], 4, /bzImage/],
    ['truncated kernel', (k) => ['run', '--kernel', truncated(k)], 4, /truncated/],
    ['too little memory', (k) => ['run', '--kernel', k, '--memory', '16M'], 4, /needs \d+ MiB of memory/],
    ['memory out of range', (k) => ['run', '--kernel', k, '--memory', '9G'], 2, /out of range/],
    ['unknown feature', (k) => ['run', '--kernel', k, '--cpu', 'host,-warp'], 2, /unknown CPU feature 'warp'/],
    ['unknown model', (k) => ['run', '--kernel', k, '--cpu', 'z80'], 2, /unknown CPU model 'z80'/],
    ['unknown flag', (k) => ['run', '--kernel', k, '--frobnicate'], 2, /frobnicate/],
    ['unknown command', () => ['fly'], 2, /unknown command 'fly'/],
  ])('%s', async (_what, args, code, message) => {
    const { kernel686 } = await images();
    const ended = await godwit(args(kernel686)).ended;
    expect(ended.stderr).toMatch(message);
    oneLine(ended.stderr);
    expect(ended.code).toBe(code);
  });
});

function notAKernel(): string {
  const file = path.join(folder, 'noise');
  writeFileSync(file, Buffer.alloc(100_000, 'noise'));
  return file;
}

function truncated(kernel: string): string {
  const file = path.join(folder, 'truncated');
  writeFileSync(file, require('node:fs').readFileSync(kernel).subarray(0, 1_000_000));
  return file;
}
