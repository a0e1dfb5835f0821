/**
 * A small learning Ethernet switch (IEEE 802.1Q, 8.7 and 8.8, without VLANs and
 * spanning tree): the VMs of one host and the way out each have a port. An
 * address that turns up at another port has moved there at once: that is how a
 * migrated VM keeps its connections.
 *
 * Pure: time comes in, frames go out through the ports. What guests can make
 * grow, the table of addresses, has a limit for each port.
 */
import { LEARNED_AGE_MS, MAX_LEARNED_PER_PORT, MAX_PORTS, MIN_FRAME_BYTES } from './limits';
import { macNumber } from './mac';

export interface SwitchPort {
  /** The frame is good only during the call. False: dropped for want of room. */
  send(frame: Uint8Array): boolean;
}

export interface PortCounters {
  readonly id: number;
  readonly received: number;
  readonly sent: number;
  readonly dropped: number;
  /** As numbers. */
  readonly addresses: readonly number[];
}

interface Port {
  readonly id: number;
  readonly wire: SwitchPort;
  /** Address → when it was last seen, in ms; oldest first. */
  readonly learned: Map<number, number>;
  received: number;
  sent: number;
  dropped: number;
}

/** ms between two notes that an address is still there. */
const REFRESH_MS = 1_000;

/** 01:80:c2:00:00:00 to 0f: for the next switch only, never passed on (802.1Q, 8.6.3). */
const RESERVED_FIRST = 0x0180c2000000;
const RESERVED_LAST = 0x0180c200000f;

export class Switch {
  private readonly ports = new Map<number, Port>();
  private readonly owner = new Map<number, Port>();
  private readonly pinned = new Map<number, Port>();
  private nextId = 1;

  /** `nowMs`: any clock that does not go back. */
  constructor(private readonly nowMs: () => number) {}

  /** The new port's number, or 0 when all are taken. */
  attach(wire: SwitchPort): number {
    if (this.ports.size >= MAX_PORTS) return 0;
    const id = this.nextId++;
    this.ports.set(id, { id, wire, learned: new Map(), received: 0, sent: 0, dropped: 0 });
    return id;
  }

  detach(id: number): void {
    const port = this.ports.get(id);
    if (!port) return;
    this.ports.delete(id);
    for (const mac of port.learned.keys()) this.owner.delete(mac);
    for (const [mac, holder] of this.pinned) if (holder === port) this.pinned.delete(mac);
  }

  /** From now on frames from that address are taken from this port only. */
  pin(mac: number, id: number): void {
    const port = this.ports.get(id);
    if (!port) return;
    this.pinned.set(mac, port);
    this.owner.get(mac)?.learned.delete(mac);
    this.owner.delete(mac);
  }

  /** A frame came in at that port. */
  receive(id: number, frame: Uint8Array): void {
    const from = this.ports.get(id);
    if (!from) return;
    from.received++;
    if (frame.length < MIN_FRAME_BYTES) return void from.dropped++;
    const source = macNumber(frame, 6);
    const target = macNumber(frame, 0);
    if ((frame[6] & 1) !== 0 || source === 0 || (target >= RESERVED_FIRST && target <= RESERVED_LAST)) return void from.dropped++;
    const now = this.nowMs();
    if (!this.learn(from, source, now)) return void from.dropped++;
    const to = (frame[0] & 1) === 0 ? this.find(target, now) : undefined;
    if (to === undefined) {
      for (const port of this.ports.values()) if (port !== from) this.transmit(port, frame);
    } else if (to !== from) {
      this.transmit(to, frame);
    }
  }

  counters(): PortCounters[] {
    const pins = [...this.pinned];
    return [...this.ports.values()].map(({ id, received, sent, dropped, learned }) => ({
      id,
      received,
      sent,
      dropped,
      addresses: [...learned.keys(), ...pins.filter(([, port]) => port.id === id).map(([mac]) => mac)],
    }));
  }

  private transmit(port: Port, frame: Uint8Array): void {
    if (port.wire.send(frame)) port.sent++;
    else port.dropped++;
  }

  /** False: that address belongs to another port for good. */
  private learn(port: Port, mac: number, now: number): boolean {
    const holder = this.pinned.get(mac);
    if (holder) return holder === port;
    const seen = port.learned.get(mac);
    if (seen !== undefined && now - seen < REFRESH_MS) return true;
    const before = this.owner.get(mac);
    if (before && before !== port) before.learned.delete(mac);
    port.learned.delete(mac);
    if (port.learned.size >= MAX_LEARNED_PER_PORT) {
      const oldest: number = port.learned.keys().next().value as number;
      port.learned.delete(oldest);
      this.owner.delete(oldest);
    }
    port.learned.set(mac, now);
    this.owner.set(mac, port);
    return true;
  }

  private find(mac: number, now: number): Port | undefined {
    const fixed = this.pinned.get(mac);
    if (fixed) return fixed;
    const port = this.owner.get(mac);
    if (!port) return undefined;
    if (now - (port.learned.get(mac) as number) <= LEARNED_AGE_MS) return port;
    port.learned.delete(mac);
    this.owner.delete(mac);
    return undefined;
  }
}
