/**
 * What every script here needs: where the checkout is, one line a step, and a child
 * process whose failure ends the script with one line. Node's own modules only: these
 * scripts run before `npm ci` has.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** @returns the path of a program of node_modules, run as `node <path>`: no shell, no npx look-up. */
export const tool = {
  tsc: join(root, 'node_modules/typescript/bin/tsc'),
  jest: join(root, 'node_modules/jest/bin/jest.js'),
  biome: join(root, 'node_modules/@biomejs/biome/bin/biome'),
  depcruise: join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs'),
};

export class StepFailed extends Error {}

/** Prints `godwit: <name> … <outcome> (1.2 s)`; the outcome is what `work` returns. */
export async function step(name, work) {
  const start = performance.now();
  try {
    const outcome = await work();
    const seconds = (performance.now() - start) / 1000;
    console.log(`godwit: ${name}: ${outcome || 'done'}${seconds >= 0.1 ? ` (${seconds.toFixed(1)} s)` : ''}`);
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error;
    console.error(`godwit: ${name} failed: ${error.message}`);
    process.exit(1);
  }
}

/** Runs a program to its end. With `quiet`, its output is shown only if it fails. */
export function run(command, args, { quiet = false, env = {}, cwd = root } = {}) {
  const child = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (child.error?.code === 'ENOENT') throw new StepFailed(`${command} is not installed`);
  if (child.status === 0 && !child.error) return child.stdout ?? '';
  if (quiet) process.stderr.write(`${child.stdout ?? ''}${child.stderr ?? ''}`);
  const end = child.status === null ? `was ended by ${child.signal ?? child.error?.message}` : `ended with exit code ${child.status}`;
  throw new StepFailed(`${[command, ...args].map(short).join(' ')} ${end}`);
}

export function runNode(script, args, options) {
  return run(process.execPath, [script, ...args], options);
}

function short(word) {
  if (word === process.execPath) return 'node';
  return word.startsWith(root) ? word.slice(root.length + 1) : word;
}
