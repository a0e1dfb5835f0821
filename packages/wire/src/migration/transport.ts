/**
 * One end of Migration.Exchange: whole messages over one HTTP/2 stream. The gRPC library is not
 * in the way of the bytes: it would copy each message on either side, and what that costs in CPU
 * time and round trips is to be seen in test/bench/wire.mjs.
 *
 *   open ── close() ──► closing: what was sent goes out, what comes is dropped ──┐
 *     └──── the other end closes, dies, breaks a rule; the connection is lost ───┴──► closed(why)
 */
import type http2 from 'node:http2';
import { constants } from 'node:http2';
import { WireError } from '../errors';
import type { PeerIdentity } from '../identity';
import { MAX_MIGRATION_MESSAGE_BYTES, MAX_QUEUED_SENDS, TRANSPORT_LINGER_MS } from '../limits';
import { envelope, FrameAssembler } from './frames';

export interface Receiver {
  /** Good only during the call. */
  message(message: Uint8Array): void;
  closed(why: string): void;
}

/** TransportPort of packages/migration/src/ports.ts. */
export interface MigrationTransport {
  send(message: Uint8Array): Promise<void>;
  listen(receiver: Receiver): void;
  close(): void;
  readonly peer: PeerIdentity;
  /** HOST:PORT of the other end. */
  readonly address: string;
  /** Settles with the reason, after everything was delivered or given up: await it before the process ends. */
  readonly closed: Promise<string>;
}

export interface StreamEnds {
  readonly peer: PeerIdentity;
  readonly address: string;
  /** Bytes that have left this process, for knowing whether anything moves. */
  bytesWritten(): number;
  /** Why the stream ended, in the other end's words if it gave any; undefined: it did not say. */
  why(): string | undefined;
  /** Drops the connection. Idempotent. */
  destroy(): void;
  /** Milliseconds; default TRANSPORT_LINGER_MS. */
  readonly lingerMs?: number;
}

export class StreamTransport implements MigrationTransport {
  readonly closed: Promise<string>;
  readonly peer: PeerIdentity;
  readonly address: string;
  private settle!: (why: string) => void;
  private receiver: Receiver | undefined;
  private readonly assembler = new FrameAssembler((message) => this.deliver(message));
  private readonly sends = new Set<(error: Error) => void>();
  private isClosing = false;
  private isEndedThere = false;
  private over: string | undefined;
  private fault: string | undefined;
  private linger: NodeJS.Timeout | undefined;

  constructor(
    private readonly stream: http2.Http2Stream,
    private readonly ends: StreamEnds,
  ) {
    this.peer = ends.peer;
    this.address = ends.address;
    this.closed = new Promise((resolve) => {
      this.settle = resolve;
    });
    // Nothing is read before somebody listens: HTTP/2 holds the other end back.
    stream.on('error', (error: Error) => (this.fault ??= faultOf(error)));
    stream.once('close', () => this.finish());
    // A stream that was closed before this was made tells nobody any more.
    if (stream.destroyed) setImmediate(() => this.finish());
  }

  send(message: Uint8Array): Promise<void> {
    if (this.over !== undefined) return Promise.reject(new WireError('unavailable', this.over));
    if (this.isClosing) return Promise.reject(new WireError('cancelled', 'the connection was closed here'));
    if (message.length > MAX_MIGRATION_MESSAGE_BYTES)
      return Promise.reject(new RangeError(`a message of ${message.length} bytes is too long: ${MAX_MIGRATION_MESSAGE_BYTES} are allowed`));
    if (this.sends.size >= MAX_QUEUED_SENDS)
      return Promise.reject(new RangeError(`${MAX_QUEUED_SENDS} messages wait to be sent: await send()`));
    return new Promise((resolve, reject) => {
      this.sends.add(reject);
      const { stream } = this;
      stream.cork();
      stream.write(envelope(message.length));
      // Called once the bytes have been given to the socket: until then they are referred to, not copied.
      stream.write(Buffer.from(message.buffer, message.byteOffset, message.length), (error) => {
        if (!this.sends.delete(reject)) return;
        if (error) reject(new WireError('unavailable', this.over ?? this.fault ?? faultOf(error)));
        else resolve();
      });
      stream.uncork();
    });
  }

  listen(receiver: Receiver): void {
    if (this.receiver) throw new Error('this transport is listened to already');
    this.receiver = receiver;
    if (this.over !== undefined) return receiver.closed(this.over);
    this.stream.on('data', (chunk: Buffer) => this.take(chunk));
    this.stream.once('end', () => this.ended());
  }

  close(): void {
    if (this.isClosing || this.over !== undefined) return;
    this.isClosing = true;
    this.stream.end();
    // The other end's last words are taken off the wire, or its end would not be seen.
    if (!this.receiver) this.stream.resume();
    this.watch(this.ends.bytesWritten());
  }

  /** Cuts it when nothing of what is left to do has moved for a while. */
  private watch(before: number): void {
    this.linger = setTimeout(() => {
      const now = this.ends.bytesWritten();
      if (now !== before) return this.watch(now);
      this.fault ??= 'the other end did not take what was sent last';
      this.cut();
    }, this.ends.lingerMs ?? TRANSPORT_LINGER_MS);
  }

  private take(chunk: Buffer): void {
    if (this.isClosing || this.over !== undefined) return;
    try {
      this.assembler.push(chunk);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.fault ??= `the other end broke the protocol: ${error.message}`;
      this.cut();
    }
  }

  private deliver(message: Uint8Array): void {
    if (!this.isClosing && this.over === undefined) this.receiver!.message(message);
  }

  private ended(): void {
    // A stream that is reset ends, too.
    if (this.isClosing || this.stream.aborted || this.stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
    if (!this.assembler.isBetween) this.fault ??= 'the connection ended in the midst of a message';
    this.isEndedThere = true;
    // Both ends close together: what this one sent before is still delivered.
    this.close();
  }

  private cut(): void {
    this.stream.close(constants.NGHTTP2_CANCEL);
    this.ends.destroy();
  }

  private finish(): void {
    if (this.over !== undefined) return;
    clearTimeout(this.linger);
    this.over = this.fault ?? this.ends.why() ?? this.manner();
    for (const reject of this.sends) reject(new WireError('unavailable', this.over));
    this.sends.clear();
    this.ends.destroy();
    this.receiver?.closed(this.over);
    this.settle(this.over);
  }

  private manner(): string {
    const { rstCode, writableFinished } = this.stream;
    if (rstCode === constants.NGHTTP2_NO_ERROR && writableFinished && this.isClosing)
      return this.isEndedThere ? 'the other end closed it' : 'it was closed here';
    return `the connection to ${this.address} was cut`;
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  ECONNRESET: 'the connection was lost: the other end, or something between, has reset it',
  EPIPE: 'the connection was lost: the other end has gone',
  ETIMEDOUT: 'the connection was lost: the other end no longer answers',
  ERR_HTTP2_STREAM_ERROR: 'the other end cut the connection',
  ERR_HTTP2_SESSION_ERROR: 'the connection broke: what came is not HTTP/2',
  ERR_HTTP2_ERROR: 'the connection broke: what came is not HTTP/2',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection was cut',
  ERR_STREAM_DESTROYED: 'the connection was cut',
};
export const faultOf = (error: NodeJS.ErrnoException): string => FAULTS[error.code ?? ''] ?? `the connection was lost: ${error.message}`;
