/**
 * A Store for the leader of one term. Each write is fenced: it lands only if, at its own place in the store's order,
 * the election record still names that term and holder. After a later term began, and after a
 * resignation, every write fails as 'conflict', whatever was under way and however late it arrives.
 *
 * Reads, watches and history are the store's own: they say what is stored, not who leads.
 */
import type { Guard, Store, WriteOptions } from '../store';
import { ELECTION_KEY, parseRecord } from './record';

export interface Leadership {
  readonly term: number;
  readonly holderId: string;
}

export function leaderStore(store: Store, leadership: Leadership): Store {
  const guard = termGuard(leadership);
  const fenced = (options: WriteOptions = {}): WriteOptions => ({ ...options, guards: [...(options.guards ?? []), guard] });
  return {
    get: (key, options) => store.get(key, options),
    list: (prefix, options) => store.list(prefix, options),
    put: (key, value, options) => store.put(key, value, fenced(options)),
    delete: (key, options) => store.delete(key, fenced(options)),
    history: (key) => store.history(key),
    watch: (prefix, options) => store.watch(prefix, options),
    close: () => store.close(),
  };
}

/** For writes that are put together elsewhere. */
export function termGuard({ term, holderId }: Leadership): Guard {
  return {
    key: ELECTION_KEY,
    holds(entry) {
      const record = entry && parseRecord(entry.value);
      return record?.term === term && record.holder?.id === holderId;
    },
    otherwise: `this controller no longer leads (its term was ${term}); nothing was changed: ask the leader`,
  };
}
