/** The two streams: the store's log, laid out as a KV bucket, and the events. Made if missing, else checked. */
import { DiscardPolicy, type JetStreamManager, nanos, RetentionPolicy, StorageType, type StreamConfig } from 'nats';
import { StoreError } from '../errors';
import type { Connection, NatsOptions } from './connection';
import { awayError, finalError, isStreamMissing } from './nats-errors';

type Wanted = Partial<StreamConfig> & { readonly name: string; readonly subjects: string[] };

export const bucketStream = (name: string): string => `KV_${name}`;
export const bucketPrefix = (name: string): string => `$KV.${name}.`;
export const eventStream = (name: string): string => `${name}_EVENTS`;
export const eventPrefix = (name: string): string => `${name}.events.`;

export function bucketConfig({ name = 'godwit' }: NatsOptions): Wanted {
  return {
    name: bucketStream(name),
    description: 'Godwit: what the controllers remember',
    subjects: [`${bucketPrefix(name)}>`],
    // Nothing goes by itself: a write that came too late stands in the log as well, and must not push out one that counts.
    max_msgs_per_subject: -1,
    discard: DiscardPolicy.New,
    // Reads must not be served by a replica that lags behind; here nobody reads that way at all.
    allow_direct: false,
  };
}

export function eventConfig({ name = 'godwit' }: NatsOptions, limits: { maxEvents: number; maxAgeMs: number }): Wanted {
  return {
    name: eventStream(name),
    description: 'Godwit: events',
    subjects: [`${eventPrefix(name)}*.*`],
    max_msgs: limits.maxEvents,
    max_age: nanos(limits.maxAgeMs),
    discard: DiscardPolicy.Old,
    // Within this time a message that is sent again after a lost answer is known as the same.
    duplicate_window: nanos(Math.min(120_000, limits.maxAgeMs)),
  };
}

/** @throws StoreError */
export async function ensureStream(connection: Connection, jsm: JetStreamManager, options: NatsOptions, wanted: Wanted): Promise<void> {
  const until = performance.now() + connection.operationTimeoutMs;
  for (;;) {
    try {
      return await ensureOnce(jsm, options, wanted);
    } catch (error) {
      const final = error instanceof StoreError ? error : finalError(error, connection.servers);
      if (final) throw final;
      if (performance.now() > until) throw awayError(connection.servers, `looking for the stream ${wanted.name}`, error);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function ensureOnce(jsm: JetStreamManager, { replicas }: NatsOptions, wanted: Wanted): Promise<void> {
  const fixed = { retention: RetentionPolicy.Limits, storage: StorageType.File };
  try {
    const { config } = await jsm.streams.info(wanted.name);
    checkStream(config, wanted);
    const tuned = {
      ...config,
      max_msgs: wanted.max_msgs ?? -1,
      max_age: wanted.max_age ?? 0,
      num_replicas: replicas ?? config.num_replicas,
    };
    const changed = (['max_msgs', 'max_age', 'num_replicas'] as const).some((name) => tuned[name] !== config[name]);
    if (changed) await jsm.streams.update(wanted.name, tuned);
  } catch (error) {
    if (!isStreamMissing(error)) throw error;
    await jsm.streams.add({ ...fixed, num_replicas: replicas ?? 1, ...wanted });
  }
}

/** A stream that forgets, or that is not one's own, must not be used as the store. */
function checkStream(config: StreamConfig, wanted: Wanted): void {
  const { subjects, retention, storage } = config;
  const isOurs = subjects.length === 1 && subjects[0] === wanted.subjects[0] && retention === RetentionPolicy.Limits;
  const keeps = wanted.discard === DiscardPolicy.Old || (config.max_age === 0 && config.max_msgs <= 0 && config.max_msgs_per_subject <= 0);
  if (!isOurs || !keeps || storage !== StorageType.File || config.discard !== wanted.discard) {
    throw new StoreError(
      'corrupt',
      `the NATS stream ${wanted.name} was not made by Godwit or was changed since (it would lose data); use another name, or remove the stream if nothing in it is needed`,
    );
  }
}
