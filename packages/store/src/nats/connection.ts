/** The connection to NATS: several servers, TLS, credentials; it is kept up for ever, whatever happens to single servers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConnectionOptions, connect, credsAuthenticator, Events, type NatsConnection, nkeyAuthenticator } from 'nats';
import { CHANGE_SERVER_MS, type DeletionLimits, OPERATION_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from '../limits';
import { awayError, finalError } from './nats-errors';

export interface NatsOptions {
  /** `host:port` or `nats://` or `tls://`; several of one cluster. */
  readonly servers: readonly string[];
  /** Of the KV bucket, and the first token of the events' subjects; letters, digits, '-' and '_'. */
  readonly name?: string;
  /** Servers that hold a copy: 1, 3 or 5. With 3, one may fail. */
  readonly replicas?: 1 | 3 | 5;
  /** PEM texts, not file names. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly credentials?:
    | { readonly user: string; readonly password: string }
    | { readonly token: string }
    /** Text of a `.creds` file. */
    | { readonly creds: string }
    | { readonly nkeySeed: string };
  readonly maxBytes?: number;
  readonly maxEvents?: number;
  readonly maxEventAgeMs?: number;
  readonly deletions?: DeletionLimits;
  readonly operationTimeoutMs?: number;
  /** Something is wrong that nobody waits for: one line, for the log. */
  readonly onProblem?: (text: string) => void;
}

/** Notices a server that hangs after two of these (ms), and goes to the next. */
const PING_MS = 2_000;

export class Connection {
  readonly servers: string;
  readonly operationTimeoutMs: number;
  private connected = true;
  private failingSince: number | undefined;
  private readonly waiting = new Set<() => void>();
  private readonly listeners = new Set<() => void>();
  private readonly closers = new Set<() => void>();

  private constructor(
    readonly nats: NatsConnection,
    options: NatsOptions,
  ) {
    this.servers = options.servers.join(', ');
    this.operationTimeoutMs = options.operationTimeoutMs ?? OPERATION_TIMEOUT_MS;
    void this.followStatus();
  }

  /** @throws StoreError 'unavailable' */
  static async open(options: NatsOptions): Promise<Connection> {
    const servers = options.servers.join(', ');
    const until = performance.now() + (options.operationTimeoutMs ?? OPERATION_TIMEOUT_MS);
    for (;;) {
      try {
        return new Connection(await connect(toNats(options)), options);
      } catch (error) {
        const final = finalError(error, servers);
        if (final) throw final;
        if (performance.now() > until) throw awayError(servers, 'connecting', error);
        await sleep(200);
      }
    }
  }

  get isUp(): boolean {
    return this.connected && !this.nats.isClosed();
  }

  /** Waits until a server is connected, or that time (performance.now) has come. */
  async up(until: number): Promise<boolean> {
    const left = until - performance.now();
    if (this.isUp || left <= 0 || this.nats.isClosed()) return this.isUp;
    let wake!: () => void;
    const timer = new AbortController();
    const woken = new Promise<void>((resolve) => this.waiting.add((wake = resolve)));
    await Promise.race([woken, sleep(left, undefined, { signal: timer.signal }).catch(() => undefined)]);
    this.waiting.delete(wake);
    timer.abort();
    return this.isUp;
  }

  /** Called after each reconnection. Returns how to end that. */
  onReconnect(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Called when the connection is closed for good. Returns how to end that. */
  onClose(listener: () => void): () => void {
    this.closers.add(listener);
    return () => this.closers.delete(listener);
  }

  /** Something was answered. */
  worked(): void {
    this.failingSince = undefined;
  }

  /** Something was not answered. A connected server that stays useless is left for the next. */
  failed(): void {
    const now = performance.now();
    this.failingSince ??= now;
    if (now - this.failingSince < CHANGE_SERVER_MS || !this.isUp) return;
    this.failingSince = now;
    void this.nats.reconnect();
  }

  async close(): Promise<void> {
    this.connected = false;
    for (const listener of this.closers) listener();
    for (const wake of this.waiting) wake();
    await this.nats.close();
  }

  private async followStatus(): Promise<void> {
    for await (const { type } of this.nats.status()) {
      if (type === Events.Disconnect) this.connected = false;
      if (type !== Events.Reconnect) continue;
      this.connected = true;
      for (const wake of this.waiting) wake();
      for (const listener of this.listeners) listener();
    }
  }
}

function toNats({ servers, tls, credentials, name = 'godwit' }: NatsOptions): ConnectionOptions {
  const auth: ConnectionOptions = {};
  const text = new TextEncoder();
  if (credentials && 'user' in credentials) Object.assign(auth, { user: credentials.user, pass: credentials.password });
  else if (credentials && 'token' in credentials) auth.token = credentials.token;
  else if (credentials && 'creds' in credentials) auth.authenticator = credsAuthenticator(text.encode(credentials.creds));
  else if (credentials) auth.authenticator = nkeyAuthenticator(text.encode(credentials.nkeySeed));
  return {
    ...auth,
    ...(tls && { tls: { ...tls } }),
    name: `godwit ${name}`,
    servers: [...servers],
    timeout: REQUEST_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: PING_MS,
    maxPingOut: 2,
  };
}
