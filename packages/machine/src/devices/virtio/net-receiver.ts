/**
 * Frames into the receive queue. A frame goes into one chain or, with merged
 * buffers, into as many as it needs; the header before it says how many
 * (VIRTIO 1.1, 5.1.6.4). Chains are given back only when the whole frame is in.
 *
 * While there is room the driver need not notify of new buffers. When a frame
 * found none, it is refused and the driver asked to notify.
 */
import type { BusMaster } from '../../ports/bus-master';
import { set16 } from './bytes';
import { Chain } from './chain';
import { NET_QUEUE_SIZE } from './limits';
import { BUFFERS, HEADER_BYTES } from './net-header';
import type { Virtqueue } from './virtqueue';

export class NetReceiver {
  /** A frame was refused, and no buffers came since. */
  starved = false;
  private readonly first: Chain;
  private readonly further: Chain;
  private readonly heads = new Uint16Array(NET_QUEUE_SIZE);
  private readonly lengths = new Uint32Array(NET_QUEUE_SIZE);

  constructor(
    bus: BusMaster,
    private readonly queue: Virtqueue,
  ) {
    this.first = new Chain(bus);
    this.further = new Chain(bus);
  }

  /** False when there is no room now. `header`: HEADER_BYTES, of which the first `headerBytes` go to the driver. */
  deliver(frame: Uint8Array, header: Uint8Array, headerBytes: number, merge: boolean): boolean {
    const { queue } = this;
    if (!queue.open()) return true;
    queue.wantKicks(false);
    const offered = queue.waiting;
    const buffers = this.fill(frame, headerBytes, merge);
    if (buffers === 0) return true;
    if (buffers < 0) return this.refuse(offered);
    if (headerBytes === HEADER_BYTES) set16(header, BUFFERS, buffers);
    const written = this.first.write(0, headerBytes === HEADER_BYTES ? header : header.subarray(0, headerBytes));
    if (!written) return !queue.fail('a receive buffer outside RAM');
    for (let index = 0; index < buffers; index++) queue.push(this.heads[index], this.lengths[index]);
    queue.publish();
    return true;
  }

  /** Copies the frame into as many chains as it takes: their number, 0 when the frame is lost, -1 when there are too few. */
  private fill(frame: Uint8Array, headerBytes: number, merge: boolean): number {
    const { queue } = this;
    let copied = 0;
    let buffers = 0;
    do {
      const chain = buffers === 0 ? this.first : this.further;
      const before = buffers === 0 ? headerBytes : 0;
      const waiting = queue.waiting;
      const head = queue.pop(chain);
      if (head < 0) {
        if (waiting > 0) return 0;
        queue.unpop(buffers);
        return -1;
      }
      const room = chain.writableBytes - before;
      if (room <= 0) return Number(queue.fail(`a receive buffer of ${chain.writableBytes} bytes`));
      if (!merge && room < frame.length) {
        queue.unpop(1);
        return 0;
      }
      const bytes = Math.min(room, frame.length - copied);
      const part = bytes === frame.length ? frame : frame.subarray(copied, copied + bytes);
      if (!chain.write(before, part)) return Number(queue.fail('a receive buffer outside RAM'));
      copied += bytes;
      this.heads[buffers] = head;
      this.lengths[buffers++] = before + bytes;
    } while (copied < frame.length);
    return buffers;
  }

  /** No room: the frame waits for more, unless the driver can offer no more than it did. */
  private refuse(offered: number): boolean {
    if (offered === this.queue.size) return true;
    this.starved = true;
    this.queue.wantKicks(true);
    return false;
  }
}
