/**
 * The serial port for several at a time: each who comes gets the last output first, then
 * what follows. One who does not keep up is let go rather than waited for.
 */
export interface ConsoleReader {
  /** False: no more for now; what comes until `drained` is kept up to a limit. */
  write(bytes: Uint8Array): void;
  /** It was too slow. */
  tooSlow(): void;
  /** Bytes given to it that it has not taken yet. */
  readonly waiting: number;
}

const KEPT_BYTES = 64 * 1024;
const MAX_WAITING_BYTES = 1 << 20;

export class ConsoleHub {
  /** A ring: what was printed last, up to `at`. */
  private readonly kept = Buffer.alloc(KEPT_BYTES);
  private at = 0;
  private full = false;
  private readonly readers = new Set<ConsoleReader>();

  output(bytes: Uint8Array): void {
    this.keep(bytes.subarray(Math.max(0, bytes.length - KEPT_BYTES)));
    for (const reader of [...this.readers]) {
      if (reader.waiting <= MAX_WAITING_BYTES) reader.write(bytes);
      else {
        this.readers.delete(reader);
        reader.tooSlow();
      }
    }
  }

  /** What was printed last, for a VM that goes on elsewhere and for its log. */
  get last(): Uint8Array {
    const newest = this.kept.subarray(0, this.at);
    return this.full ? Buffer.concat([this.kept.subarray(this.at), newest]) : Buffer.from(newest);
  }

  /** Returns how to leave. */
  attach(reader: ConsoleReader): () => void {
    const { last } = this;
    if (last.length > 0) reader.write(last);
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }

  private keep(bytes: Uint8Array): void {
    const first = Math.min(bytes.length, KEPT_BYTES - this.at);
    this.kept.set(bytes.subarray(0, first), this.at);
    this.kept.set(bytes.subarray(first), 0);
    this.full ||= this.at + bytes.length >= KEPT_BYTES;
    this.at = (this.at + bytes.length) % KEPT_BYTES;
  }
}
