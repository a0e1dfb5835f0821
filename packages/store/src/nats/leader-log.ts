/**
 * The log as the server that leads its stream holds it, message by message.
 *
 * No consumer is used: a consumer may live on another replica, which can lag behind or, after a failure, show messages
 * that the others never had (seen with server 2.9.10), and one that lives while a subject is purged leaves out
 * messages. What a leader that was deposed still answers is at most the log's past, and readers go by the
 * place of a message that they know to be in it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JetStreamManager, StoredMsg } from 'nats';
import { RETRY_PAUSE_MS } from '../limits';
import type { Revision } from '../store';
import type { Connection } from './connection';
import { awayError, finalError, isMessageMissing } from './nats-errors';

/** Every message names the last one that its writer knew, and its writer. */
export const AFTER = 'Godwit-After';
export const WRITE_ID = 'Godwit-Write';
/** The layout of a NATS KV bucket: a deletion is a message with this header. */
export const OPERATION = 'KV-Operation';

export interface LogEntry {
  readonly subject: string;
  readonly sequence: Revision;
  readonly timeMs: number;
  /** Unique for each attempt at writing; '': written by another program. */
  readonly id: string;
  /** It counts only if it stands right behind that one; undefined: it counts anyway. */
  readonly after: Revision | undefined;
  readonly isDeletion: boolean;
  readonly data: Uint8Array;
}

/**
 * Since sequences are given without gaps, a write landed on the state that it was decided on if and only if it
 * stands right behind the message it names. Every reader judges alike, whatever a server thinks.
 */
export const counts = ({ after, sequence }: LogEntry): boolean => after === undefined || after === sequence - 1;

export class LeaderLog {
  constructor(
    private readonly connection: Connection,
    private readonly jsm: JetStreamManager,
    private readonly stream: string,
  ) {}

  /** The first message from there on, past those that are gone; undefined: the log ends before. */
  next(subject: string, sequence: Revision, until: number): Promise<LogEntry | undefined> {
    return this.message({ seq: sequence, next_by_subj: subject }, until);
  }

  last(subject: string, until: number): Promise<LogEntry | undefined> {
    return this.message({ last_by_subj: subject }, until);
  }

  /** Messages of one subject, oldest first, below `end`. */
  async all(subject: string, until: number, end = Number.POSITIVE_INFINITY): Promise<LogEntry[]> {
    const found: LogEntry[] = [];
    for (let at = 1; ; ) {
      const entry = await this.next(subject, at, until);
      if (!entry || entry.sequence >= end) return found;
      found.push(entry);
      at = entry.sequence + 1;
    }
  }

  /** How many messages each subject has. */
  subjects(filter: string, until: number): Promise<Map<string, number>> {
    return this.ask(until, async () => {
      const { state } = await this.jsm.streams.info(this.stream, { subjects_filter: filter });
      return new Map(Object.entries(state.subjects ?? {}));
    });
  }

  /** Removes the subject's messages before that sequence. */
  async purge(subject: string, below: Revision): Promise<void> {
    await this.jsm.streams.purge(this.stream, { filter: subject, seq: below });
  }

  private message(query: { last_by_subj: string } | { seq: number; next_by_subj: string }, until: number): Promise<LogEntry | undefined> {
    return this.ask(until, async () => {
      try {
        // The client's types know two kinds of query, the server three.
        return toEntry(await this.jsm.streams.getMessage(this.stream, query as { last_by_subj: string }));
      } catch (error) {
        if (isMessageMissing(error)) return undefined;
        throw error;
      }
    });
  }

  /** Again and again, until the stream has a leader that answers. @throws StoreError */
  private async ask<T>(until: number, act: () => Promise<T>): Promise<T> {
    let last: unknown;
    while (await this.connection.up(until)) {
      try {
        const answer = await act();
        this.connection.worked();
        return answer;
      } catch (error) {
        this.connection.failed();
        const final = finalError(error, this.connection.servers);
        if (final) throw final;
        last = error;
      }
      if (performance.now() >= until) break;
      await sleep(RETRY_PAUSE_MS);
    }
    throw awayError(this.connection.servers, 'reading', last);
  }
}

function toEntry({ subject, seq, header, data, time }: StoredMsg): LogEntry {
  const after = header?.get(AFTER);
  return {
    ...{ subject, sequence: seq, data, timeMs: time.getTime(), id: header?.get(WRITE_ID) ?? '' },
    after: after ? Number(after) : undefined,
    isDeletion: ['DEL', 'PURGE'].includes(header?.get(OPERATION) ?? ''),
  };
}
