/**
 * The event log in a JetStream stream, subject `<name>.events.<kind>.<id>`; the server drops the oldest.
 *
 * JetStream reads forwards only. To read backwards, stretches of the stream are read from its end on, each longer
 * than the one before until enough was found. Subscriptions share one reader of what is new;
 * one that falls behind what that reader remembers reads from the stream again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { headers, type JetStreamManager, type StreamState } from 'nats';
import { checkEvent, checkFilter } from '../event-checks';
import { closedError, StoreError } from '../errors';
import type { EventFilter, EventInput, EventLog, EventQuery, StoredEvent, Subscription, SubscriptionEvent } from '../events';
import { Feeds } from '../feed';
import { MAX_EVENTS_READ, POLL_MS, RECENT_CHANGES, RETRY_PAUSE_MS, REQUEST_TIMEOUT_MS, WATCH_BATCH } from '../limits';
import type { Connection, NatsOptions } from './connection';
import { type LogMessage, LogReader } from './log-reader';
import { awayError, finalError } from './nats-errors';
import { readMessages } from './range';
import { eventPrefix, eventStream } from './streams';

/** How much further back each stretch reaches than the one before. */
const STRETCH_FACTOR = 8;

export class NatsEvents implements EventLog {
  private readonly feeds = new Feeds<SubscriptionEvent>();
  private readonly stream: string;
  private readonly prefix: string;
  private readonly recent: LogMessage[] = [];
  private closed = false;
  private reader: LogReader | undefined;

  private constructor(
    private readonly connection: Connection,
    private readonly jsm: JetStreamManager,
    { name = 'godwit' }: NatsOptions,
    /** Everything after this sequence is in `recent`. */
    private recentFrom: number,
  ) {
    [this.stream, this.prefix] = [eventStream(name), eventPrefix(name)];
  }

  /** The stream must be there. */
  static async open(connection: Connection, jsm: JetStreamManager, options: NatsOptions): Promise<NatsEvents> {
    const events = new NatsEvents(connection, jsm, options, 0);
    events.recentFrom = (await events.state(events.deadline())).last_seq;
    events.reader = new LogReader(connection, jsm, {
      stream: events.stream,
      start: events.recentFrom + 1,
      onMessage: (one) => events.hear(one),
    });
    return events;
  }

  async publish(event: EventInput): Promise<number> {
    const json = new TextEncoder().encode(checkEvent(event));
    this.checkOpen();
    const { connection } = this;
    const until = this.deadline();
    const message = headers();
    message.set('Nats-Msg-Id', crypto.randomUUID());
    let last: unknown;
    while ((await connection.up(until)) && performance.now() < until) {
      try {
        const timeout = Math.max(1, Math.min(REQUEST_TIMEOUT_MS, until - performance.now()));
        return (await connection.nats.jetstream().publish(`${this.prefix}${event.kind}.${event.id}`, json, { headers: message, timeout }))
          .seq;
      } catch (error) {
        const final = finalError(error, connection.servers);
        if (final) throw final;
        last = error;
        await sleep(RETRY_PAUSE_MS);
      }
    }
    throw awayError(connection.servers, `publishing an event of ${event.kind} ${event.id}`, last, last !== undefined);
  }

  async read(query: EventQuery): Promise<StoredEvent[]> {
    checkFilter(query);
    this.checkOpen();
    const { before = Number.POSITIVE_INFINITY, sinceMs = 0, untilMs = Number.POSITIVE_INFINITY } = query;
    const limit = Math.min(query.limit, MAX_EVENTS_READ);
    const until = this.deadline();
    const { first_seq: first, last_seq: last } = await this.state(until);
    const found: StoredEvent[] = [];
    let end = Math.min(before, last + 1);
    for (let length = Math.max(64, limit); end > first && found.length < limit; length *= STRETCH_FACTOR) {
      const start = Math.max(first, end - length);
      const messages = await this.stretch(query, start, end, until);
      const events = messages.map((message) => this.toEvent(message)).reverse();
      found.push(...events.filter(({ timeMs }) => timeMs >= sinceMs && timeMs < untilMs));
      if (events.some(({ timeMs }) => timeMs < sinceMs)) break;
      end = start;
    }
    return found.slice(0, limit);
  }

  subscribe(filter: EventFilter, options: { after?: number } = {}): Subscription {
    checkFilter(filter);
    this.checkOpen();
    let at = options.after ?? this.newest;
    const next = async (): Promise<SubscriptionEvent[]> => {
      const { newest } = this;
      if (newest <= at) return [];
      const items: SubscriptionEvent[] = [];
      if (at < this.recentFrom) {
        const oldest = (await this.state(this.deadline())).first_seq;
        if (oldest > at + 1) items.push({ type: 'lost', before: oldest });
      }
      const messages =
        at >= this.recentFrom ? this.recentAfter(at, filter) : await this.stretch(filter, at + 1, newest + 1, this.deadline(), WATCH_BATCH);
      at = messages.length < WATCH_BATCH ? newest : messages[messages.length - 1].sequence;
      for (const message of messages) items.push({ type: 'event', event: this.toEvent(message) });
      return items;
    };
    return this.feeds.add(() => this.patiently(next));
  }

  /** A subscription outlives the server's absence. */
  private async patiently<T>(act: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (this.closed || !(error instanceof StoreError && error.code === 'unavailable')) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    this.reader?.close();
    this.feeds.close();
  }

  private get newest(): number {
    return this.recent.at(-1)?.sequence ?? this.recentFrom;
  }

  private hear(message: LogMessage): void {
    this.recent.push(message);
    if (this.recent.length > 2 * RECENT_CHANGES) {
      this.recent.splice(0, RECENT_CHANGES);
      this.recentFrom = this.recent[0].sequence - 1;
    }
    this.feeds.wake();
  }

  private recentAfter(at: number, filter: EventFilter): LogMessage[] {
    let index = this.recent.length;
    while (index > 0 && this.recent[index - 1].sequence > at) index--;
    const found: LogMessage[] = [];
    for (; index < this.recent.length && found.length < WATCH_BATCH; index++) {
      const [kind, id] = this.recent[index].subject.slice(this.prefix.length).split('.');
      if ((filter.kind ?? kind) === kind && (filter.id ?? id) === id) found.push(this.recent[index]);
    }
    return found;
  }

  private stretch(filter: EventFilter, start: number, end: number, until: number, limit?: number): Promise<LogMessage[]> {
    const subject = `${this.prefix}${filter.kind ?? '*'}.${filter.id ?? '*'}`;
    return readMessages(this.connection, this.jsm, {
      stream: this.stream,
      filter: subject,
      start,
      end,
      until,
      ...(limit !== undefined && { limit }),
    });
  }

  private toEvent({ subject, sequence, timeMs, data }: LogMessage): StoredEvent {
    const [kind, id] = subject.slice(this.prefix.length).split('.');
    return { sequence, timeMs, kind, id, data: parse(data) };
  }

  private async state(until: number): Promise<StreamState> {
    let last: unknown;
    while ((await this.connection.up(until)) && performance.now() < until) {
      try {
        return (await this.jsm.streams.info(this.stream)).state;
      } catch (error) {
        const final = finalError(error, this.connection.servers);
        if (final) throw final;
        last = error;
        await sleep(RETRY_PAUSE_MS);
      }
    }
    throw awayError(this.connection.servers, 'reading events', last);
  }

  private deadline(): number {
    return performance.now() + this.connection.operationTimeoutMs;
  }

  private checkOpen(): void {
    if (this.closed) throw closedError();
  }
}

/** What another program published may be no JSON: then it is shown as text. */
function parse(data: Uint8Array): unknown {
  const text = new TextDecoder().decode(data);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
