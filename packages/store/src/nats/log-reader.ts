/**
 * Follows a stream's messages in order, from a sequence on, for ever: each once, none left out.
 *
 * The server pushes through a consumer without acknowledgements. Its own count of deliveries shows
 * a lost message, its heartbeats a silent death; in both cases the reader makes a new consumer behind
 * the last message it has seen. Consumers live in one server's memory: they may go at any time.
 *
 * Sequences that are not delivered are of messages that are gone. A consumer that lives may also leave out one that
 * is there (seen with server 2.9.10, when a purge comes at the same moment), so a gap is believed only of
 * what was stored before the consumer was made: at any later one, a new consumer looks again.
 */
import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  type JetStreamManager,
  type Msg,
  type MsgHdrs,
  nanos,
  ReplayPolicy,
  type Subscription,
} from 'nats';
import { READER_HEARTBEAT_MS, READER_SILENCE_MS, REQUEST_TIMEOUT_MS } from '../limits';
import type { Connection } from './connection';

export interface LogMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly timeMs: number;
  readonly headers: MsgHdrs | undefined;
  readonly data: Uint8Array;
  /** Messages of the filter behind this one, when it was sent. */
  readonly pending: number;
}

export interface LogReaderOptions {
  readonly stream: string;
  /** Only subjects like this. */
  readonly filter?: string;
  /** Sequence of the first message wanted. */
  readonly start: number;
  /** In order of sequences. */
  readonly onMessage: (message: LogMessage) => void;
  /** A consumer is there; how many messages wait for it. */
  readonly onStart?: (pending: number) => void;
}

export class LogReader {
  private next: number;
  private deliveries = 0;
  /** Deliveries up to this one were stored before the consumer was made. */
  private backlog = Number.POSITIVE_INFINITY;
  private lastHeard = performance.now();
  private subscription: Subscription | undefined;
  private closed = false;
  private starting = false;
  private pause = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly forgetReconnects: () => void;

  constructor(
    private readonly connection: Connection,
    private readonly jsm: JetStreamManager,
    private readonly options: LogReaderOptions,
  ) {
    this.next = options.start;
    this.forgetReconnects = connection.onReconnect(() => this.restart());
    this.timer = setInterval(() => this.watchSilence(), READER_HEARTBEAT_MS);
    this.timer.unref();
    void this.start();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.timer);
    this.forgetReconnects();
    this.subscription?.unsubscribe();
  }

  private watchSilence(): void {
    if (!this.starting && performance.now() - this.lastHeard > READER_SILENCE_MS) this.restart();
  }

  private restart(): void {
    if (this.closed || this.starting) return;
    this.subscription?.unsubscribe();
    this.subscription = undefined;
    void this.start();
  }

  private async start(): Promise<void> {
    this.starting = true;
    while (!this.closed) {
      if (this.connection.nats.isClosed()) return this.close();
      const subscription = this.subscribe();
      this.deliveries = 0;
      this.backlog = Number.POSITIVE_INFINITY;
      try {
        const info = await this.jsm.consumers.add(this.options.stream, {
          deliver_subject: subscription.getSubject(),
          ack_policy: AckPolicy.None,
          deliver_policy: DeliverPolicy.StartSequence,
          opt_start_seq: Math.max(1, this.next),
          replay_policy: ReplayPolicy.Instant,
          max_deliver: 1,
          flow_control: true,
          idle_heartbeat: nanos(READER_HEARTBEAT_MS),
          mem_storage: true,
          num_replicas: 1,
          ...(this.options.filter !== undefined && { filter_subject: this.options.filter }),
        });
        this.pause = 0;
        this.lastHeard = performance.now();
        this.starting = false;
        this.backlog = info.num_pending + info.delivered.consumer_seq;
        if (!this.closed) this.options.onStart?.(this.backlog);
        return;
      } catch {
        // No leader yet, no connection, or no stream: later, then.
        subscription.unsubscribe();
        this.pause = Math.min(REQUEST_TIMEOUT_MS / 2, Math.max(50, this.pause * 2));
        await new Promise((resolve) => setTimeout(resolve, this.pause).unref());
      }
    }
  }

  private subscribe(): Subscription {
    const { nats } = this.connection;
    const subscription: Subscription = nats.subscribe(createInbox(), {
      callback: (error, message) => {
        if (!error && subscription === this.subscription) this.hear(message);
      },
    });
    this.subscription = subscription;
    return subscription;
  }

  private hear(message: Msg): void {
    this.lastHeard = performance.now();
    if (message.headers?.code === 100) return this.hearControl(message);
    const place = placeOf(message.reply ?? '');
    if (place?.delivery !== ++this.deliveries) return this.restart();
    // A server that lags behind starts a consumer further back than it was told.
    if (place.sequence < this.next) return;
    if (place.sequence > this.next && this.deliveries > this.backlog && this.options.filter === undefined) return this.restart();
    this.next = place.sequence + 1;
    const { subject, headers, data } = message;
    this.options.onMessage({ subject, headers, data, ...place });
  }

  private hearControl(message: Msg): void {
    const stalled = message.headers?.get('Nats-Consumer-Stalled');
    if (message.reply) message.respond();
    else if (stalled) this.connection.nats.publish(stalled);
    const last = message.headers?.get('Nats-Last-Consumer');
    if (last && Number(last) !== this.deliveries) this.restart();
  }
}

type Place = Pick<LogMessage, 'sequence' | 'timeMs' | 'pending'> & { readonly delivery: number };

/** $JS.ACK.[domain.account.]stream.consumer.tries.sequence.delivery.time.pending[.…] */
function placeOf(reply: string): Place | undefined {
  const tokens = reply.split('.');
  if (tokens[1] !== 'ACK' || tokens.length < 9) return undefined;
  const [sequence, delivery, stamp, pending] = tokens.slice(tokens.length > 9 ? 7 : 5);
  return { sequence: Number(sequence), delivery: Number(delivery), timeMs: Math.floor(Number(stamp) / 1e6), pending: Number(pending) };
}
