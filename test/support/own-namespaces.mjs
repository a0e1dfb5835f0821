/**
 * Runs a script once more in namespaces of its own: network, mounts, processes. What it starts, mounts and configures
 * ends with it, however that ends. Needs root.
 */
import { spawn } from 'node:child_process';

/**
 * @param {string} script its file @param {string[]} args @param {Record<string, string>} env
 * @returns {Promise<number>} its exit code
 */
export function inOwnNamespaces(script, args, env) {
  // sh is the first process there: it buries those whose parents were killed.
  const inside = 'mkdir -p /run/netns && mount -t tmpfs none /run/netns && "$0" "$@"; exit $?';
  const unshare = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...unshare, 'sh', '-c', inside, process.execPath, script, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}
