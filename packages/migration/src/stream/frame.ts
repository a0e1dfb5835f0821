/**
 * The frame around every message, version 1. Little-endian.
 *
 *     0  u32  magic "GWMG"
 *     4  u16  protocol version
 *     6  u8   kind: control (JSON), pages, state, hints, late frames
 *     7  u8   0
 *     8  u32  number of the message in its direction, from 0
 *    12  u32  bytes that follow the header, without padding
 *    16  u64  sum over the bytes that follow, padded, begun with a mix of the 16 bytes before
 *    24       …  then 0 to 3 bytes of 0, so that the length is a multiple of 4
 *
 * The numbering makes a lost, doubled or swapped message an error, the sum a changed
 * byte. Version 0 in a header is the handshake's: its first messages (offer, answer)
 * keep their form in all versions, for they agree on one.
 */
import { StreamError } from '../errors';
import { MAX_MESSAGE_BYTES } from '../limits';
import { type PageWork, plainPageWork } from './page-work';

export const FRAME_MAGIC = 0x474d5747;
export const HANDSHAKE_VERSION = 0;

export const FRAME = { magic: 0, version: 4, kind: 6, reserved: 7, number: 8, bytes: 12, sum: 16, size: 24 } as const;

export const FRAME_KIND = { control: 1, pages: 2, state: 3, hints: 4, late: 5 } as const;
export type FrameKind = (typeof FRAME_KIND)[keyof typeof FRAME_KIND];

export const padded = (bytes: number): number => (bytes + 3) & ~3;

/** Bytes of a message at an address that is a multiple of 8; without `bytes`: room for any. */
export const newMessageBuffer = (bytes = MAX_MESSAGE_BYTES): Uint8Array => new Uint8Array(Math.min(padded(bytes), MAX_MESSAGE_BYTES));

const seedOf = (view: DataView): number =>
  view.getUint16(FRAME.version, true) ^
  (view.getUint16(FRAME.kind, true) << 16) ^
  Math.imul(view.getUint32(FRAME.number, true), 0x9e3779b1) ^
  view.getUint32(FRAME.bytes, true);

export class FrameWriter {
  private next = 0;
  private readonly sum = new Uint32Array(2);
  version = HANDSHAKE_VERSION;

  constructor(private readonly work: PageWork = plainPageWork) {}

  /** Completes a message whose body lies in `buffer` behind the header already; the part to be sent. In the order of sending. */
  seal(buffer: Uint8Array, kind: FrameKind, bodyBytes: number): Uint8Array {
    const size = FRAME.size + padded(bodyBytes);
    buffer.fill(0, FRAME.size + bodyBytes, size);
    const view = new DataView(buffer.buffer, buffer.byteOffset, FRAME.size);
    view.setUint32(FRAME.magic, FRAME_MAGIC, true);
    view.setUint16(FRAME.version, this.version, true);
    view.setUint8(FRAME.kind, kind);
    view.setUint8(FRAME.reserved, 0);
    view.setUint32(FRAME.number, this.next++, true);
    view.setUint32(FRAME.bytes, bodyBytes, true);
    this.work.sumWords(
      new Int32Array(buffer.buffer, buffer.byteOffset, size >>> 2),
      FRAME.size >>> 2,
      padded(bodyBytes) >>> 2,
      seedOf(view),
      this.sum,
    );
    view.setUint32(FRAME.sum, this.sum[0], true);
    view.setUint32(FRAME.sum + 4, this.sum[1], true);
    return buffer.subarray(0, size);
  }
}

export interface Frame {
  readonly kind: FrameKind;
  readonly version: number;
  /** Good until the next message. At an address that is a multiple of 4. */
  readonly body: Uint8Array;
}

export class FrameReader {
  private next = 0;
  private aligned: Uint8Array | undefined;
  private readonly sum = new Uint32Array(2);
  /** The version taken, besides the handshake's: a cancel may cross the answer. */
  version = HANDSHAKE_VERSION;

  constructor(private readonly work: PageWork = plainPageWork) {}

  /** @throws StreamError */
  open(message: Uint8Array): Frame {
    const { length } = message;
    if (length < FRAME.size || length > MAX_MESSAGE_BYTES || length % 4 !== 0) {
      throw new StreamError('not-a-message', `a message of ${length} bytes is none of a migration's`);
    }
    const bytes = this.align(message);
    const view = new DataView(bytes.buffer, bytes.byteOffset, length);
    const kind = view.getUint8(FRAME.kind);
    const bodyBytes = view.getUint32(FRAME.bytes, true);
    if (view.getUint32(FRAME.magic, true) !== FRAME_MAGIC || view.getUint8(FRAME.reserved) !== 0 || kind < FRAME_KIND.control || kind > FRAME_KIND.late) {
      throw new StreamError('not-a-message', 'what arrived is no message of a migration');
    }
    const version = view.getUint16(FRAME.version, true);
    if (version !== this.version && version !== HANDSHAKE_VERSION)
      throw new StreamError('version', `a message has protocol version ${version}, agreed is ${this.version}`);
    if (FRAME.size + padded(bodyBytes) !== length) throw new StreamError('bounds', `a message of ${length} bytes announces ${bodyBytes}`);
    this.work.sumWords(
      new Int32Array(bytes.buffer, bytes.byteOffset, length >>> 2),
      FRAME.size >>> 2,
      (length - FRAME.size) >>> 2,
      seedOf(view),
      this.sum,
    );
    if (view.getUint32(FRAME.sum, true) !== this.sum[0] || view.getUint32(FRAME.sum + 4, true) !== this.sum[1]) {
      throw new StreamError('damaged', `message ${this.next} was changed on its way: its checksum does not match`);
    }
    const number = view.getUint32(FRAME.number, true);
    if (number !== this.next) throw new StreamError('order', `message ${number} came where ${this.next} was due`);
    this.next++;
    return { kind: kind as FrameKind, version, body: bytes.subarray(FRAME.size, FRAME.size + bodyBytes) };
  }

  private align(message: Uint8Array): Uint8Array {
    if (message.byteOffset % 4 === 0) return message;
    this.aligned ??= newMessageBuffer();
    this.aligned.set(message);
    return this.aligned.subarray(0, message.length);
  }
}
