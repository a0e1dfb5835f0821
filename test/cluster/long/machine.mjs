/**
 * A machine of its own as far as an installation guide can tell: a network namespace on a common switch, a host name,
 * /etc, /var/lib, /root, /srv and /opt/godwit of its own, and systemd's units run by a stand-in. Four commands are
 * stand-ins (shims.mjs): apt-get and npm do nothing, since this machine is installed and built; `mount -t nfs` mounts the
 * folder that the named machine has, since kernels of test machines seldom have NFS; systemctl runs the units.
 * To be used in namespaces of the test's own (own-namespaces.mjs).
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '..', '..', '..');
const SHIMS = ['apt-get', 'npm', 'mount', 'systemctl', 'exportfs', 'scp'];

export class Machine {
  /** @param {{ name: string, space: { name: string }, folder: string, hosts: string }} options folder: for what is its own */
  static async start({ name, space, folder, hosts }) {
    const machine = new Machine();
    const at = path.join(folder, name);
    const shims = path.join(at, 'shims');
    for (const one of ['etc', 'work', 'lib', 'root', 'srv', 'bin', 'shims', 'dev', 'tmp']) mkdirSync(path.join(at, one), { recursive: true });
    for (const shim of SHIMS)
      writeFileSync(path.join(shims, shim), `#!/bin/sh\nexec ${process.execPath} ${path.join(here, 'shims.mjs')} ${shim} "$@"\n`, { mode: 0o755 });
    const setup = `set -e
      hostname ${name}
      mount -t overlay -o lowerdir=/etc,upperdir=${at}/etc,workdir=${at}/work overlay /etc
      mount --bind ${at}/lib /var/lib && mount --bind ${at}/root /root && mount --bind ${at}/srv /srv
      mount --bind ${at}/bin /usr/local/bin && mount -t tmpfs -o mode=0755 none /opt && mkdir /opt/godwit && mount --bind ${root} /opt/godwit
      mkdir -p /dev/net && mount -t tmpfs -o mode=0755 none /dev/net && mknod -m 0666 /dev/net/tun c 10 200
      printf '%s\\n' "$HOSTS" > /etc/hosts
      chmod 0755 ${folder} ${at}
      echo ready
      exec sleep infinity`;
    machine.child = spawn('ip', ['netns', 'exec', space.name, 'unshare', '--mount', '--uts', '--propagation', 'private', 'sh', '-c', setup], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, HOSTS: hosts },
    });
    Object.assign(machine, { name, at, folder, path: `${shims}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${path.dirname(process.execPath)}` });
    await new Promise((resolve, reject) => {
      machine.child.stdout.once('data', resolve);
      machine.child.once('exit', (code) => reject(new Error(`the machine ${name} did not start (${code})`)));
    });
    writeFileSync(path.join(folder, `${name}.pid`), `${machine.child.pid}`);
    return machine;
  }

  /** A shell script there, as root. @returns {Promise<string>} what it wrote @throws Error with what it said, if a command fails */
  run(script, limitMs = 180_000) {
    return new Promise((resolve, reject) => {
      const child = spawn('nsenter', ['-t', `${this.child.pid}`, '--mount', '--uts', '--net', '--', '/bin/sh', '-ec', script], {
        stdio: ['ignore', 'pipe', 'pipe'],
        cwd: '/',
        env: { PATH: this.path, HOME: '/root', LANG: 'C.UTF-8', MACHINES: this.folder, MACHINE: this.at },
      });
      let [out, err] = ['', ''];
      child.stdout.on('data', (data) => (out += data));
      child.stderr.on('data', (data) => (err += data));
      const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
      child.once('exit', (code) => {
        clearTimeout(timer);
        // Services hold the pipes: what came until now is all of it.
        setTimeout(() => (code === 0 ? resolve(out) : reject(new Error(`${this.name}: ended with ${code}\n${script}\n${out}${err}${this.logs()}`))), 50);
      });
    });
  }

  logs() {
    try {
      return readFileSync(path.join(this.at, 'tmp', 'journal'), 'utf8').slice(-4_000);
    } catch {
      return '';
    }
  }
}
