/** A stretch of a stream, read once. */
import type { JetStreamManager } from 'nats';
import { closedError } from '../errors';
import type { Connection } from './connection';
import { type LogMessage, LogReader } from './log-reader';
import { awayError } from './nats-errors';

export interface Range {
  readonly stream: string;
  readonly filter: string;
  /** First sequence. */
  readonly start: number;
  /** First sequence that is no longer wanted; left out: to what was there when it was asked for. */
  readonly end?: number;
  /** Messages, at most. */
  readonly limit?: number;
  /** performance.now, at most. */
  readonly until: number;
}

/** In order of sequences. @throws StoreError 'unavailable' */
export function readMessages(connection: Connection, jsm: JetStreamManager, range: Range): Promise<LogMessage[]> {
  const { stream, filter, start, end = Number.POSITIVE_INFINITY, limit = Number.POSITIVE_INFINITY, until } = range;
  const messages: LogMessage[] = [];
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      forget();
      reader.close();
      if (error) reject(error);
      else resolve(messages);
    };
    const timer = setTimeout(() => finish(awayError(connection.servers, 'reading', undefined)), Math.max(0, until - performance.now()));
    const forget = connection.onClose(() => finish(closedError()));
    const reader = new LogReader(connection, jsm, {
      ...{ stream, filter, start },
      onStart: (pending) => {
        if (pending === 0) finish();
      },
      onMessage: (message) => {
        if (message.sequence < end) messages.push(message);
        if (message.sequence >= end - 1 || message.pending === 0 || messages.length >= limit) finish();
      },
    });
  });
}
