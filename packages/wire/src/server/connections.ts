/**
 * The sockets of one server: they are accepted here, checked, and handed to gRPC.
 *
 *   TCP or unix ──► [TLS handshake, 10 s] ──► who is it? ──► gRPC's HTTP/2
 *                                              └─ not of the cluster: its calls are told why, 3 s, end
 *
 * A certificate that is refused is not refused in the handshake: TLS could only drop the
 * connection, and the caller would not know why. Its calls never reach a handler.
 *
 * gRPC tells a call's peer only as `address:port`; by that, the connection is found again.
 */
import { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { type PeerIdentity, identityOf } from '../identity';
import { HANDSHAKE_TIMEOUT_MS, MAX_CONNECTIONS, REFUSED_LINGER_MS } from '../limits';
import type { ServerSecurity } from '../security';

/** HTTP/2's connection preface and an empty SETTINGS frame: what each client sends unasked. */
const PREFACE_BYTES = 24 + 9;

export interface ConnectionLimits {
  readonly maxConnections?: number;
  /** Milliseconds for the TLS handshake, and until HTTP/2 has begun. */
  readonly handshakeMs?: number;
}

export interface Connection {
  readonly identity: PeerIdentity;
  /** HOST:PORT, or `unix`. */
  readonly address: string;
  bytesWritten(): number;
  destroy(): void;
}

const LOCAL: Connection = { identity: { kind: 'local' }, address: 'unix', bytesWritten: () => 0, destroy: () => {} };

export class Connections {
  readonly server: net.Server;
  private readonly open = new Map<string, Connection>();
  private readonly sockets = new Set<net.Socket>();
  private readonly unfollow: () => void = () => {};

  /**
   * @param give takes a connection that is ready for HTTP/2
   * @param onRefused for logs: one line about a connection that came to nothing
   */
  constructor(
    private readonly security: ServerSecurity,
    private readonly give: (socket: net.Socket) => void,
    private readonly onRefused: (line: string) => void,
    private readonly limits: ConnectionLimits = {},
  ) {
    if (security.kind === 'plain') {
      this.server = net.createServer({ noDelay: true }, (socket) => this.accept(socket, this.plainIdentity(socket)));
    } else {
      const server = tls.createServer(
        {
          ...security.certificates.serverOptions,
          requestCert: true,
          rejectUnauthorized: false,
          ALPNProtocols: ['h2'],
          handshakeTimeout: this.handshakeMs,
          noDelay: true,
        },
        (socket) => this.accept(socket, this.tlsIdentity(socket)),
      );
      server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
        this.onRefused(`a connection from ${where(socket)} was closed: ${handshakeFault(error, this.handshakeMs)}`);
        socket.destroy();
      });
      this.unfollow = security.certificates.onChange(() => server.setSecureContext(security.certificates.serverOptions));
      this.server = server;
    }
    // With TLS, 'connection' comes before the handshake: those count, too.
    this.server.on('connection', (socket: net.Socket) => this.watch(socket));
    const most = limits.maxConnections ?? MAX_CONNECTIONS;
    this.server.maxConnections = most;
    this.server.on('drop', () => this.onRefused(`a connection was refused: there are ${most} already`));
  }

  private get handshakeMs(): number {
    return this.limits.handshakeMs ?? HANDSHAKE_TIMEOUT_MS;
  }

  /** The connection of a call, by what gRPC calls its peer. */
  of(peer: string): Connection {
    return (
      this.open.get(peer) ??
      (peer === 'unknown' ? LOCAL : { identity: { kind: 'anonymous' }, address: peer, bytesWritten: () => 0, destroy: () => {} })
    );
  }

  destroyAll(): void {
    this.unfollow();
    for (const socket of this.sockets) socket.destroy();
  }

  private watch(socket: net.Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.sockets.delete(socket));
  }

  private accept(socket: net.Socket, identity: PeerIdentity): void {
    if (socket.destroyed) return;
    socket.on('error', () => {});
    const name = peerName(socket);
    const since = socket.bytesRead;
    if (name !== undefined) {
      const connection: Connection = { identity, address: name, bytesWritten: () => socket.bytesWritten, destroy: () => socket.destroy() };
      this.open.set(name, connection);
      socket.once('close', () => {
        if (this.open.get(name) === connection) this.open.delete(name);
      });
    }
    const silent = setTimeout(() => {
      if (socket.bytesRead - since >= PREFACE_BYTES) return;
      this.onRefused(
        `a connection from ${name ?? 'this host'} was closed: it did not begin to speak HTTP/2 within ${this.handshakeMs / 1000} s`,
      );
      socket.destroy();
    }, this.handshakeMs).unref();
    const unwelcome = this.refuses(identity) ? setTimeout(() => socket.destroy(), REFUSED_LINGER_MS).unref() : undefined;
    socket.once('close', () => {
      clearTimeout(silent);
      clearTimeout(unwelcome);
    });
    this.give(socket);
  }

  /** One sentence why calls of that peer are refused; undefined: they are not. */
  refuses(identity: PeerIdentity): string | undefined {
    if (identity.kind === 'refused') return identity.why;
    if (identity.kind !== 'anonymous' || this.security.kind === 'plain' || this.security.clients === 'optional') return undefined;
    return 'a certificate of this cluster is needed here, and none was shown';
  }

  private plainIdentity(socket: net.Socket): PeerIdentity {
    return socket.remoteAddress === undefined ? { kind: 'local' } : { kind: 'anonymous' };
  }

  private tlsIdentity(socket: tls.TLSSocket): PeerIdentity {
    const { raw } = socket.getPeerCertificate() as Partial<tls.DetailedPeerCertificate>;
    if (!raw) return { kind: 'anonymous' };
    if (!socket.authorized) return { kind: 'refused', why: certificateFault(String(socket.authorizationError)) };
    const identity = identityOf(new X509Certificate(raw));
    return identity ?? { kind: 'refused', why: 'the certificate that was shown is of this cluster but names nobody: ask for a new one' };
  }
}

/** As grpc-js names it (getPeer). Undefined for a unix socket. */
const peerName = (socket: net.Socket): string | undefined =>
  socket.remoteAddress === undefined ? undefined : `${socket.remoteAddress}:${socket.remotePort}`;
const where = (socket: net.Socket): string => peerName(socket) ?? 'an address unknown';

const FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'the certificate that was shown has expired: renew it, or join the cluster again',
  CERT_NOT_YET_VALID: 'the certificate that was shown is not valid yet: compare the clocks of both hosts',
};
const certificateFault = (code: string): string => FAULTS[code] ?? `the certificate that was shown is not of this cluster (${code})`;

function handshakeFault(error: NodeJS.ErrnoException, limitMs: number): string {
  if (
    error.code === 'ERR_SSL_HTTP_REQUEST' ||
    error.code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
    error.code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG'
  )
    return 'it does not speak TLS';
  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return `the TLS handshake took longer than ${limitMs / 1000} s`;
  if (error.code === 'ECONNRESET') return 'the other side ended the TLS handshake';
  return `the TLS handshake failed (${error.code ?? error.message})`;
}
