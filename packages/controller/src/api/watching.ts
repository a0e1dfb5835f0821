/** Watches: what is there, SYNCED, what changes. */
import type { Watched } from '../core/context';
import type { ApiPorts } from './ports';

/** `view` gives undefined for what is not (or no longer) among what is watched. */
export async function* watchAll(
  ports: ApiPorts,
  what: Watched,
  field: string,
  ids: () => Iterable<string>,
  view: (id: string) => object | undefined,
  signal: AbortSignal,
): AsyncIterable<object> {
  const shown = new Map<string, object>();
  let first = true;
  for await (const changed of ports.watchers.watch(what, signal)) {
    for (const id of first ? [...ids()] : changed) {
      const now = view(id);
      const before = shown.get(id);
      if (now) {
        shown.set(id, now);
        yield { change: 'CHANGE_KIND_PUT', [field]: now };
      } else if (before) {
        shown.delete(id);
        yield { change: 'CHANGE_KIND_REMOVED', [field]: before };
      }
    }
    if (first) yield { change: 'CHANGE_KIND_SYNCED' };
    first = false;
  }
}

/** One thing, until `isOver`. */
export async function* watchOne(
  ports: ApiPorts,
  what: readonly Watched[],
  id: string,
  view: () => object,
  isOver: () => boolean,
  signal: AbortSignal,
): AsyncIterable<object> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  signal.addEventListener('abort', end);
  try {
    // An operation that is a migration changes as a migration.
    const kind = what.length > 1 && ports.leadership().state.migrations.has(id) ? what[1] : what[0];
    let first = true;
    for await (const changed of ports.watchers.watch(kind, stop.signal)) {
      if (!first && !changed.includes(id)) continue;
      first = false;
      // Asked before it is shown: what ends while this is on its way is still to be shown.
      const over = isOver();
      yield view();
      if (over) return;
    }
  } finally {
    signal.removeEventListener('abort', end);
  }
}
