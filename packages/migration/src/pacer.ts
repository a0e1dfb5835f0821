/**
 * Keeps to a bandwidth cap: says how long to wait before the next message. The cap may
 * change at any time. Idle time is made up for only up to BURST_MS.
 */
const BURST_MS = 20;

export class Pacer {
  /** When the bytes sent so far would have gone at the cap. */
  private dueAt = -Infinity;

  /** Milliseconds to wait at `now` before `bytes` more. @param bytesPerSecond 0: no cap */
  waitMs(now: number, bytesPerSecond: number): number {
    if (bytesPerSecond <= 0) {
      this.dueAt = -Infinity;
      return 0;
    }
    return Math.max(0, this.dueAt - now);
  }

  sent(now: number, bytes: number, bytesPerSecond: number): void {
    if (bytesPerSecond <= 0) return;
    this.dueAt = Math.max(this.dueAt, now - BURST_MS) + (bytes * 1000) / bytesPerSecond;
  }
}
