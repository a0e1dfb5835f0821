import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buildInitramfs, ensureGuestImages, type GuestImages, runParameter } from '@godwit/images';

/** Runs guests through the command line, as an operator would. */

const root = path.join(__dirname, '..', '..');
export const cli = path.join(root, 'packages', 'cli', 'dist', 'main.js');
const cache = path.join(root, '.cache', 'images');

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export async function images(): Promise<GuestImages & { initrd: string }> {
  const found = await ensureGuestImages(cache);
  const initrd = path.join(cache, 'test-initrd.gz');
  if (!existsSync(initrd)) {
    mkdirSync(cache, { recursive: true });
    writeFileSync(initrd, buildInitramfs({ busybox: found.busybox }));
  }
  return { ...found, initrd };
}

/** The kernel command line that runs `script` in the guest and powers off. */
export const running = (script: string): string => `console=ttyS0 quiet ${runParameter(script)}`;

export interface Running {
  child: ChildProcess;
  ended: Promise<Ended>;
  /** Resolves when standard output has contained `text`. */
  seen(text: string): Promise<void>;
}

export interface HowToRun {
  limitMs?: number;
  uid?: number;
  gid?: number;
  /** Limit of the process's address space (RLIMIT_AS). */
  addressSpaceBytes?: number;
}

export function godwit(args: string[], { limitMs = 120_000, uid, gid, addressSpaceBytes }: HowToRun = {}): Running {
  const limited = addressSpaceBytes ? ['prlimit', `--as=${addressSpaceBytes}`] : [];
  const [program, ...rest] = [...limited, process.execPath, cli, ...args];
  const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'], uid, gid });
  let stdout = '';
  let stderr = '';
  const waiting: { text: string; resolve(): void; reject(e: Error): void }[] = [];
  child.stdout.on('data', (data: Buffer) => {
    stdout += data.toString('latin1');
    for (const w of waiting) if (stdout.includes(w.text)) w.resolve();
  });
  child.stderr.on('data', (data: Buffer) => {
    stderr += data.toString();
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      for (const w of waiting) w.reject(new Error(`ended without '${w.text}': ${stdout.slice(-2000)} ${stderr}`));
      resolve({ code, stdout, stderr });
    });
  });
  const seen = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      if (stdout.includes(text)) return resolve();
      waiting.push({ text, resolve, reject });
    });
  return { child, ended, seen };
}

export const readJson = (file: string): Record<string, unknown> => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;

/** A bzImage of a few instructions at 1 MiB (boot protocol 2.04: not relocatable). */
export function bareKernel(folder: string, code: number[]): string {
  const bytes = Buffer.alloc(2 * 512 + 4096);
  bytes[0x1f1] = 1; // setup sectors
  bytes.writeUInt32LE(4096 / 16, 0x1f4);
  bytes.writeUInt16LE(0xaa55, 0x1fe);
  bytes.writeUInt16LE(0x66eb, 0x200);
  bytes.write('HdrS', 0x202);
  bytes.writeUInt16LE(0x204, 0x206);
  bytes[0x211] = 1; // loaded high
  bytes.set(code, 2 * 512);
  const file = path.join(folder, `bare-${code.map((byte) => byte.toString(16)).join('')}`);
  writeFileSync(file, bytes);
  return file;
}
