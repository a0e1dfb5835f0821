/** A VMM's connection as a port of the switch: frames for it are gathered and written in one piece a turn. */
import type { Socket } from 'node:net';
import { FrameReader, putFrame, streamBytes } from './frame-stream';
import { MAX_FRAME_BYTES, MAX_PORT_BACKLOG } from './limits';
import type { SwitchPort } from './switch';

/** Bytes: the stretch from which the writes of some turns are cut; at least the largest frame. */
const ARENA_BYTES = 256 << 10;

export class VmmPort implements SwitchPort {
  private readonly reader = new FrameReader();
  private arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
  private from = 0;
  private to = 0;

  constructor(private readonly socket: Socket) {}

  /** Frames of a chunk that came in. False: the stream makes no sense, the connection is ended. */
  read(chunk: Uint8Array, take: (frame: Uint8Array) => void): boolean {
    const broken = this.reader.feed(chunk, take);
    if (broken === null) return true;
    this.socket.destroy();
    return false;
  }

  send(frame: Uint8Array): boolean {
    if (frame.length > MAX_FRAME_BYTES || this.socket.destroyed || this.socket.writableLength > MAX_PORT_BACKLOG) return false;
    if (this.to + streamBytes(frame) > this.arena.length) {
      this.flush();
      this.arena = Buffer.allocUnsafeSlow(ARENA_BYTES);
      this.from = this.to = 0;
    }
    this.to = putFrame(this.arena, this.to, frame);
    return true;
  }

  flush(): void {
    if (this.from === this.to) return;
    if (!this.socket.destroyed) this.socket.write(this.arena.subarray(this.from, this.to));
    this.from = this.to;
  }
}
