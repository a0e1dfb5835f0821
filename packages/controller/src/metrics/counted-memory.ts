/** The store with every operation counted and timed by kind and outcome. What it answers is what the store answers. */
import { type EventLog, type Memory, type Store, StoreError } from '@godwit/store';
import type { Metrics } from '@godwit/metrics';

type StoreMetrics = Pick<Metrics<'controller'>, 'storeOperationsTotal' | 'storeOperationSeconds'>;
type Operation = 'get' | 'list' | 'put' | 'delete' | 'history' | 'event_append' | 'event_read';
type Time = <T>(operation: Operation, work: () => Promise<T>) => Promise<T>;

export function countedMemory(memory: Memory, metrics: StoreMetrics): Memory {
  const time = timer(metrics);
  return {
    store: countedStore(memory.store, time),
    events: countedEvents(memory.events, time),
    usage: () => memory.usage(),
    close: () => memory.close(),
  };
}

const timer =
  ({ storeOperationsTotal, storeOperationSeconds }: StoreMetrics): Time =>
  async (operation, work) => {
    const began = performance.now();
    let outcome = 'ok';
    try {
      return await work();
    } catch (error) {
      outcome = error instanceof StoreError ? error.code : 'other';
      throw error;
    } finally {
      storeOperationSeconds.observe({ operation }, (performance.now() - began) / 1e3);
      storeOperationsTotal.inc({ operation, outcome });
    }
  };

const countedStore = (store: Store, time: Time): Store => ({
  get: (key, options) => time('get', () => store.get(key, options)),
  list: (prefix, options) => time('list', () => store.list(prefix, options)),
  put: (key, value, options) => time('put', () => store.put(key, value, options)),
  delete: (key, options) => time('delete', () => store.delete(key, options)),
  history: (key) => time('history', () => store.history(key)),
  watch: (prefix, options) => store.watch(prefix, options),
  close: () => store.close(),
});

const countedEvents = (events: EventLog, time: Time): EventLog => ({
  publish: (event) => time('event_append', () => events.publish(event)),
  read: (query) => time('event_read', () => events.read(query)),
  subscribe: (filter, options) => events.subscribe(filter, options),
  close: () => events.close(),
});
