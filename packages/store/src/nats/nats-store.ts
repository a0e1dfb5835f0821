/**
 * The Store over NATS JetStream. The stream is a log of changes in the layout of a KV bucket; its sequences are the
 * revisions. Each process follows the log (follower.ts, view.ts) and answers from what it has read; writes are conditional
 * on the log's end (log-writer.ts). For a read as of now, a barrier is written and read up to: a majority has to take
 * it, so a server that was cut off and does not know it cannot answer with the past.
 *
 * Nothing leaves the stream by itself. Whoever writes a key removes what is superseded there, now and then.
 */
import type { JetStreamManager } from 'nats';
import { closedError, StoreError } from '../errors';
import { checkKey, checkPrefix, checkValue } from '../keys';
import { COMPACT_AT, COMPACT_BARRIERS_AT, DEFAULT_DELETIONS, DEFAULT_MAX_BYTES, type DeletionLimits, HISTORY_PER_KEY } from '../limits';
import type { Change, Entry, ReadOptions, Revision, Store, Watch, WatchOptions, WriteOptions } from '../store';
import { Watches } from '../watches';
import type { Connection, NatsOptions } from './connection';
import { Follower } from './follower';
import { counts, LeaderLog, type LogEntry } from './leader-log';
import { LogWriter } from './log-writer';
import { bucketPrefix, bucketStream } from './streams';
import { BARRIER, FLOOR, SCHEMA, View } from './view';

export const SCHEMA_VERSION = 1;

export class NatsStore implements Store {
  private readonly follower: Follower;
  private readonly log: LeaderLog;
  private readonly writer: LogWriter;
  private readonly watches: Watches;
  private readonly stream: string;
  private readonly prefix: string;
  private readonly deletions: DeletionLimits;
  private closed = false;
  private tidying = false;
  /** Keys that are being compacted, and what the last time left of others. */
  private readonly compacting = new Set<string>();
  private readonly compacted = new Map<string, number>();
  private nextSync: Promise<void> | undefined;

  private constructor(
    private readonly connection: Connection,
    jsm: JetStreamManager,
    { name = 'godwit', maxBytes = DEFAULT_MAX_BYTES, deletions = DEFAULT_DELETIONS, onProblem = () => undefined }: NatsOptions,
  ) {
    this.deletions = deletions;
    [this.stream, this.prefix] = [bucketStream(name), bucketPrefix(name)];
    this.log = new LeaderLog(connection, jsm, this.stream);
    this.writer = new LogWriter(connection, connection.nats.jetstream(), this.prefix, () => this.follower);
    this.follower = new Follower(connection, this.log, {
      ...{ prefix: this.prefix, maxBytes, onProblem, client: this.writer.client },
      onChange: () => this.watches.wake(),
      barrier: (until) => this.barrier(until),
    });
    this.watches = new Watches(new Present(() => this.view));
  }

  /** The stream must be there. @throws StoreError */
  static async open(connection: Connection, jsm: JetStreamManager, options: NatsOptions): Promise<NatsStore> {
    const store = new NatsStore(connection, jsm, options);
    try {
      await store.follower.rebuild(store.deadline());
      await store.checkSchema();
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  /** As followed so far. */
  get usage(): { readonly bytes: number; readonly limitBytes: number } {
    const { bytes, maxBytes } = this.follower.view;
    return { bytes, limitBytes: maxBytes };
  }

  async get(key: string, options: ReadOptions = {}): Promise<Entry | undefined> {
    checkKey(key);
    await this.upToDate(options);
    const entry = this.view.entry(key);
    return entry && { ...entry };
  }

  async list(prefix: string, options: ReadOptions = {}): Promise<{ entries: Entry[]; revision: Revision }> {
    checkPrefix(prefix);
    await this.upToDate(options);
    return { entries: this.view.list(prefix), revision: this.view.revision };
  }

  async put(key: string, value: Uint8Array, options: WriteOptions = {}): Promise<Revision> {
    checkKey(key);
    checkValue(key, value);
    this.checkOpen();
    const revision = await this.writer.write({ key, value: Uint8Array.from(value), options });
    if (this.view.messageCount(key) >= Math.max(COMPACT_AT, 2 * (this.compacted.get(key) ?? 0))) void this.compact(key);
    return revision;
  }

  async delete(key: string, options: WriteOptions = {}): Promise<Revision> {
    checkKey(key);
    this.checkOpen();
    const revision = await this.writer.write({ key, options });
    if (this.view.deletionCount > this.deletions.tidyAt) void this.tidy();
    return revision;
  }

  async history(key: string): Promise<Change[]> {
    checkKey(key);
    await this.upToDate({});
    const view = new View(0, this.prefix, Number.POSITIVE_INFINITY);
    for (const entry of await this.log.all(this.prefix + key, this.deadline())) view.apply(entry);
    return view.all().slice(-HISTORY_PER_KEY).reverse();
  }

  watch(prefix: string, options?: WatchOptions): Watch {
    this.checkOpen();
    return this.watches.watch(prefix, options);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.watches.close();
    this.follower.close();
  }

  private get view(): View {
    return this.follower.view;
  }

  private deadline(): number {
    return performance.now() + this.connection.operationTimeoutMs;
  }

  private async upToDate({ local = false }: ReadOptions): Promise<void> {
    this.checkOpen();
    if (local) return;
    // Reads that wait for their turn share one barrier.
    if (!this.nextSync) {
      const until = this.deadline();
      this.nextSync = this.writer.between(() => {
        this.nextSync = undefined;
        return this.follower.sync(until);
      });
    }
    await this.nextSync;
  }

  private async barrier(until: number): Promise<LogEntry> {
    const entry = await this.writer.barrier(until);
    if (this.view.messageCount(BARRIER) >= COMPACT_BARRIERS_AT) {
      this.view.purged(BARRIER, 1);
      void this.log.purge(this.prefix + BARRIER, entry.sequence).catch(() => undefined);
    }
    return entry;
  }

  /** Removes what is older than the key's history, and the writes among it that never counted. */
  private async compact(key: string): Promise<void> {
    if (this.compacting.has(key)) return;
    this.compacting.add(key);
    try {
      const { view } = this;
      const entries = await this.log.all(this.prefix + key, this.deadline());
      const oldest = entries.filter(counts).at(-HISTORY_PER_KEY)?.sequence ?? 0;
      if (oldest > 0) await this.log.purge(this.prefix + key, oldest);
      const left = entries.filter(({ sequence }) => sequence >= oldest).length;
      view.purged(key, left);
      if (left > COMPACT_AT / 2) this.compacted.set(key, left);
      else this.compacted.delete(key);
    } catch {
      // The next write to the key tries again; this is only about room.
    } finally {
      this.compacting.delete(key);
    }
  }

  private async checkSchema(): Promise<void> {
    const version = (): number => Number(this.view.schema ?? 0);
    if (version() === 0) {
      const mine = new TextEncoder().encode(String(SCHEMA_VERSION));
      const taken = (): StoreError | undefined =>
        version() === 0 ? undefined : new StoreError('conflict', 'another controller was faster');
      await this.writer.append('setting up the store', SCHEMA, mine, false, taken).catch((error: unknown) => {
        if (!(error instanceof StoreError && error.code === 'conflict')) throw error;
      });
    }
    if (version() > SCHEMA_VERSION) {
      throw new StoreError(
        'newer-schema',
        `the store ${this.stream} at ${this.connection.servers} was written by a newer Godwit (schema ${version()}, this one knows ${SCHEMA_VERSION}); install that version on every controller`,
      );
    }
  }

  /**
   * Forgets the oldest deletions: first a record says so, in the log, then their messages go, up to their own
   * sequence, so that a key which exists again is not touched.
   */
  private async tidy(): Promise<void> {
    if (this.tidying) return;
    this.tidying = true;
    try {
      const floor = this.view.nextFloor(this.deletions.kept, this.deletions.minAgeMs, Date.now());
      if (floor !== undefined && floor > this.view.floor) {
        await this.writer.append('tidying up', FLOOR, new TextEncoder().encode(String(floor)), false, () => undefined);
      }
      for (const { key, revision } of this.view.expired.splice(0)) {
        await this.log.purge(this.prefix + key, revision + 1);
        this.view.purged(key, 0);
      }
    } catch {
      // What is left over is tidied away next time; this is only about room.
    } finally {
      this.tidying = false;
    }
  }

  private checkOpen(): void {
    if (this.closed) throw closedError();
  }
}

/** What watches see: the view that is in force. */
class Present {
  constructor(private readonly view: () => View) {}

  get revision(): Revision {
    return this.view().revision;
  }

  get floor(): Revision {
    return this.view().floor;
  }

  get generation(): number {
    return this.view().generation;
  }

  changesAfter(after: Revision, prefix: string, limit: number): Change[] {
    return this.view().changesAfter(after, prefix, limit);
  }
}
