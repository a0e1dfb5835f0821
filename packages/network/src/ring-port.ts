/**
 * The vCPU thread's end of a network: what an adapter is plugged into
 * (machine's NetworkPort), over two frame rings. Never waits: a full tx ring
 * drops and counts, as a NIC does; frames that the adapter refuses stay in the
 * rx ring, and a full rx ring makes the pump stop reading.
 *
 * After a kick the owner calls `poll`. Pure: the bell comes in as a function.
 */
import { FrameConsumer, FrameProducer, type FrameTaker } from './frame-ring';
import { FRAMES_PER_DELIVERY, MAX_INSERTED, VIRTIO_HEADER_BYTES } from './limits';

export interface RingPortOptions {
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** Whether the pump's network finishes checksums and cuts TCP segments: see machine's NetworkPort. */
  readonly offloads: boolean;
  readonly tx: SharedArrayBuffer;
  readonly rx: SharedArrayBuffer;
  /** Wakes the pump: `() => native.ringBell(bell)`. */
  readonly ringBell: () => void;
}

/** machine's NetworkClient. */
export interface FrameClient {
  receive(frame: Uint8Array, header?: Uint8Array): boolean;
  setLink(up: boolean): void;
}

export class RingPort {
  readonly mac: Uint8Array;
  readonly offloads: boolean;
  private readonly out: FrameProducer;
  private readonly in: FrameConsumer;
  private client: FrameClient | undefined;
  private linkUp = true;
  private readonly inserted: { readonly frame: Uint8Array; readonly header: Uint8Array }[] = [];
  private delivering = false;
  private more = false;

  constructor(options: RingPortOptions) {
    if (options.mac.length !== 6) throw new RangeError('a MAC address has six bytes');
    this.mac = options.mac.slice();
    this.offloads = options.offloads;
    this.out = new FrameProducer(options.tx, options.ringBell);
    this.in = new FrameConsumer(options.rx, options.ringBell);
  }

  connect(client: FrameClient): void {
    this.client = client;
    client.setLink(this.linkUp);
  }

  /** Cable plugged or pulled: with it pulled, frames both ways are lost. */
  setLink(up: boolean): void {
    if (up === this.linkUp) return;
    this.linkUp = up;
    this.client?.setLink(up);
  }

  send(parts: readonly Uint8Array[], header?: Uint8Array): void {
    if (this.linkUp) this.out.push(parts, header?.length === VIRTIO_HEADER_BYTES ? header : undefined);
  }

  /** Hands out what waits, oldest first, until `take` refuses; for somebody other than the adapter. */
  take(take: FrameTaker): void {
    while (this.inserted.length > 0 && take(this.inserted[0].frame, this.inserted[0].header)) this.inserted.shift();
    if (this.inserted.length === 0) this.in.drain(take, MAX_INSERTED);
  }

  /** A frame that came another way; the adapter gets it before what comes next. Dropped when too many wait already. */
  insert(frame: Uint8Array, header: Uint8Array): void {
    if (this.inserted.length < MAX_INSERTED) this.inserted.push({ frame: frame.slice(), header: header.slice() });
  }

  ready(): void {
    if (!this.delivering) this.poll();
    else this.more = true;
  }

  /** Hands waiting frames to the adapter. True: more wait that no kick will announce, so call again soon. */
  poll(): boolean {
    const client = this.client;
    if (!client || this.delivering) return false;
    this.delivering = true;
    let refused = false;
    const take = (frame: Uint8Array, header: Uint8Array): boolean => {
      if (!this.linkUp) return true;
      refused = !client.receive(frame, this.offloads ? header : undefined);
      return !refused;
    };
    let remain: boolean;
    do {
      this.more = false;
      refused = false;
      while (!refused && this.inserted.length > 0 && take(this.inserted[0].frame, this.inserted[0].header)) this.inserted.shift();
      remain = refused || this.in.drain(take, FRAMES_PER_DELIVERY);
    } while (refused && this.more); // the adapter said `ready` in the midst of refusing
    this.delivering = false;
    // A refused frame waits for `ready`, not for the next poll.
    return remain && !refused;
  }
}
