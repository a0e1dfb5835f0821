/** What the conformance suite needs of a back end. */
import type { DeletionLimits } from '../limits';
import type { Memory } from '../memory';
import type { Store, WatchEvent } from '../store';

export interface BenchOptions {
  readonly maxBytes?: number;
  readonly maxEvents?: number;
  readonly maxEventAgeMs?: number;
  readonly deletions?: DeletionLimits;
}

/** One store, empty at first. */
export interface Bench {
  /** What this client sees; a back end for one process may return the same every time. */
  client(): Promise<Memory>;
  /** Closes all clients; the next one finds what was stored. */
  closeAll(): Promise<void>;
}

export type OpenBench = (options?: BenchOptions) => Promise<Bench>;

export interface Check {
  readonly name: string;
  run(open: OpenBench, seed: number): Promise<void>;
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (value: Uint8Array): string => new TextDecoder().decode(value);

/** Reads a watch until it has shown all that is there. */
export async function upToCurrent(events: AsyncIterator<WatchEvent>): Promise<WatchEvent[]> {
  const seen: WatchEvent[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done) return seen;
    seen.push(value);
    if (value.type === 'current') return seen;
  }
}

/** A watch's events as a reader would note them. */
export const noted = (events: readonly WatchEvent[]): string[] =>
  events.map((event) =>
    event.type === 'put' ? `${event.key}=${text(event.value)}` : event.type === 'delete' ? `${event.key} deleted` : event.type,
  );

/** What a watcher knows after these events. */
export function replay(known: Map<string, string>, events: readonly WatchEvent[]): Map<string, string> {
  for (const event of events) {
    if (event.type === 'reset') known.clear();
    else if (event.type === 'put') known.set(event.key, text(event.value));
    else if (event.type === 'delete') known.delete(event.key);
  }
  return known;
}

export async function contents(store: Store, prefix = ''): Promise<Map<string, string>> {
  const { entries } = await store.list(prefix);
  return new Map(entries.map(({ key, value }) => [key, text(value)]));
}
