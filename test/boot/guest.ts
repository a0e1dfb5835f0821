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

export function godwit(args: string[], limitMs = 120_000): Running {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
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
