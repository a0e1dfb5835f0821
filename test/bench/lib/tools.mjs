/* The compilers and the peer: installed through apt where they are missing. */
import { spawnSync } from 'node:child_process';

const works = (command, args, input) => spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;

const needs = [
  {
    packages: ['gcc-multilib', 'libc6-dev-i386'],
    present: () => works('gcc', ['-m32', '-static', '-x', 'c', '-', '-o', '/dev/null'], 'int main(void) { return 0; }\n'),
  },
  { packages: ['qemu-system-x86'], only: 'qemu', present: () => works('qemu-system-i386', ['--version']) },
];

export function ensureTools(wanted, say) {
  const missing = needs.filter((need) => (!need.only || wanted[need.only]) && !need.present()).flatMap((need) => need.packages);
  if (missing.length === 0) return;
  say(`installing ${missing.join(', ')}`);
  const apt = (...args) => spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=600', ...args], { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  const done = process.getuid() === 0 && (install() || (apt('update') && install()));
  if (!done) throw new Error(`this needs ${missing.join(' and ')}; install them as root with: apt-get install ${missing.join(' ')}`);

  function install() {
    return apt('install', '-y', '--no-install-recommends', ...missing);
  }
}
