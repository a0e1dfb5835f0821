/**
 * The processes of `npm run up`: each a session of its own, so that a Ctrl-C at the terminal reaches only the one who
 * ends them in order. What runs is written down: should this process be killed, the next run ends what is left.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, exitCodes } from '../errors';
import { END_MS } from './limits';

export interface ProcessId {
  readonly pid: number;
  /** In ticks since the machine started (proc(5)): a number that was given anew is another process's. */
  readonly startTime: string;
}

interface Noted {
  /** Of `npm run up` itself. */
  readonly owner: ProcessId;
  /** Its sockets and state lie there. */
  readonly folder: string;
  readonly started: readonly ProcessId[];
}

export interface Started {
  readonly id: ProcessId;
  readonly name: string;
  readonly logFile: string;
  /** One line how it ended; undefined: it runs. */
  readonly ended: () => string | undefined;
}

export class Processes {
  private readonly all: Started[] = [];
  private isEnding = false;

  constructor(
    private readonly noteFile: string,
    private readonly folder: string,
    private readonly logs: string,
  ) {
    this.note();
  }

  /** A command of this same `godwit`. */
  godwit(name: string, args: readonly string[]): Promise<Started> {
    return this.start(name, [process.execPath, path.join(__dirname, '..', 'main.js'), ...args]);
  }

  /** @param command program and arguments */
  async start(name: string, [program, ...args]: readonly string[]): Promise<Started> {
    const logFile = path.join(this.logs, `${name}.log`);
    const log = openSync(logFile, 'w', 0o600);
    try {
      const child = spawn(program, args, { cwd: '/', stdio: ['ignore', log, log], detached: true });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      let ended: string | undefined;
      child.once('exit', (code, signal) => {
        ended = `${name} has ended (${signal ?? `exit code ${code}`})${this.isEnding ? '' : `: ${lastLine(logFile)} (its log: ${logFile})`}`;
      });
      const started: Started = { id: identify(child.pid!) ?? { pid: child.pid!, startTime: '' }, name, logFile, ended: () => ended };
      this.all.push(started);
      this.note();
      return started;
    } finally {
      closeSync(log);
    }
  }

  /** One that has ended although nobody told it to, in one line. */
  get failure(): string | undefined {
    return this.all.map(({ ended }) => ended()).find((line) => line !== undefined);
  }

  /** Those of the name, SIGTERM, and after a while SIGKILL. */
  async end(of: (name: string) => boolean = () => true): Promise<void> {
    this.isEnding = true;
    await endAll(this.all.filter(({ name }) => of(name)).map(({ id }) => id));
  }

  private note(): void {
    const noted: Noted = { owner: identify(process.pid)!, folder: this.folder, started: this.all.map(({ id }) => id) };
    writeFileSync(this.noteFile, JSON.stringify(noted), { mode: 0o600 });
  }
}

/**
 * What an earlier run left, when it was killed: its folder, once its processes have been ended; undefined: nothing.
 * @throws CliError when it runs
 */
export async function leftBehind(noteFile: string): Promise<string | undefined> {
  if (!existsSync(noteFile)) return undefined;
  let noted: Noted;
  try {
    noted = JSON.parse(readFileSync(noteFile, 'utf8')) as Noted;
  } catch {
    return undefined;
  }
  if (isAlive(noted.owner))
    throw new CliError(
      exitCodes.precondition,
      `npm run up runs in this checkout already (process ${noted.owner.pid}): end it there with Ctrl-C, or use it: npx godwit vm ls`,
    );
  await endAll(noted.started);
  return noted.folder;
}

export async function endAll(ids: readonly ProcessId[]): Promise<void> {
  const living = (): readonly ProcessId[] => ids.filter(isAlive);
  for (const { pid } of living()) signal(pid, 'SIGTERM');
  const limit = Date.now() + END_MS;
  while (living().length > 0 && Date.now() < limit) await sleep(20);
  await killAll(living());
}

/** Until they are gone: nothing is waited for but the kernel. */
export async function killAll(ids: readonly ProcessId[]): Promise<void> {
  for (const one of ids) if (isAlive(one)) signal(one.pid, 'SIGKILL');
  const limit = Date.now() + END_MS;
  while (ids.some(isAlive) && Date.now() < limit) await sleep(20);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

/** Undefined: there is no such process, or it is only waiting to be buried. */
export function identify(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTime: fields[19] };
  } catch {
    return undefined;
  }
}

export const isAlive = ({ pid, startTime }: ProcessId): boolean => identify(pid)?.startTime === startTime;

/** What its log says last, if that is an error. */
function lastLine(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
  const said = lines.findLast((line) => line.startsWith('godwit: '));
  return said?.slice('godwit: '.length) ?? lines.at(-1)?.slice(0, 300) ?? 'it said nothing';
}
