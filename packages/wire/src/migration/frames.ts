/**
 * Messages of Migration.Exchange as bytes, and back:
 *
 *   0  flag, 0 (not compressed)      gRPC over HTTP/2, "Length-Prefixed-Message"
 *   1  length of what follows, big-endian
 *   5  0x0a: field 1, bytes          MigrationData
 *   6  length of the data, varint
 *   …  data
 *
 * Just this form is taken: a MigrationData in any other form that protobuf would allow is refused.
 */
import { WireError } from '../errors';
import { MAX_ENVELOPE_BYTES, MAX_MIGRATION_MESSAGE_BYTES } from '../limits';

const GRPC_BYTES = 5;
const TAG = 0x0a;
const FIRST_BUFFER_BYTES = 64 * 1024;

/** What stands before `bytes` of data. */
export function envelope(bytes: number): Buffer {
  const head = Buffer.allocUnsafe(MAX_ENVELOPE_BYTES);
  let at = GRPC_BYTES;
  if (bytes > 0) {
    head[at++] = TAG;
    for (let rest = bytes; ; rest >>>= 7) {
      head[at++] = rest > 0x7f ? (rest & 0x7f) | 0x80 : rest;
      if (rest <= 0x7f) break;
    }
  }
  head[0] = 0;
  head.writeUInt32BE(at - GRPC_BYTES + bytes, 1);
  return head.subarray(0, at);
}

/** Puts chunks together again; a message lies at an address that is a multiple of 8, and is good until the next chunk. */
export class FrameAssembler {
  private readonly head = Buffer.alloc(MAX_ENVELOPE_BYTES);
  private headBytes = 0;
  private message = new Uint8Array(0);
  private wanted = -1;
  private have = 0;

  constructor(private readonly take: (message: Uint8Array) => void) {}

  /** @throws WireError 'invalid', 'exhausted' (too long): nothing can be read after that */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.wanted < 0) {
        this.head[this.headBytes++] = chunk[at++];
        this.openMessage();
        continue;
      }
      const part = Math.min(this.wanted - this.have, chunk.length - at);
      this.message.set(chunk.subarray(at, at + part), this.have);
      this.have += part;
      at += part;
      if (this.have === this.wanted) this.closeMessage();
    }
  }

  /** The stream may end here. */
  get isBetween(): boolean {
    return this.headBytes === 0;
  }

  private openMessage(): void {
    const { head, headBytes } = this;
    if (head[0] !== 0) throw new WireError('invalid', 'what came is no message of a migration, or is compressed');
    if (headBytes < GRPC_BYTES) return;
    const length = head.readUInt32BE(1);
    if (headBytes === GRPC_BYTES) {
      if (length > MAX_MIGRATION_MESSAGE_BYTES + MAX_ENVELOPE_BYTES - GRPC_BYTES) throw tooLong(length);
      if (length === 0) this.closeMessage();
      return;
    }
    if (head[GRPC_BYTES] !== TAG) throw new WireError('invalid', 'what came is no MigrationData');
    if (headBytes === GRPC_BYTES + 1) return;
    if (head[headBytes - 1] & 0x80) {
      if (headBytes === MAX_ENVELOPE_BYTES) throw new WireError('invalid', 'what came is no MigrationData');
      return;
    }
    let bytes = 0;
    for (let at = headBytes - 1; at > GRPC_BYTES; at--) bytes = bytes * 128 + (head[at] & 0x7f);
    if (headBytes - GRPC_BYTES + bytes !== length || bytes === 0) throw new WireError('invalid', 'what came is no MigrationData');
    if (bytes > MAX_MIGRATION_MESSAGE_BYTES) throw tooLong(bytes);
    this.wanted = bytes;
    if (this.message.length < bytes) this.message = new Uint8Array(Math.max(FIRST_BUFFER_BYTES, 2 ** Math.ceil(Math.log2(bytes))));
  }

  private closeMessage(): void {
    const { have } = this;
    this.wanted = -1;
    this.have = 0;
    this.headBytes = 0;
    this.take(this.message.subarray(0, have));
  }
}

const tooLong = (bytes: number): WireError =>
  new WireError('exhausted', `a message of ${bytes} bytes came; ${MAX_MIGRATION_MESSAGE_BYTES} are allowed`);
