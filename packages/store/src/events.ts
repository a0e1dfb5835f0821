/**
 * What happened, for people: a bounded log of events, published by controllers and read by
 * dashboards and `godwit events`. Not for decisions; state belongs in the Store.
 *
 * Promises: an acknowledged event is stored once and in one order (`sequence` grows); the oldest go
 * first when there are too many or they are too old; a subscriber sees every event that is
 * still there, in order, and is told when some went before it could see them.
 */
export interface EventInput {
  /** What sort: 'vm', 'host', 'migration'; one key segment. */
  readonly kind: string;
  /** Whom it concerns; one key segment. */
  readonly id: string;
  /** Anything that JSON can hold. */
  readonly data: unknown;
}

export interface StoredEvent extends EventInput {
  readonly sequence: number;
  /** ms since 1970. */
  readonly timeMs: number;
}

/** Left out: any. */
export interface EventFilter {
  readonly kind?: string;
  readonly id?: string;
}

export interface EventQuery extends EventFilter {
  /** Only events with a lower sequence: the last one of the page before. */
  readonly before?: number;
  /** Only events of this time or later, ms since 1970. */
  readonly sinceMs?: number;
  /** Only events before this time. */
  readonly untilMs?: number;
  /** At most MAX_EVENTS_READ. */
  readonly limit: number;
}

export type SubscriptionEvent =
  | { readonly type: 'event'; readonly event: StoredEvent }
  /** Events after the last one seen and before this sequence may have gone before they could be shown. */
  | { readonly type: 'lost'; readonly before: number };

export interface Subscription extends AsyncIterable<SubscriptionEvent> {
  close(): void;
}

export interface EventLog {
  /** Returns its sequence. @throws StoreError 'unavailable', 'full', 'too-large' */
  publish(event: EventInput): Promise<number>;
  /** Newest first. */
  read(query: EventQuery): Promise<StoredEvent[]>;
  /** Events after that sequence, or from now on; survives reconnection. */
  subscribe(filter: EventFilter, options?: { after?: number }): Subscription;
  close(): Promise<void>;
}
