/** Who watches what: each gets the ids that look different, once however often they changed before it looked. */
import { MAX_WAITING_CHANGES, MAX_WATCHES } from '../limits';
import type { Watched } from '../core/context';
import { Refusal } from '../core/errors';

interface Watcher {
  readonly what: Watched;
  readonly ids: Set<string>;
  wake: () => void;
  ended: Error | undefined;
}

export class Watchers {
  private readonly watchers = new Set<Watcher>();

  changed(changes: readonly (readonly [Watched, string])[]): void {
    for (const watcher of this.watchers) {
      for (const [what, id] of changes) if (what === watcher.what) watcher.ids.add(id);
      if (watcher.ids.size > MAX_WAITING_CHANGES)
        watcher.ended = new Refusal('changed', 'this watch has fallen too far behind: watch again');
      if (watcher.ids.size > 0) watcher.wake();
    }
  }

  /** Leading has ended. */
  endAll(): void {
    for (const watcher of this.watchers) {
      watcher.ended = new Refusal('not-leader', 'this controller no longer leads: ask the one that does');
      watcher.wake();
    }
  }

  /** Batches of ids, as they change. Begin it before reading what there is. */
  async *watch(what: Watched, signal: AbortSignal): AsyncIterable<string[]> {
    if (this.watchers.size >= MAX_WATCHES) throw new Refusal('limit', `at most ${MAX_WATCHES} watches at a time`);
    const watcher: Watcher = { what, ids: new Set(), wake: () => undefined, ended: undefined };
    this.watchers.add(watcher);
    const stop = (): void => watcher.wake();
    signal.addEventListener('abort', stop);
    try {
      // The first batch is empty: now it listens.
      yield [];
      while (!signal.aborted) {
        if (watcher.ended) throw watcher.ended;
        if (watcher.ids.size > 0) {
          const ids = [...watcher.ids];
          watcher.ids.clear();
          yield ids;
        } else
          await new Promise<void>((resolve) => {
            watcher.wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.watchers.delete(watcher);
    }
  }
}
