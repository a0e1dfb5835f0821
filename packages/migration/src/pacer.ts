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

/** Bytes a millisecond that the connection takes, from how long at least one message was on its way. */
export class WireMeter {
  private open = 0;
  private since = 0;
  private busyMs = 0;
  private bytes = 0;

  begin(now: number): void {
    if (this.open++ === 0) this.since = now;
  }

  end(now: number, bytes: number): void {
    this.bytes += bytes;
    if (--this.open === 0) this.busyMs += now - this.since;
    // Old measures fade.
    if (this.bytes > FADE_BYTES) {
      this.bytes /= 2;
      this.busyMs /= 2;
    }
  }

  /** Infinity until something was sent. */
  bytesPerMs(now: number): number {
    const busy = this.busyMs + (this.open > 0 ? now - this.since : 0);
    return this.bytes === 0 || busy <= 0 ? Infinity : this.bytes / busy;
  }
}

const FADE_BYTES = 64 * 1024 * 1024;
