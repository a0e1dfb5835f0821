/**
 * The lease's end as shared memory, for whoever must look at it without a message:
 * the vCPU's thread before it runs guest code, native writes right before the system
 * call. Two cells of nanoseconds on `clockNs`; 0: no right at all.
 */
import { native, type Guard } from './native';

const WRITE = 0;
const RUN = 1;

export class Deadline {
  /** Its first cell is the guard of disk files (OpenOptions.guard). */
  readonly guard: Guard;

  /** Over the memory of another thread's Deadline, or new. */
  constructor(readonly shared: SharedArrayBuffer = new SharedArrayBuffer(16)) {
    this.guard = new BigInt64Array(shared);
  }

  /** Milliseconds on `clockMs`; -Infinity for none. */
  set(writeUntilMs: number, runUntilMs: number): void {
    // Take away first what allows more, give it last.
    Atomics.store(this.guard, RUN, cell(runUntilMs));
    Atomics.store(this.guard, WRITE, cell(writeUntilMs));
  }

  /** Guest code may execute. */
  mayRun(): boolean {
    return native().clockNs() < Atomics.load(this.guard, RUN);
  }

  /** Disk writes may be issued. */
  mayWrite(): boolean {
    return native().clockNs() < Atomics.load(this.guard, WRITE);
  }
}

/** The lease's clock: monotonic, and runs while the host is suspended. */
export const clockMs = (): number => Number(native().clockNs()) / 1e6;

const cell = (ms: number): bigint => (Number.isFinite(ms) ? BigInt(Math.floor(ms * 1e6)) : 0n);
