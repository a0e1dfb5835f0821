/*
 * The CPU time of a process, from its threads' own counters: nanoseconds, where
 * /proc/PID/stat counts in hundredths of a second. Threads that have ended are
 * not in it.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds, or NaN if the process is gone. */
export function processCpuMs(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.reduce((sum, thread) => sum + threadMs(pid, thread), 0);
  } catch {
    return Number.NaN;
  }
}

/** proc(5), schedstat: time on the CPU in ns, time waiting for it, slices. */
function threadMs(pid, thread) {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]) / 1e6;
  } catch {
    return 0;
  }
}
