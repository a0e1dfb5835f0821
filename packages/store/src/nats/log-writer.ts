/**
 * Writes to the log, each on the condition that nothing came after the message that the view has read last. So what the
 * view shows while the write is decided is what stands when it lands, for all keys together.
 *
 *     decide on the view at V ─► publish "after V" ─┬─ acknowledged at V+1: done
 *           ▲                                        ├─ acknowledged further on: it does not count ─► read on, decide anew
 *           │                                        └─ no answer: a barrier ends the wait, V+1 is decided
 *           │                                                 ├─ V+1 is this write: done
 *           └─────────────────────────────────────────────────┴─ V+1 is another: wherever it lands, it does not count
 *
 * The condition is not the server's to check, though it could (`Nats-Expected-Last-Sequence`): each write that a cluster
 * refuses so makes its replicas' counts drift apart when servers fail, until they hold different logs (seen with
 * 2.9.10 and 2.10.27); and the check by subject lets two pass at once before 2.9.21. Plain messages are what
 * servers replicate best; who counts is for every reader to see (leader-log.ts, `counts`).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { headers, type JetStreamClient } from 'nats';
import { refusal, type Write } from '../conditions';
import type { StoreError } from '../errors';
import { REQUEST_TIMEOUT_MS, RETRY_PAUSE_MS } from '../limits';
import type { Revision, WriteOptions } from '../store';
import { Turns } from '../turns';
import type { Connection } from './connection';
import type { Follower } from './follower';
import { AFTER, type LogEntry, OPERATION, WRITE_ID } from './leader-log';
import { awayError, finalError } from './nats-errors';
import { BARRIER, type View } from './view';

/** One write on its way through the retries. */
interface Attempt {
  readonly doing: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly isDeletion: boolean;
  readonly until: number;
  refusal(): StoreError | undefined;
  /** Set while a copy without an answer may be under way. */
  unanswered: { readonly id: string; readonly after: Revision; readonly view: View } | undefined;
  /** The view was brought up to date since the write began. */
  fresh: boolean;
  tries: number;
  lastError: unknown;
}

export class LogWriter {
  /** The ids of this process's writes begin so. */
  readonly client = crypto.randomUUID();
  private serial = 0;
  private readonly turns = new Turns();

  constructor(
    private readonly connection: Connection,
    private readonly js: JetStreamClient,
    private readonly prefix: string,
    private readonly follower: () => Follower,
  ) {}

  /** One after the other: writes of one process would only get into each other's way. */
  write(write: Write): Promise<Revision> {
    const { key, value } = write;
    const doing = value ? `storing ${key}` : `deleting ${key}`;
    return this.append(
      doing,
      key,
      value ?? new Uint8Array(),
      value === undefined,
      () => refusal(write, this.follower().view),
      write.options,
    );
  }

  append(
    doing: string,
    key: string,
    data: Uint8Array,
    isDeletion: boolean,
    refused: () => StoreError | undefined,
    { urgent = false, timeoutMs = this.connection.operationTimeoutMs }: WriteOptions = {},
  ): Promise<Revision> {
    const attempt: Attempt = {
      ...{ doing, data, isDeletion, subject: this.prefix + key, refusal: refused, until: performance.now() + timeoutMs },
      ...{ unanswered: undefined, fresh: false, tries: 0, lastError: undefined },
    };
    return this.turns.take(() => this.settle(attempt), urgent);
  }

  /** Takes its turn among the writes of this process. */
  between<T>(act: () => Promise<T>): Promise<T> {
    return this.turns.take(act, false);
  }

  /** A message that stands for nothing but its place: what comes before it was the log at some moment since the call. */
  async barrier(until: number): Promise<LogEntry> {
    let last: unknown;
    while (await this.connection.up(until)) {
      try {
        return await this.publish(
          { subject: this.prefix + BARRIER, data: new Uint8Array(), isDeletion: false, until },
          this.nextId(),
          undefined,
        );
      } catch (error) {
        const final = finalError(error, this.connection.servers);
        if (final) throw final;
        last = error;
      }
      if (performance.now() >= until) break;
      await sleep(RETRY_PAUSE_MS);
    }
    throw awayError(this.connection.servers, 'reading', last);
  }

  private async settle(attempt: Attempt): Promise<Revision> {
    do {
      const place = await this.attempt(attempt);
      if (place !== undefined) return place;
      attempt.tries++;
    } while (performance.now() < attempt.until);
    throw this.away(attempt);
  }

  /** Its place in the log; undefined: not yet. */
  private async attempt(attempt: Attempt): Promise<Revision | undefined> {
    if (!(await this.connection.up(attempt.until))) throw this.away(attempt);
    const follower = this.follower();
    const { view } = follower;
    if (attempt.unanswered) return this.lookUp(attempt);
    if (!view.isConsistent) {
      await this.refresh(attempt);
      return undefined;
    }
    const refused = attempt.refusal();
    if (refused) {
      // The view may be behind. What is refused on a view from after the call is refused.
      if (attempt.fresh) throw refused;
      await this.refresh(attempt);
      return undefined;
    }
    const [id, after] = [this.nextId(), view.revision];
    try {
      const entry = await this.publish(attempt, id, after);
      follower.own(entry);
      const counts = entry.sequence === after + 1;
      const isRead = await follower
        .reach(entry.sequence, counts ? performance.now() + REQUEST_TIMEOUT_MS : attempt.until)
        .catch(() => false);
      if (counts) return entry.sequence;
      if (!isRead) await this.refresh(attempt);
      await sleep(Math.random() * RETRY_PAUSE_MS * Math.min(1, attempt.tries / 10));
    } catch (error) {
      attempt.lastError = error;
      const final = finalError(error, this.connection.servers);
      if (final) throw final;
      attempt.unanswered = { id, after, view };
    }
    return undefined;
  }

  /** Brings the log on behind a write without an answer, and sees whether the message after V is that write. */
  private async lookUp(attempt: Attempt): Promise<Revision | undefined> {
    const { id, after, view } = attempt.unanswered!;
    await this.refresh(attempt);
    const writer = view === this.follower().view ? view.writerOf(after + 1) : undefined;
    if (writer === id) return after + 1;
    if (writer === undefined) throw this.away(attempt);
    attempt.unanswered = undefined;
    return undefined;
  }

  private async refresh(attempt: Attempt): Promise<void> {
    try {
      await this.follower().sync(attempt.until);
      attempt.fresh = true;
    } catch (error) {
      throw attempt.unanswered ? this.away(attempt) : error;
    }
  }

  private async publish(
    { subject, data, isDeletion, until }: Pick<Attempt, 'subject' | 'data' | 'isDeletion' | 'until'>,
    id: string,
    after: Revision | undefined,
  ): Promise<LogEntry> {
    const message = headers();
    message.set(WRITE_ID, id);
    if (after !== undefined) message.set(AFTER, String(after));
    if (isDeletion) message.set(OPERATION, 'DEL');
    const timeout = Math.max(1, Math.min(REQUEST_TIMEOUT_MS, until - performance.now()));
    try {
      const { seq } = await this.js.publish(subject, data, { headers: message, timeout });
      this.connection.worked();
      return { subject, sequence: seq, timeMs: Date.now(), id, after, isDeletion, data };
    } catch (error) {
      this.connection.failed();
      throw error;
    }
  }

  private nextId(): string {
    return `${this.client}.${++this.serial}`;
  }

  private away(attempt: Attempt): StoreError {
    return awayError(this.connection.servers, attempt.doing, attempt.lastError, attempt.unanswered !== undefined);
  }
}
