/** Ports in memory, for tests. */
import { PAGE_BYTES } from './limits';
import type { StateSink, StateSource } from './ports';
import { fillPage, noise } from './sample';
import { type SavedMachine, writeState } from './write-state';

/** Keeps what is written; like a file, it has a name only after `commit`. */
export class MemorySink implements StateSink {
  readonly name = 'test.state';
  private readonly parts: Uint8Array[] = [];
  outcome: 'open' | 'committed' | 'aborted' = 'open';

  /** @param room bytes that fit before ENOSPC */
  constructor(private room = Infinity) {}

  async write(bytes: Uint8Array): Promise<void> {
    this.parts.push(bytes.slice());
    this.room -= bytes.length;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.room < 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  }

  async commit(): Promise<void> {
    this.outcome = 'committed';
  }

  async abort(): Promise<void> {
    this.outcome = 'aborted';
  }

  get bytes(): Uint8Array {
    // Not a Buffer: its slice() copies nothing.
    return new Uint8Array(Buffer.concat(this.parts));
  }
}

/** Gives the bytes in pieces of at most `piece`. */
export class MemorySource implements StateSource {
  readonly name = 'test.state';
  private at = 0;
  closed = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly piece = Infinity,
  ) {}

  async read(into: Uint8Array): Promise<number> {
    const part = this.bytes.subarray(this.at, this.at + Math.min(into.length, this.piece));
    into.set(part);
    this.at += part.length;
    return part.length;
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

/** RAM with a bit of everything: pages that pack, that do not, that are zero. */
export function patchwork(pages: number, seed: number): Uint8Array {
  const ram = new Uint8Array(pages * PAGE_BYTES);
  const random = noise(seed);
  for (let page = 0; page < pages; page++) fillPage(ram, page, (['zero', 'text', 'noise', 'text'] as const)[(random() >>> 4) % 4]);
  return ram;
}

export async function written(machine: SavedMachine): Promise<Uint8Array> {
  const sink = new MemorySink();
  await writeState(sink, machine);
  return sink.bytes;
}
