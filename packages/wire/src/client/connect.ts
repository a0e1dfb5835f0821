/** A connection to one server of Godwit, and typed clients of its services. */
import * as grpc from '@grpc/grpc-js';
import { type Address, formatAddress, isLoopback, parseAddress, targetOf } from '../address';
import { codeOfStatus, oneLine, thrownBy, WireError } from '../errors';
import type { Services } from '../generated/services';
import {
  FLOW_CONTROL_WINDOW,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_MESSAGE_BYTES,
  RECONNECT_FIRST_MS,
  RECONNECT_LAST_MS,
} from '../limits';
import { serviceInfo } from '../schema/methods';
import type { ClientSecurity } from '../security';
import { caller, type CallPorts, type ServiceClient } from './calls';
import { clientCredentials } from './credentials';
import { diagnose } from './diagnose';

export interface ConnectOptions {
  /** `HOST:PORT`, `[IPv6]:PORT`, `unix:/PATH`. */
  readonly address: string;
  /** Plain over TCP: to the loopback address only. */
  readonly security: ClientSecurity;
  /** Sent as `authorization: Bearer …` with each call; a function is asked at each. Over TLS or a unix socket only. */
  readonly bearer?: string | (() => string);
  readonly maxMessageBytes?: number;
}

export interface Wire {
  readonly address: string;
  /** Typed methods of one service. No connection is made before the first call; a lost one is made again by itself. */
  client<S extends keyof Services>(service: S): ServiceClient<S>;
  /** Settles once there is a connection. @throws WireError with the sentence why not, or the signal's reason */
  ready(options?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>;
  /** Calls under way end as `cancelled`. Idempotent. */
  close(): void;
}

const READY_MS = 10_000;

/** @throws WireError 'invalid' (the address), 'precondition' (plain to another host) */
export function connect(options: ConnectOptions): Wire {
  const address = parseAddress(options.address);
  const client = openChannel(address, options.security, {
    'grpc.max_receive_message_length': options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
  });
  const { bearer } = options;
  const ports: CallPorts = {
    client,
    metadata: (): Record<string, string> => {
      const token = typeof bearer === 'function' ? bearer() : bearer;
      return token ? { authorization: `Bearer ${token}` } : {};
    },
    explain: (error) => explain(error, client, address, options.security),
  };
  const clients = new Map<string, object>();
  return {
    address: formatAddress(address),
    client: <S extends keyof Services>(service: S): ServiceClient<S> => {
      let made = clients.get(service);
      if (!made)
        clients.set(service, (made = Object.fromEntries([...serviceInfo(service)].map(([name, info]) => [name, caller(info, ports)]))));
      return made as ServiceClient<S>;
    },
    ready: ({ timeoutMs = READY_MS, signal } = {}) => ready(client, address, options.security, timeoutMs, signal),
    close: () => client.close(),
  };
}

/** A channel of its own, not shared with other clients of the process. @throws WireError */
export function openChannel(address: Address, security: ClientSecurity, more: grpc.ChannelOptions = {}): grpc.Client {
  if (security.kind === 'plain' && 'host' in address && !isLoopback(address.host)) {
    throw new WireError('precondition', `without TLS only this host can be called, not ${formatAddress(address)}: give certificates`);
  }
  return new grpc.Client(targetOf(address), clientCredentials(security), {
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_FIRST_MS,
    'grpc.max_reconnect_backoff_ms': RECONNECT_LAST_MS,
    'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW,
    // No name of a server is looked at (client/credentials.ts); without this, an IP address would be sent as one.
    'grpc.ssl_target_name_override': 'godwit',
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_send_message_length': -1,
    ...more,
  });
}

export async function ready(
  client: grpc.Client,
  address: Address,
  security: ClientSecurity,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  const until = Date.now() + timeoutMs;
  const channel = client.getChannel();
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === grpc.connectivityState.READY) return;
    if (state === grpc.connectivityState.SHUTDOWN)
      throw new WireError('cancelled', `the connection to ${formatAddress(address)} was closed`);
    // Known to have failed: it is told at once, not after the whole time.
    if (state === grpc.connectivityState.TRANSIENT_FAILURE) {
      const why = await diagnose(address, security);
      if (why !== undefined) throw new WireError('unavailable', why);
    }
    if (Date.now() >= until)
      throw new WireError(
        'unavailable',
        (await diagnose(address, security)) ?? `${formatAddress(address)} took longer than ${timeoutMs / 1000} s to connect: try again`,
      );
    await change(channel, state, until, signal);
    signal?.throwIfAborted();
  }
}

const change = (
  channel: ReturnType<grpc.Client['getChannel']>,
  state: grpc.connectivityState,
  until: number,
  signal: AbortSignal | undefined,
): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      signal?.removeEventListener('abort', done);
      resolve();
    };
    signal?.addEventListener('abort', done, { once: true });
    channel.watchConnectivityState(state, until, done);
  });

/** What gRPC reports, as one of our errors. */
export async function explain(
  error: grpc.ServiceError,
  client: grpc.Client,
  address: Address,
  security: ClientSecurity,
): Promise<WireError> {
  const thrown = thrownBy(error);
  if (thrown) return thrown;
  const where = formatAddress(address);
  const code = codeOfStatus(error.code);
  const details = oneLine(error.details || error.message);
  if (code === 'unavailable' || code === 'deadline') {
    const state = client.getChannel().getConnectivityState(false);
    const connected = state === grpc.connectivityState.READY;
    if (code === 'deadline' && connected)
      return new WireError('deadline', `${where} did not answer in time: whether it did what was asked is not known`);
    if (/^(Connection dropped|read ECONNRESET)/.test(details))
      return new WireError('unavailable', `the connection to ${where} was lost: whether it did what was asked is not known`);
    const why = await diagnose(address, security);
    if (why !== undefined) return new WireError('unavailable', why);
    return code === 'deadline'
      ? new WireError('deadline', `${where} did not answer in time`)
      : new WireError('unavailable', `${where} could not be reached but answers now: try again`);
  }
  if (code === 'unsupported')
    return new WireError(code, `${where} does not know this method: is it an older version, or another program? (${details})`);
  if (code === 'exhausted') return new WireError(code, `a message to or from ${where} is too long: ${details}`);
  if (code === 'cancelled') return new WireError(code, `the call to ${where} was cancelled`);
  return new WireError(code, `the call to ${where} failed: ${details}`);
}
