/**
 * Processes by what the kernel says of them: a pid alone is used again, a pid with its start time and the boot
 * it belongs to is not (proc(5), /proc/<pid>/stat field 22).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { AgentError } from '../errors';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
  readonly bootId: string;
}

export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch (error) {
    throw new AgentError(`this host's boot id cannot be read (${(error as Error).message}): is /proc mounted?`);
  }
}

interface Stat {
  readonly state: string;
  readonly startTime: number;
  /** Clock ticks of user and system time. */
  readonly cpuTicks: number;
  readonly residentPages: number;
}

/** Undefined: no such process. */
export function statOf(pid: number): Stat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The command's name may hold spaces and brackets: fields are counted from the last one. */
export function parseStat(text: string): Stat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 22) return undefined;
  const number = (field: number): number => Number(fields[field - 3]);
  return { state: fields[0], startTime: number(22), cpuTicks: number(14) + number(15), residentPages: number(24) };
}

/** Undefined: there is no such process, or only its corpse. */
export function identify(pid: number): ProcessId | undefined {
  const stat = statOf(pid);
  return stat && !isDead(stat) ? { pid, startTime: stat.startTime, bootId: bootId() } : undefined;
}

export function isAlive({ pid, startTime, bootId: boot }: ProcessId): boolean {
  const stat = statOf(pid);
  return stat !== undefined && !isDead(stat) && stat.startTime === startTime && boot === bootId();
}

const isDead = ({ state }: Stat): boolean => state === 'Z' || state === 'X';

/** The processes that have `argument` among their arguments: of this user's own, all are seen. */
export function withArguments(wanted: ReadonlySet<string>): Map<string, ProcessId> {
  const found = new Map<string, ProcessId>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const argument = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        .split('\0')
        .find((one) => wanted.has(one));
      const id = argument === undefined ? undefined : identify(pid);
      if (id) found.set(argument!, id);
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}

/** Signals that very process, never one that got its number. False: it has ended. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false;
  try {
    process.kill(id.pid, signal);
    return true;
  } catch {
    return false;
  }
}
