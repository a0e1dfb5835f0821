/**
 * The Debian packages that building and testing need. Only what is missing is
 * installed, so on a machine that was set up once no package manager runs at all.
 */
import { spawnSync } from 'node:child_process';
import { run, StepFailed } from './run.mjs';

/** Package, and why it is wanted; `test` ones are not needed to build and run. */
const PACKAGES = [
  { name: 'make', why: 'node-gyp builds the native layer' },
  { name: 'g++', why: 'node-gyp builds the native layer' },
  { name: 'python3', why: 'node-gyp is written in it' },
  { name: 'xz-utils', why: 'unpacks the guest kernels' },
  { name: 'libslirp0', why: 'the user-mode network' },
  { name: 'iproute2', why: 'network namespaces and bridges of the tests', test: true },
  { name: 'curl', why: 'a client for network tests', test: true },
  { name: 'openssh-client', why: 'a way into test guests', test: true },
  { name: 'libnfs13', why: 'datastores by nfs://', test: true },
  { name: 'nfs-ganesha', why: 'a real NFS server', test: true },
  { name: 'nfs-ganesha-vfs', why: 'its file system back end', test: true },
  { name: 'rpcbind', why: 'NFS version 3 needs it', test: true },
  { name: 'nats-server', why: 'a real NATS server', test: true },
  { name: 'mmdebstrap', why: 'installs Debian into a disk image', test: true },
  { name: 'e2fsprogs', why: 'makes and checks the disk image\'s file system', test: true },
  { name: 'qemu-utils', why: 'an oracle for disk images', test: true },
  { name: 'chromium', why: 'a real browser for the dashboard', test: true },
  { name: 'fonts-inter', why: 'its text, the same on every machine', test: true },
  { name: 'gcc-multilib', why: '32-bit programs for the host CPU as a test oracle', test: true },
];

export function debianPackages({ tests }) {
  const missing = PACKAGES.filter((one) => tests || !one.test)
    .map((one) => one.name)
    .filter((name) => !isInstalled(name));
  if (missing.length === 0) return 'present';
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid() !== 0) throw new StepFailed(`these are missing; run as root: ${command}`);
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const lock = ['-o', 'DPkg::Lock::Timeout=300'];
  // A list that cannot be fetched matters only if the package is then not found.
  spawnSync('apt-get', ['update', '-qq', ...lock], { stdio: 'ignore', env: { ...process.env, ...env } });
  run('apt-get', ['-qq', ...lock, ...command.split(' ').slice(1)], { quiet: true, env });
  return `installed ${missing.join(', ')}`;
}

function isInstalled(name) {
  const query = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  if (query.error) throw new StepFailed('dpkg-query is not here: Godwit is built and tested on Debian');
  return query.stdout.startsWith('installed');
}
