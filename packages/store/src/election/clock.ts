import os from 'node:os';
import { performance } from 'node:perf_hooks';

/** The system's uptime is exact to 10 ms; smaller steps between it and the fine clock mean nothing. */
const NOTICED_MS = 100;

/** Milliseconds that only grow, and also count the time for which the host was suspended. */
export function bootClock(): () => number {
  const ahead = (): number => os.uptime() * 1_000 - performance.now();
  const base = ahead();
  let suspendedMs = 0;
  return () => {
    const more = ahead() - base;
    if (more > suspendedMs + NOTICED_MS) suspendedMs = more;
    return performance.now() + suspendedMs;
  };
}
