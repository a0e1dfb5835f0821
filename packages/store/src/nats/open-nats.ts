import { DEFAULT_MAX_EVENT_AGE_MS, DEFAULT_MAX_EVENTS, REQUEST_TIMEOUT_MS } from '../limits';
import type { Memory } from '../memory';
import { Connection, type NatsOptions } from './connection';
import { NatsEvents } from './nats-events';
import { NatsStore } from './nats-store';
import { bucketConfig, ensureStream, eventConfig } from './streams';

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** Connects, and makes what is missing there. @throws StoreError 'unavailable', 'full', 'corrupt', 'newer-schema' */
export async function openNats(options: NatsOptions): Promise<Memory> {
  const { name = 'godwit', maxEvents = DEFAULT_MAX_EVENTS, maxEventAgeMs = DEFAULT_MAX_EVENT_AGE_MS } = options;
  if (!NAME.test(name))
    throw new RangeError(`a store's name has 1 to 64 letters, digits, '-' or '_', not ${JSON.stringify(name.slice(0, 80))}`);
  if (options.servers.length === 0) throw new RangeError('name at least one NATS server');
  const connection = await Connection.open(options);
  try {
    checkServer(connection.nats.info?.version, options);
    const jsm = await connection.nats.jetstreamManager({ checkAPI: false, timeout: REQUEST_TIMEOUT_MS });
    await ensureStream(connection, jsm, options, bucketConfig(options));
    await ensureStream(connection, jsm, options, eventConfig(options, { maxEvents, maxAgeMs: maxEventAgeMs }));
    const store = await NatsStore.open(connection, jsm, options);
    const events = await NatsEvents.open(connection, jsm, options);
    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      await Promise.all([store.close(), events.close()]);
      await connection.close();
    };
    return { store, events, usage: () => store.usage, close: () => (closing ??= close()) };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Before 2.10, replicas of one stream were seen to differ after several failures of its leader (README.md). */
function checkServer(version: string | undefined, { replicas = 1, onProblem }: NatsOptions): void {
  const [major, minor] = (version ?? '').split('.').map(Number);
  if (replicas === 1 || !(major < 2 || (major === 2 && minor < 10))) return;
  onProblem?.(
    `NATS ${version} may let the replicas of a stream differ when servers fail; install 2.10.27 or later on all servers of the cluster`,
  );
}
