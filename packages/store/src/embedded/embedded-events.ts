/** The event log in the store's file: a ring, whose oldest events go with each new one. */
import { checkEvent, checkFilter } from '../event-checks';
import { closedError } from '../errors';
import type { EventFilter, EventInput, EventLog, EventQuery, StoredEvent, Subscription, SubscriptionEvent } from '../events';
import { Feeds } from '../feed';
import { MAX_EVENTS_READ, WATCH_BATCH } from '../limits';
import type { Commits } from './commits';
import { onFile, type Sqlite } from './sqlite';
import { checkedEvent, type EventRow, eventSum } from './sums';

export interface EventLimits {
  readonly maxEvents: number;
  readonly maxAgeMs: number;
}

interface Row extends EventRow {
  readonly sequence: number;
}

/** Expired events that one new event takes along, at most. */
const EXPIRE_BATCH = 64;

export class EmbeddedEvents implements EventLog {
  private readonly feeds = new Feeds<SubscriptionEvent>();
  private closed = false;

  constructor(
    private readonly file: string,
    private readonly db: Sqlite,
    private readonly commits: Commits,
    private readonly limits: EventLimits,
  ) {}

  async publish(event: EventInput): Promise<number> {
    const data = checkEvent(event);
    const { kind, id } = event;
    this.checkOpen();
    return this.commits.run(() => {
      const now = Date.now();
      const sequence = Number(
        this.db
          .prepare('INSERT INTO events (time_ms, kind, id, data, sum) VALUES (?, ?, ?, ?, ?)')
          .run(now, kind, id, data, eventSum({ time_ms: now, kind, id, data })).lastInsertRowid,
      );
      this.db.prepare('DELETE FROM events WHERE sequence <= ?').run(sequence - this.limits.maxEvents);
      this.db
        .prepare('DELETE FROM events WHERE sequence IN (SELECT sequence FROM events ORDER BY sequence LIMIT ?) AND time_ms < ?')
        .run(EXPIRE_BATCH, now - this.limits.maxAgeMs);
      return sequence;
    });
  }

  async read(query: EventQuery): Promise<StoredEvent[]> {
    checkFilter(query);
    this.checkOpen();
    const { kind, id, before, sinceMs, untilMs, limit } = query;
    const [where, values] = conditions([
      ['kind = ?', kind],
      ['id = ?', id],
      ['sequence < ?', before],
      ['time_ms >= ?', sinceMs],
      ['time_ms < ?', untilMs],
    ]);
    return this.select(`${where} ORDER BY sequence DESC LIMIT ?`, [...values, Math.min(limit, MAX_EVENTS_READ)]);
  }

  subscribe(filter: EventFilter, options: { after?: number } = {}): Subscription {
    checkFilter(filter);
    this.checkOpen();
    let at = options.after ?? this.last();
    return this.feeds.add(() => {
      const items: SubscriptionEvent[] = [];
      const first = this.first();
      if (first > at + 1) items.push({ type: 'lost', before: first });
      const last = this.last();
      const [where, values] = conditions([
        ['kind = ?', filter.kind],
        ['id = ?', filter.id],
        ['sequence > ?', at],
      ]);
      const events = this.select(`${where} ORDER BY sequence LIMIT ?`, [...values, WATCH_BATCH]);
      at = events.length < WATCH_BATCH ? Math.max(last, at) : events[events.length - 1].sequence;
      items.push(...events.map((event) => ({ type: 'event', event }) as const));
      return items;
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    this.feeds.close();
  }

  /** After a commit. */
  committed(undone: boolean): void {
    if (!undone) this.feeds.wake();
  }

  /** The sequence of the newest event ever. */
  private last(): number {
    return (this.number(`SELECT seq FROM sqlite_sequence WHERE name = 'events'`) ?? 0) as number;
  }

  /** The sequence of the oldest event that is still there, or of the next one. */
  private first(): number {
    return this.number('SELECT min(sequence) FROM events') ?? this.last() + 1;
  }

  private number(sql: string): number | null | undefined {
    return onFile(this.file, () => this.db.prepare(sql).pluck().get()) as number | null | undefined;
  }

  private select(rest: string, values: readonly (string | number)[]): StoredEvent[] {
    const rows = onFile(this.file, () => this.db.prepare(`SELECT * FROM events ${rest}`).all(...values)) as Row[];
    for (const row of rows) checkedEvent(this.file, row);
    return Array.from(rows, ({ sequence, time_ms, kind, id, data }) => ({
      sequence,
      timeMs: time_ms,
      kind,
      id,
      data: JSON.parse(data) as unknown,
    }));
  }

  private checkOpen(): void {
    if (this.closed) throw closedError();
  }
}

function conditions(all: readonly [string, string | number | undefined][]): [where: string, values: (string | number)[]] {
  const given = all.filter((one): one is [string, string | number] => one[1] !== undefined);
  return [given.length === 0 ? '' : `WHERE ${given.map(([text]) => text).join(' AND ')}`, given.map(([, value]) => value)];
}
