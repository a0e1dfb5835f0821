/** One end's messages: numbered and summed as they are given to the transport, each at once in its turn. */
import { MAX_CONTROL_BYTES, STATE_CHUNK_BYTES } from './limits';
import type { TransportPort } from './ports';
import type { SourceMessage, TargetMessage } from './protocol';
import { StreamError } from './errors';
import { FRAME, FRAME_KIND, type FrameKind, FrameWriter, newMessageBuffer, padded } from './stream/frame';
import { StateSum, type Sum } from './stream/page-sum';
import type { PageWork } from './stream/page-work';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** @throws StreamError */
export function decodeText(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw new StreamError('not-a-message', 'a control message is no UTF-8');
  }
}

export class MessageWriter {
  private readonly frames: FrameWriter;

  constructor(
    private readonly transport: TransportPort,
    work: PageWork,
    /** Told of each message's size as it goes. */
    private readonly onBytes: (bytes: number) => void = () => {},
  ) {
    this.frames = new FrameWriter(work);
  }

  get version(): number {
    return this.frames.version;
  }

  set version(version: number) {
    this.frames.version = version;
  }

  control(message: SourceMessage | TargetMessage): Promise<void> {
    const json = encoder.encode(JSON.stringify(message));
    if (json.length > MAX_CONTROL_BYTES) throw new RangeError(`the VM's configuration is too large to be sent (${json.length} bytes)`);
    return this.copied(FRAME_KIND.control, json);
  }

  hints(bytes: Uint8Array): Promise<void> {
    return this.copied(FRAME_KIND.hints, bytes);
  }

  late(frames: Uint8Array): Promise<void> {
    return this.copied(FRAME_KIND.late, frames);
  }

  /** A body that lies in `buffer` behind the header's room already. */
  sealed(kind: FrameKind, buffer: Uint8Array, bodyBytes: number): { readonly bytes: number; readonly taken: Promise<void> } {
    const message = this.frames.seal(buffer, kind, bodyBytes);
    const taken = this.transport.send(message);
    this.onBytes(message.length);
    return { bytes: message.length, taken };
  }

  /** Machine state in chunks; its sum. */
  async state(state: Uint8Array): Promise<Sum> {
    const sum = new StateSum();
    const room = FRAME.size + padded(Math.min(state.length, STATE_CHUNK_BYTES));
    const buffers = [newMessageBuffer(room), newMessageBuffer(room)];
    const taken: Promise<void>[] = [Promise.resolve(), Promise.resolve()];
    for (let at = 0, turn = 0; at < state.length; at += STATE_CHUNK_BYTES, turn ^= 1) {
      await taken[turn];
      const chunk = state.subarray(at, at + STATE_CHUNK_BYTES);
      const buffer = buffers[turn];
      buffer.set(chunk, FRAME.size);
      taken[turn] = this.sealed(FRAME_KIND.state, buffer, chunk.length).taken;
      sum.add(buffer.subarray(FRAME.size, FRAME.size + padded(chunk.length)));
    }
    await Promise.all(taken);
    return sum.total;
  }

  private copied(kind: FrameKind, body: Uint8Array): Promise<void> {
    const buffer = new Uint8Array(FRAME.size + padded(body.length));
    buffer.set(body, FRAME.size);
    return this.sealed(kind, buffer, body.length).taken;
  }
}
