/** CPU time of both VMMs during a move, with what the guest itself uses: looked at while it lasts, as the source ends with it. */
import { processCpuMs } from '../lib/cpu-time.mjs';

const LOOK_MS = 10;

export class CpuTime {
  constructor(pids) {
    this.processes = pids.map((pid) => ({ pid, first: processCpuMs(pid), last: 0 }));
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  look() {
    // Threads that have ended are no longer counted: what was seen stays.
    for (const one of this.processes) one.last = Math.max(one.last, processCpuMs(one.pid) || 0);
  }

  /** Milliseconds of all processes together. */
  stop() {
    clearInterval(this.timer);
    this.look();
    return this.processes.reduce((sum, { first, last }) => sum + Math.max(0, last - first), 0);
  }
}
