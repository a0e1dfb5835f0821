/**
 * A user-mode network as a process of its own that outlives its agent, as the VMs on it do. Agents that are
 * configured with the same socket share it: whoever comes first starts it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectUsernetControl, type UsernetConfig } from '@godwit/network';
import { USERNET_OTHER_MS, USERNET_UP_MS } from '../limits';
import { cleanEnvironment } from '../vmms/launch';

export const controlOf = (socket: string): string => `${socket}.control`;

export async function isServing(socket: string): Promise<boolean> {
  try {
    const control = await connectUsernetControl(controlOf(socket));
    try {
      await control.status();
      return true;
    } finally {
      control.close();
    }
  } catch {
    return false;
  }
}

/** Starts it unless it serves already. @throws Error, one line */
export async function ensureUserNetwork(config: Omit<UsernetConfig, 'control'>, logFile: string): Promise<'there' | 'started'> {
  const { socket } = config;
  if (await isServing(socket)) return 'there';
  mkdirSync(path.dirname(socket), { recursive: true, mode: 0o700 });
  const main = path.join(path.dirname(require.resolve('@godwit/network')), 'usernet-main.js');
  const log = openSync(logFile, 'a', 0o600);
  const input = openEndlessInput(`${socket}.${process.pid}.input`);
  try {
    const whole: UsernetConfig = { ...config, control: controlOf(socket) };
    const child = spawn(process.execPath, [main, JSON.stringify(whole)], {
      cwd: '/',
      detached: true,
      stdio: [input, log, log],
      env: cleanEnvironment(process.env),
    });
    let ended: string | undefined;
    child.on('exit', (code, signal) => {
      ended = `the user-mode network ended at once (${signal ?? `exit code ${code}`}): ${lastWords(logFile)} (see ${logFile})`;
    });
    child.on('error', (error) => {
      ended = `the user-mode network cannot be started: ${error.message}`;
    });
    child.unref();
    let until = Date.now() + USERNET_UP_MS;
    let endedAt: number | undefined;
    // One that another agent started at the same time serves as well, and ends ours: its address is taken.
    while (!(await isServing(socket))) {
      if (ended !== undefined && endedAt === undefined) endedAt = Date.now();
      if (endedAt !== undefined) until = Math.min(until, endedAt + USERNET_OTHER_MS);
      if (Date.now() >= until) throw new Error(ended ?? `the user-mode network at ${socket} does not answer: see ${logFile}`);
      await sleep(50);
    }
    return 'started';
  } finally {
    closeSync(log);
    closeSync(input);
  }
}

function lastWords(logFile: string): string {
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').at(-1)?.slice(0, 300) || 'it said nothing';
}

/** It ends when its input does; a named pipe that it has open both ways itself never ends. */
function openEndlessInput(file: string): number {
  rmSync(file, { force: true });
  execFileSync('mkfifo', ['-m', '600', file]);
  try {
    return openSync(file, constants.O_RDWR);
  } finally {
    rmSync(file, { force: true });
  }
}
