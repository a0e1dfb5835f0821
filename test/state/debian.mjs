/** The project's Debian guest for tests: its files, a scratch copy of its disk, ssh into it, a check of its file system. */
import { execFile, spawn } from 'node:child_process';
import { copyFileSync, constants, mkdtempSync, openSync, readSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const require = createRequire(import.meta.url);
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
export const cli = path.join(root, 'packages', 'cli', 'dist', 'main.js');
const run = promisify(execFile);

/** { disk, kernel, initrd, kernelParameters, sshKey, rootPassword }, built the first time (a minute). */
export function debianFiles(log = () => {}) {
  const { ensureDebianDisk } = require(path.join(root, 'packages', 'images'));
  return ensureDebianDisk(path.join(root, '.cache', 'images'), log);
}

export class Scratch {
  folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-debian-'));
  path(name) {
    return path.join(this.folder, name);
  }
  /** A copy that costs no more space than its data. */
  async copyDisk(disk, name = 'disk.raw') {
    const copy = this.path(name);
    await run('cp', ['--sparse=always', '--reflink=auto', disk, copy]);
    return copy;
  }
  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A port of the loopback address that is free at this moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** `godwit run …` as a child; `said` collects both outputs. */
export function startGodwit(args) {
  const child = spawn(process.execPath, [cli, 'run', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)));
  const vm = { child, stdout: '', stderr: '', ended };
  child.stdout.on('data', (data) => (vm.stdout = (vm.stdout + data.toString('latin1')).slice(-200_000)));
  child.stderr.on('data', (data) => (vm.stderr += data.toString()));
  return vm;
}

/** Runs a command in the guest; rejects when it cannot be reached or fails. */
export async function ssh({ sshKey }, port, command, { timeout = 60_000, input } = {}) {
  // ssh refuses keys that others may read; a cache shared between users has such.
  const key = path.join(os.tmpdir(), `godwit-key-${process.pid}`);
  copyFileSync(sshKey, key, constants.COPYFILE_FICLONE);
  await run('chmod', ['600', key]);
  const args = ['-i', key, '-p', String(port), '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', '-o', 'ConnectTimeout=10', '-o', 'BatchMode=yes', 'root@127.0.0.1', command];
  for (let attempt = 1; ; attempt++) {
    const pending = run('ssh', args, { timeout, killSignal: 'SIGKILL', maxBuffer: 1 << 24 });
    pending.child.stdin.end(input ?? '');
    try {
      return (await pending).stdout;
    } catch (error) {
      // Refused before anything ran: the guest's sshd may still be starting.
      const early = /kex_exchange_identification|Connection (refused|reset)/.test(error.stderr ?? '');
      if (!early || attempt === 40) throw new Error(`${error.message}\n${error.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Waits until the guest's web server answers through the forwarded port. */
export async function untilHttp(port, limitMs = 60_000) {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5000) });
      if (answer.ok) return await answer.text();
    } catch {}
    if (Date.now() > end) throw new Error(`the guest's web server did not answer within ${limitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Checks the file system of the first partition; resolves with e2fsck's words, rejects if it is not clean. */
export async function checkFileSystem(disk) {
  const sector = Buffer.alloc(512);
  const file = openSync(disk, 'r');
  readSync(file, sector, 0, 512, 0);
  closeSync(file);
  const offset = sector.readUInt32LE(0x1be + 8) * 512;
  const { stdout } = await run('e2fsck', ['-f', '-n', `${disk}?offset=${offset}`]);
  return stdout;
}

export const writeText = writeFileSync;
