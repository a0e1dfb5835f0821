/**
 * The services over @godwit/wire: one port for agents and callers, so TLS asks for a client's certificate and takes
 * callers without one too (they log in, or join). Over a unix socket the caller is its owner, an admin.
 */
import {
  type Call as WireCall,
  type Implementations,
  type PeerIdentity,
  serve,
  type ServerSecurity,
  WireError,
  type WireErrorCode,
  type WireServer,
} from '@godwit/wire';
import type { Logger } from 'pino';
import type { Authority } from '../agents/services';
import type { Status } from '../api/errors';
import { Told } from '../api/services';
import type { Transport } from '../controller';
import type { Call, Message, Method, Services } from '../rpc/rpc';

export interface WireTransportOptions {
  /** `HOST:PORT` or `unix:/PATH`; more than one may be served. */
  readonly listeners: readonly { readonly address: string; readonly security: ServerSecurity }[];
  readonly authority: Authority;
  readonly sealJoinToken: (token: string) => string;
  readonly log: Logger;
}

export interface WireTransport extends Transport {
  /** As they can be called, once `listen` is done. */
  readonly addresses: readonly string[];
}

export function wireTransport({ listeners, authority, sealJoinToken, log }: WireTransportOptions): WireTransport {
  const servers: WireServer[] = [];
  return {
    authority,
    sealJoinToken,
    get addresses() {
      return servers.map(({ address }) => address);
    },
    async listen({ agents, api }) {
      const services = implementations({ ...agents, ...api });
      for (const { address, security } of listeners)
        servers.push(
          await serve({
            address,
            security,
            services,
            onRefused: (line) => log.info({ line }, 'a connection came to nothing'),
            onDefect: (error, path) =>
              log.error({ path, error: error instanceof Error ? error.stack : String(error) }, 'an error that should not be'),
          }),
        );
    },
    async close() {
      await Promise.all(servers.splice(0).map((server) => server.close()));
    },
  };
}

const CODES: Readonly<Record<Status, WireErrorCode>> = {
  INVALID_ARGUMENT: 'invalid',
  NOT_FOUND: 'not-found',
  ALREADY_EXISTS: 'exists',
  FAILED_PRECONDITION: 'precondition',
  ABORTED: 'aborted',
  UNAVAILABLE: 'unavailable',
  UNAUTHENTICATED: 'unauthenticated',
  PERMISSION_DENIED: 'denied',
  RESOURCE_EXHAUSTED: 'exhausted',
  UNIMPLEMENTED: 'unsupported',
  INTERNAL: 'internal',
};

/** Methods are listed by role table and by proto/ alike; the wire checks each message against proto/ when it is sent. */
function implementations(services: Services): Implementations {
  const lower = (name: string): string => name[0].toLowerCase() + name.slice(1);
  const entries = Object.entries(services).map(([service, methods]) => [
    service,
    Object.fromEntries(Object.entries(methods).map(([name, method]) => [lower(name), handler(method)])),
  ]);
  return Object.fromEntries(entries) as Implementations;
}

function handler(method: Method): (input: never, call: WireCall) => unknown {
  if ('unary' in method)
    return (request: Message, call) => method.unary(request, callOf(call)).catch((error: unknown) => Promise.reject(wireError(error)));
  if ('stream' in method) return (request: Message, call) => telling(method.stream(request, callOf(call)));
  return (requests: AsyncIterable<Message>, call) => telling(method.bidi(requests, callOf(call)));
}

async function* telling(stream: AsyncIterable<object>): AsyncIterable<object> {
  try {
    yield* stream;
  } catch (error) {
    throw wireError(error);
  }
}

const wireError = (error: unknown): unknown =>
  error instanceof Told ? new WireError(CODES[error.status as Status], error.message, { 'godwit-error-code': error.code }) : error;

const callOf = ({ peer, bearer, address, signal }: WireCall): Call => ({ certificate: certificateOf(peer), bearer, peer: address, signal });

function certificateOf(peer: PeerIdentity): Call['certificate'] {
  if (peer.kind === 'host') return { kind: 'agent', id: peer.hostId, name: peer.hostId, role: '' };
  if (peer.kind === 'operator') return { kind: 'operator', id: peer.name, name: peer.name, role: peer.role };
  if (peer.kind === 'controller') return { kind: 'controller', id: peer.controllerId, name: peer.controllerId, role: '' };
  // Only its owner can open the socket.
  if (peer.kind === 'local') return { kind: 'operator', id: 'local', name: 'local', role: 'admin' };
  return undefined;
}
