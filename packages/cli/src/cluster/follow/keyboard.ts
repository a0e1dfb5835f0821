/** What is typed, on its way to a guest: raw while it is a terminal, so that Ctrl-C goes there, too. */
import type { Queue } from '@godwit/wire';
import type { Io } from '../output/io';

const LEAVE = 0x1d; // Ctrl-]
/** Of a message, bytes: a paste is sent in pieces. */
const MAX_CHUNK = 16 * 1024;
/** Bytes that wait while nobody takes them; then the terminal is not read. */
const MAX_WAITING = 64 * 1024;

export type ConsoleRequest = { vm?: string; console?: 'CONSOLE_KIND_SERIAL'; data?: Uint8Array };

export class Keyboard {
  readonly isTerminal: boolean;
  private readonly leaving = new AbortController();
  private waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  private requests: Queue<ConsoleRequest> | undefined;
  private isPumping = false;
  private hasBegun = false;

  constructor(
    private readonly io: Io,
    private readonly readOnly: boolean,
  ) {
    this.isTerminal = io.stdin.isTTY === true;
  }

  /** Aborted by Ctrl-]. */
  get left(): AbortSignal {
    return this.leaving.signal;
  }

  begin(): void {
    if (this.hasBegun || (this.readOnly && !this.isTerminal)) return;
    this.hasBegun = true;
    const { stdin } = this.io;
    stdin.setRawMode?.(true);
    stdin.on('data', this.onData);
    stdin.on('error', () => {});
    stdin.resume();
  }

  end(): void {
    if (!this.hasBegun) return;
    this.hasBegun = false;
    const { stdin } = this.io;
    stdin.off('data', this.onData);
    stdin.setRawMode?.(false);
    stdin.pause();
  }

  /** Where it goes from now on; undefined: it waits. */
  into(requests: Queue<ConsoleRequest> | undefined): void {
    this.requests = requests;
    if (requests) void this.pump();
  }

  private readonly onData = (given: Buffer | string): void => {
    const data = Buffer.from(given as Buffer);
    const at = this.isTerminal ? data.indexOf(LEAVE) : -1;
    const bytes = at < 0 ? data : data.subarray(0, at);
    if (bytes.length > 0 && !this.readOnly) {
      for (let from = 0; from < bytes.length; from += MAX_CHUNK) this.waiting.push(bytes.subarray(from, from + MAX_CHUNK));
      this.waitingBytes += bytes.length;
      // A terminal is read on: Ctrl-] must be seen.
      if (this.waitingBytes > MAX_WAITING && !this.isTerminal) this.io.stdin.pause();
      void this.pump();
    }
    if (at >= 0) this.leaving.abort();
  };

  /** One at a time, in order. */
  private async pump(): Promise<void> {
    if (this.isPumping) return;
    this.isPumping = true;
    try {
      while (this.requests && this.waiting.length > 0) {
        const [data] = this.waiting;
        await this.requests.push({ data });
        this.waiting.shift();
        this.waitingBytes -= data.length;
        if (this.hasBegun && this.waitingBytes <= MAX_WAITING) this.io.stdin.resume();
      }
    } catch {
      // The stream has ended: the piece waits for the next one.
    } finally {
      this.isPumping = false;
    }
  }
}
