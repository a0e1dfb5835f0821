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
  private kept = Buffer.alloc(0);
  private readonly readers = new Set<ConsoleReader>();

  output(bytes: Uint8Array): void {
    this.kept = Buffer.concat([this.kept, bytes]);
    if (this.kept.length > KEPT_BYTES) this.kept = this.kept.subarray(this.kept.length - KEPT_BYTES);
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
    return this.kept;
  }

  /** Returns how to leave. */
  attach(reader: ConsoleReader): () => void {
    if (this.kept.length > 0) reader.write(this.kept);
    this.readers.add(reader);
    return () => this.readers.delete(reader);
  }
}
