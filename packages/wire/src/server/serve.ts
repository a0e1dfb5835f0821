/** A gRPC server of some of Godwit's services, on TCP or a unix socket. */
import { rmSync } from 'node:fs';
import type net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { formatAddress, isLoopback, parseAddress } from '../address';
import { WireError } from '../errors';
import type { Services } from '../generated/services';
import { CLOSE_GRACE_MS, IDLE_MS, KEEPALIVE_MS, KEEPALIVE_TIMEOUT_MS, MAX_CALLS, MAX_MESSAGE_BYTES } from '../limits';
import { serviceInfo } from '../schema/methods';
import type { ServerSecurity } from '../security';
import { type ConnectionLimits, Connections } from './connections';
import { adapt, type HandlerPorts, type Handlers } from './handlers';
import { type Health, healthOf } from './health';
import { interceptStreams, type RawService } from './raw';
import { addReflection } from './reflection';
import { clearStaleSocket, listenPrivately } from './unix-socket';

export type Implementations = { readonly [S in keyof Services]?: Handlers<S> };

/** Those of limits.ts unless given. */
export interface ServeLimits extends ConnectionLimits {
  /** Bytes of one message that is taken. */
  readonly maxMessageBytes?: number;
  readonly keepaliveMs?: number;
  readonly keepaliveTimeoutMs?: number;
}

export interface ServeOptions {
  /** `HOST:PORT` (port 0: any that is free), `[IPv6]:PORT`, `unix:/PATH`. */
  readonly address: string;
  /** Plain over TCP: on the loopback address only. */
  readonly security: ServerSecurity;
  readonly services: Implementations;
  /** Services with streams of their own: MigrationListener. */
  readonly raw?: readonly RawService[];
  /** For logs, one line each: connections that came to nothing. */
  readonly onRefused?: (line: string) => void;
  /** A handler threw something other than a WireError. Default: thrown as a warning of the process. */
  readonly onDefect?: (error: unknown, path: string) => void;
  readonly limits?: ServeLimits;
  /** Default: yes, but not beside raw services: the first question takes the thread half a second. */
  readonly reflection?: boolean;
}

export interface WireServer {
  /** As it can be called: with the port that was found. */
  readonly address: string;
  readonly health: Health;
  /** No new calls; those under way have `graceMs` to end and are then cut. Idempotent. */
  close(graceMs?: number): Promise<void>;
}

/** @throws WireError 'precondition' (cannot listen there), 'exists' (somebody does), 'invalid' (the address) */
export async function serve(options: ServeOptions): Promise<WireServer> {
  const address = parseAddress(options.address);
  if (options.security.kind === 'plain' && 'host' in address && !isLoopback(address.host)) {
    throw new WireError(
      'precondition',
      `without TLS only the loopback address can be served, not ${address.host}: give certificates, or listen on 127.0.0.1`,
    );
  }
  if ('path' in address && options.security.kind === 'tls')
    throw new WireError('invalid', 'a unix socket is served without TLS: only its owner can open it');

  const server = new grpc.Server(serverOptions(options));
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const connections = new Connections(
    options.security,
    (socket) => injector.injectConnection(socket),
    options.onRefused ?? (() => {}),
    options.limits,
  );
  interceptStreams(server, options.raw ?? [], connections);
  const ports: HandlerPorts = {
    connectionOf: (peer) => connections.of(peer),
    refuses: ({ identity }) => connections.refuses(identity),
    onDefect:
      options.onDefect ??
      ((error, path) => process.emitWarning(error instanceof Error ? error : String(error), { code: `GODWIT_WIRE ${path}` })),
  };
  for (const [name, handlers] of Object.entries(options.services)) addService(server, name as keyof Services, handlers as object, ports);
  const names = [...Object.keys(options.services), ...(options.raw ?? []).map(({ name }) => name)];
  const health = healthOf(server, names, ports);
  if (options.reflection ?? !options.raw?.length) addReflection(server, names, ports);

  await listen(connections.server, address);
  let closing: Promise<void> | undefined;
  return {
    address:
      'path' in address
        ? formatAddress(address)
        : formatAddress({ host: address.host, port: (connections.server.address() as net.AddressInfo).port }),
    health,
    close: (graceMs = CLOSE_GRACE_MS) => (closing ??= close(server, connections, address, graceMs)),
  };
}

const serverOptions = ({ limits = {}, raw = [] }: ServeOptions): grpc.ServerOptions => ({
  'grpc.max_receive_message_length': limits.maxMessageBytes ?? MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': -1,
  'grpc.max_concurrent_streams': MAX_CALLS,
  'grpc.keepalive_time_ms': limits.keepaliveMs ?? KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs ?? KEEPALIVE_TIMEOUT_MS,
  // gRPC does not see raw streams, and would think their connection idle.
  ...(raw.length === 0 && { 'grpc.max_connection_idle_ms': IDLE_MS }),
  'grpc.enable_channelz': 0,
});

const identity = (bytes: Buffer): Buffer => bytes;

function addService(server: grpc.Server, name: keyof Services, handlers: object, ports: HandlerPorts): void {
  const definition: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {};
  const implementation: Record<string, grpc.UntypedHandleCall> = {};
  for (const [method, info] of serviceInfo(name)) {
    const { path, requestStream, responseStream } = info;
    const handler = (handlers as Record<string, unknown>)[method];
    if (typeof handler !== 'function') throw new TypeError(`the service ${name} has no method ${method}`);
    // Bytes on this side: adapt() decodes, so that what does not fit is refused in words.
    definition[method] = {
      path,
      requestStream,
      responseStream,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    };
    implementation[method] = adapt(info, handler.bind(handlers), ports);
  }
  server.addService(definition as unknown as grpc.ServiceDefinition, implementation);
}

async function listen(server: net.Server, address: ReturnType<typeof parseAddress>): Promise<void> {
  const where = formatAddress(address);
  try {
    if ('path' in address) {
      await clearStaleSocket(address.path);
      await listenPrivately(server, address.path);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(address.port, address.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    if (error instanceof WireError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new WireError('exists', `another process listens on ${where} already: choose another address`);
    throw new WireError('precondition', `cannot listen on ${where}: ${message}`);
  }
}

async function close(
  server: grpc.Server,
  connections: Connections,
  address: ReturnType<typeof parseAddress>,
  graceMs: number,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => connections.server.close(() => resolve()));
  if ('path' in address) rmSync(address.path, { force: true });
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  server.forceShutdown();
  connections.destroyAll();
  await stopped;
}
