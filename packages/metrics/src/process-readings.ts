/** What Node and Linux say of this process, read at each scrape: some microseconds. */
import fs from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import type { CommonMetrics } from './handles';

let maxFiles: number | undefined;

export function processReadings(metrics: CommonMetrics): void {
  const { user, system } = process.cpuUsage();
  metrics.processCpuSecondsTotal.raise((user + system) / 1e6);
  const { rss, heapUsed, heapTotal } = process.memoryUsage();
  metrics.processResidentMemoryBytes.set(rss);
  metrics.heapBytes.set({ part: 'used' }, heapUsed);
  metrics.heapBytes.set({ part: 'reserved' }, heapTotal);
  const { active, idle } = performance.eventLoopUtilization();
  metrics.eventLoopSecondsTotal.raise({ state: 'active' }, active / 1e3);
  metrics.eventLoopSecondsTotal.raise({ state: 'idle' }, idle / 1e3);
  metrics.processStartTimeSeconds.set(performance.timeOrigin / 1e3);
  metrics.processOpenFds.set(openFiles());
  metrics.processMaxFds.set((maxFiles ??= maxOpenFiles()));
}

export interface ProcessUsage {
  readonly userSeconds: number;
  readonly systemSeconds: number;
  readonly residentBytes: number;
}

/** USER_HZ, which is 100 on every Linux; and a page of x86-64. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;

/** CPU time and memory of another process, as `proc(5)` has them; undefined: there is none, or it may not be seen. */
export function processUsage(pid: number): ProcessUsage | undefined {
  try {
    return parseStat(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The second field is the program's name in parentheses and may hold anything, parentheses and spaces too. */
export function parseStat(stat: string): ProcessUsage | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system, pages] = [fields[11], fields[12], fields[21]].map(Number);
  if (![user, system, pages].every(Number.isFinite)) return undefined;
  return { userSeconds: user / TICKS_PER_SECOND, systemSeconds: system / TICKS_PER_SECOND, residentBytes: pages * PAGE_BYTES };
}

function openFiles(): number | undefined {
  try {
    // Without the descriptor that the look itself needs.
    return fs.readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}

function maxOpenFiles(): number {
  try {
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === 'unlimited' ? Infinity : Number(limit);
  } catch {
    return NaN;
  }
}
