/** Runs guests in child processes, for the tests. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { assemble, guestFolder } from './assemble.mjs';

const runner = path.join(guestFolder, '..', 'support', 'run-guest.mjs');

/** { source, expected }: the program and the lines that its `#=` comments promise. */
export function readGuest(name) {
  const source = readFileSync(path.join(guestFolder, name), 'utf8');
  const expected = source.split('\n').filter((line) => line.startsWith('#=')).map((line) => line.slice(3).trimEnd());
  return { source, expected, options: Object.fromEntries([...source.matchAll(/^#: (\w+) (.*)$/gm)].map((m) => [m[1], JSON.parse(m[2])])) };
}

/** Output lines and outcome of one run; rejects when the process does not end by itself with code 0. */
export function runGuest(bytes, options) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'godwit-run-'));
  const image = path.join(folder, 'image');
  writeFileSync(image, bytes);
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [runner, JSON.stringify({ image, ...options })], { maxBuffer: 1 << 26, timeout: ((options.seconds ?? 20) + 10) * 1000, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      rmSync(folder, { recursive: true, force: true });
      if (error) return reject(new Error(`the VM's process failed: ${error.message.split('\n')[0]} (code ${error.code}, signal ${error.signal})\n${stderr}`));
      const answer = JSON.parse(stdout);
      resolve({ ...answer, stderr, lines: answer.serial.split('\n').map((line) => line.trimEnd()).filter((line) => line !== '') });
    });
  });
}

export { assemble };
