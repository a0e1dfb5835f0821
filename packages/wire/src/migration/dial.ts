/** The target's end: calls the source. A connection of its own for each migration. */
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { type Address, formatAddress, isLoopback, parseAddress } from '../address';
import { TLS_OPTIONS } from '../certificates';
import { checkOf, contextOf } from '../client/credentials';
import { diagnose } from '../client/diagnose';
import { codeOfStatus, WireError, type WireErrorCode } from '../errors';
import { identityOf, type PeerIdentity } from '../identity';
import { FLOW_CONTROL_WINDOW, KEEPALIVE_MS, KEEPALIVE_TIMEOUT_MS } from '../limits';
import type { ClientSecurity } from '../security';
import { EXCHANGE_PATH, ID_HEADER, TOKEN_HEADER } from './listener';
import { faultOf, type MigrationTransport, StreamTransport } from './transport';

const DIAL_TIMEOUT_MS = 10_000;

export interface DialOptions {
  /** HOST:PORT of the source. */
  readonly address: string;
  readonly migrationId: string;
  readonly token: string;
  /** Plain: to this host only. */
  readonly security: ClientSecurity;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds from ping to ping, and for its answer; those of limits.ts unless given. */
  readonly keepalive?: { readonly everyMs: number; readonly timeoutMs: number };
}

/** @throws WireError: 'unavailable' with the sentence why; 'not-found', 'denied', 'unauthenticated' as the source says; or the signal's reason */
export async function dialMigration(options: DialOptions): Promise<MigrationTransport> {
  const address = parseAddress(options.address);
  const { security, signal, timeoutMs = DIAL_TIMEOUT_MS } = options;
  if (security.kind === 'plain' && 'host' in address && !isLoopback(address.host))
    throw new WireError(
      'precondition',
      `without TLS a VM moves only within this host, not from ${formatAddress(address)}: give certificates`,
    );
  signal?.throwIfAborted();
  const limit = AbortSignal.timeout(timeoutMs);
  const given = signal ? AbortSignal.any([signal, limit]) : limit;
  const socket = open(address, security);
  try {
    return await exchange(socket, options, formatAddress(address), given);
  } catch (error) {
    socket.destroy();
    if (signal?.aborted) throw signal.reason;
    if (error instanceof WireError && error.remote) throw error;
    const why = await diagnose(address, security);
    if (why === undefined && limit.aborted)
      throw new WireError('unavailable', `the source at ${formatAddress(address)} did not answer within ${timeoutMs / 1000} s`);
    throw new WireError('unavailable', why ?? `the call to the source at ${formatAddress(address)} failed: ${(error as Error).message}`);
  }
}

function open(address: Address, security: ClientSecurity): net.Socket {
  const where = 'path' in address ? { path: address.path } : { host: address.host, port: address.port };
  if (security.kind === 'plain') return net.connect({ ...where, noDelay: true });
  const socket = tls.connect({
    ...where,
    secureContext: contextOf(security)(),
    checkServerIdentity: checkOf(security),
    ALPNProtocols: ['h2'],
    servername: '',
    ...TLS_OPTIONS,
  });
  return socket.setNoDelay(true);
}

function exchange(
  socket: net.Socket,
  { migrationId, token, security, keepalive = { everyMs: KEEPALIVE_MS, timeoutMs: KEEPALIVE_TIMEOUT_MS } }: DialOptions,
  address: string,
  given: AbortSignal,
): Promise<MigrationTransport> {
  return new Promise((resolve, reject) => {
    let lost: string | undefined;
    let trailers: http2.IncomingHttpHeaders | undefined;
    const fail = (error: Error): void => {
      lost ??= faultOf(error);
      reject(error);
    };
    const give = (): void => fail(given.reason as Error);
    given.addEventListener('abort', give, { once: true });
    socket.on('error', fail);
    const session = http2.connect(`http://${address}`, {
      createConnection: () => socket,
      settings: { initialWindowSize: FLOW_CONTROL_WINDOW, enablePush: false },
    });
    session.on('error', fail);
    session.once('close', () => fail(new WireError('unavailable', 'the connection was closed')));
    session.once('connect', () => {
      session.setLocalWindowSize(FLOW_CONTROL_WINDOW);
      const stream = session.request(
        {
          ':method': 'POST',
          ':path': EXCHANGE_PATH,
          ':scheme': security.kind === 'plain' ? 'http' : 'https',
          'content-type': 'application/grpc+proto',
          te: 'trailers',
          [ID_HEADER]: migrationId,
          [TOKEN_HEADER]: token,
        },
        { endStream: false },
      );
      stream.on('error', fail);
      stream.once('trailers', (headers) => (trailers = headers));
      stream.once('response', (headers) => {
        given.removeEventListener('abort', give);
        const refusal = refusalIn(headers, address);
        if (refusal) return reject(refusal);
        const ping = keepAlive(
          session,
          socket,
          keepalive,
          () => (lost ??= `the connection was lost: the other end has not answered for ${keepalive.timeoutMs / 1000} s`),
        );
        resolve(
          new StreamTransport(stream, {
            peer: peerOf(socket),
            address,
            bytesWritten: () => socket.bytesWritten,
            why: () => lost ?? (trailers && refusalIn(trailers, address)?.message),
            destroy: () => {
              clearTimeout(ping());
              // In order: what is left to say (RST_STREAM, GOAWAY) is said.
              session.close();
              setTimeout(() => session.destroy(), 1_000).unref();
            },
          }),
        );
      });
    });
  });
}

/** Undefined: taken. */
function refusalIn(headers: http2.IncomingHttpHeaders, address: string): WireError | undefined {
  const status = headers['grpc-status'];
  if (status === undefined ? headers[':status'] === undefined || Number(headers[':status']) === 200 : Number(status) === 0)
    return undefined;
  if (status === undefined)
    return new WireError(
      'unavailable',
      `${address} does not speak gRPC (HTTP status ${String(headers[':status'])}): is it the port of another program?`,
    );
  const code = headers['godwit-code'];
  let line = String(headers['grpc-message'] ?? '');
  try {
    line = decodeURIComponent(line);
  } catch {
    // As it came.
  }
  return new WireError(
    (typeof code === 'string' ? (code as WireErrorCode) : undefined) ?? codeOfStatus(Number(status)),
    line || `${address} refused the call (gRPC status ${String(status)})`,
    {},
    true,
  );
}

function peerOf(socket: net.Socket): PeerIdentity {
  if (!(socket instanceof tls.TLSSocket)) return socket.remoteAddress === undefined ? { kind: 'local' } : { kind: 'anonymous' };
  const certificate = socket.getPeerX509Certificate();
  return (certificate && identityOf(certificate)) ?? { kind: 'anonymous' };
}

/** Pings; whatever comes in meanwhile counts as an answer: on a slow link the ping's own waits behind much else. */
function keepAlive(
  session: http2.ClientHttp2Session,
  socket: net.Socket,
  { everyMs, timeoutMs }: { everyMs: number; timeoutMs: number },
  onLost: () => void,
): () => NodeJS.Timeout {
  let timer: NodeJS.Timeout;
  const rest = (): void => {
    timer = setTimeout(ask, everyMs).unref();
  };
  const ask = (): void => {
    if (session.destroyed || session.closed) return;
    const before = socket.bytesRead;
    timer = setTimeout(() => {
      if (socket.bytesRead !== before) return rest();
      onLost();
      session.destroy();
      socket.destroy();
    }, timeoutMs).unref();
    session.ping((error) => {
      clearTimeout(timer);
      if (!error) rest();
    });
  };
  rest();
  return () => timer;
}
