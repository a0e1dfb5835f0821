/** The source's end: the server of Migration.Exchange, where only calls that are expected are taken. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type http2 from 'node:http2';
import { constants } from 'node:http2';
import { toStatus, WireError } from '../errors';
import { describeIdentity, hostOf } from '../identity';
import { CALL_TIMEOUT_MS } from '../limits';
import { PACKAGE } from '../schema/schema';
import type { Connection } from '../server/connections';
import type { RawService, RawPorts } from '../server/raw';
import { type MigrationTransport, StreamTransport } from './transport';

export const EXCHANGE_PATH = `/${PACKAGE}.Migration/Exchange`;
export const ID_HEADER = 'godwit-migration';
export const TOKEN_HEADER = 'godwit-token';
const CONTENT = { ':status': 200, 'content-type': 'application/grpc+proto' } as const;
/** Ids kept of calls that were taken, so that a second one is told why it is refused. */
const MAX_TAKEN = 256;

export interface ExpectedCall {
  readonly migrationId: string;
  /** As the target gave it. */
  readonly token: string;
  /** Over TLS: the host that must call. Undefined: any of the cluster with the token. */
  readonly hostId?: string;
  /** Milliseconds; default CALL_TIMEOUT_MS. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly digest: Buffer;
  readonly hostId: string | undefined;
  take(transport: MigrationTransport): void;
}

export class MigrationListener implements RawService {
  readonly name = 'Migration';
  readonly path = EXCHANGE_PATH;
  private readonly waiting = new Map<string, Waiting>();
  private readonly taken = new Set<string>();

  /** @param options.lingerMs how long a closed transport waits while nothing moves; default TRANSPORT_LINGER_MS */
  constructor(private readonly options: { readonly lingerMs?: number } = {}) {}

  /**
   * The call of one migration's target. A call that does not fit is refused and changes nothing. @throws
   * WireError 'unavailable' when none came in time, 'exists' when it is expected already; or the signal's reason
   */
  expect({ migrationId, token, hostId, timeoutMs = CALL_TIMEOUT_MS, signal }: ExpectedCall): Promise<MigrationTransport> {
    if (token.length < 16) throw new RangeError('a migration needs a token of at least 16 characters');
    if (this.waiting.has(migrationId))
      return Promise.reject(new WireError('exists', `the call of migration ${migrationId} is waited for already`));
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', give);
        this.waiting.delete(migrationId);
        settle();
      };
      const give = (): void => done(() => reject(signal!.reason));
      const timer = setTimeout(
        () =>
          done(() =>
            reject(new WireError('unavailable', `the target host did not call within ${timeoutMs / 1000} s: can it reach this host?`)),
          ),
        timeoutMs,
      );
      this.waiting.set(migrationId, { digest: digestOf(token), hostId, take: (transport) => done(() => resolve(transport)) });
      if (signal?.aborted) give();
      else signal?.addEventListener('abort', give, { once: true });
    });
  }

  /** For `serve`: one HTTP/2 stream that asks for Exchange. */
  serve(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders, connection: Connection, ports: RawPorts): void {
    try {
      const waiting = this.admit(headers, connection, ports);
      let isLost = false;
      stream.once('error', () => (isLost = true));
      stream.respond(CONTENT, { waitForTrailers: true });
      stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      const transport = new StreamTransport(stream, {
        peer: connection.identity,
        address: connection.address,
        bytesWritten: () => connection.bytesWritten(),
        why: () => undefined,
        lingerMs: this.options.lingerMs,
        destroy: () => {
          // The target makes a connection for each migration. One that ended in order is closed by it.
          if (isLost || stream.rstCode !== constants.NGHTTP2_NO_ERROR) connection.destroy();
        },
      });
      waiting.take(transport);
    } catch (error) {
      const { code, details, metadata } = toStatus(error);
      stream.on('error', () => {});
      stream.resume();
      stream.respond(
        { ...CONTENT, 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details), ...metadata.toHttp2Headers() },
        { endStream: true },
      );
    }
  }

  private admit(headers: http2.IncomingHttpHeaders, connection: Connection, ports: RawPorts): Waiting {
    const why = ports.refuses(connection);
    if (why !== undefined) throw new WireError('unauthenticated', why);
    const migrationId = String(headers[ID_HEADER] ?? '');
    const waiting = this.waiting.get(migrationId);
    if (!waiting) {
      if (this.taken.has(migrationId))
        throw new WireError('denied', `the call of migration ${migrationId} has come already: its token is used`);
      throw new WireError('not-found', `no migration ${migrationId} is waited for here: it was given up, or the address is another VM's`);
    }
    if (!timingSafeEqual(waiting.digest, digestOf(String(headers[TOKEN_HEADER] ?? ''))))
      throw new WireError('denied', `the token is not the one of migration ${migrationId}`);
    if (waiting.hostId !== undefined && hostOf(connection.identity) !== waiting.hostId) {
      throw new WireError(
        'denied',
        `migration ${migrationId} goes to host ${waiting.hostId}, and ${describeIdentity(connection.identity)} called`,
      );
    }
    if (this.taken.size >= MAX_TAKEN) this.taken.delete(this.taken.values().next().value!);
    this.taken.add(migrationId);
    return waiting;
  }
}

const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();
