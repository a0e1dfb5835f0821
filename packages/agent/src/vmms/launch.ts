/**
 * Starts a VMM: a session of its own, so that it outlives the agent and hears nothing of its terminal; the log as
 * its only open file; an environment without whatever secrets the agent's has.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Exit } from './endings';
import { identify, type ProcessId } from '../state/processes';

/** What a program needs to find its files, and what steers our own. */
const SECRET = /TOKEN|SECRET|PASS|KEY|CREDENTIAL/;
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LC_[A-Z]+|LD_LIBRARY_PATH|XDG_RUNTIME_DIR|NODE_EXTRA_CA_CERTS|GODWIT_[A-Z0-9_]+)$/;

export const cleanEnvironment = (from: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(from).filter(([name]) => PASSED_ON.test(name) && !SECRET.test(name)));

export interface Launched {
  readonly id: ProcessId;
  /** How it ended, in words, while this agent lives. */
  readonly exited: Promise<Exit>;
}

/** @param command program and first arguments. @throws Error when it cannot be started */
export async function launch(command: readonly string[], configFile: string, logFile: string): Promise<Launched> {
  const log = openSync(logFile, 'a', 0o600);
  try {
    const [program, ...args] = command;
    const child = spawn(program, [...args, configFile], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
      env: cleanEnvironment(process.env),
    });
    const exited = new Promise<Exit>((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Error(`the VM's process cannot be started: ${error.message}`)));
    });
    child.on('error', () => undefined);
    child.unref();
    // One that is dead already is still known by its number until its exit is heard of.
    return { id: identify(child.pid!) ?? { pid: child.pid!, startTime: -1, bootId: '' }, exited };
  } finally {
    closeSync(log);
  }
}
