/**
 * Who got which address: read off the DHCP acknowledgements (RFC 2131) that
 * pass from the way out to the guests, since libslirp does not tell.
 */
import { MAX_LEASES } from './limits';
import { macNumber } from './mac';

export interface Lease {
  /** As numbers. */
  readonly mac: number;
  readonly address: number;
}

const UDP = 17;
const MESSAGE_TYPE = 53;
const ACK = 5;
const MAGIC = 0x63825363;
/** Offset of the options in a BOOTP message (RFC 951, RFC 2131 2). */
const OPTIONS = 240;

export class DhcpLeases {
  private readonly byMac = new Map<number, number>();

  /** A frame from the DHCP server's port. */
  observe(frame: Uint8Array): void {
    const lease = leaseIn(frame);
    if (!lease) return;
    if (this.byMac.size >= MAX_LEASES && !this.byMac.has(lease.mac)) this.byMac.delete(this.byMac.keys().next().value as number);
    this.byMac.set(lease.mac, lease.address);
  }

  list(): Lease[] {
    return [...this.byMac].map(([mac, address]) => ({ mac, address }));
  }
}

/** The lease that an acknowledgement in this Ethernet frame gives, or undefined. */
export function leaseIn(frame: Uint8Array): Lease | undefined {
  // Ethernet, IPv4 with UDP from port 67: nearly every frame ends here.
  if (frame.length < 14 + 20 + 8 + OPTIONS || frame[12] !== 0x08 || frame[13] !== 0 || frame[23] !== UDP) return undefined;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const udp = 14 + (frame[14] & 15) * 4;
  const bootp = udp + 8;
  if (frame.length < bootp + OPTIONS || view.getUint16(udp) !== 67 || view.getUint16(udp + 2) !== 68) return undefined;
  if (view.getUint32(bootp + OPTIONS - 4) !== MAGIC) return undefined;
  for (let at = bootp + OPTIONS; at + 2 < frame.length && frame[at] !== 255; ) {
    if (frame[at] === 0) {
      at++; // padding
      continue;
    }
    if (frame[at] === MESSAGE_TYPE) {
      return frame[at + 2] === ACK ? { mac: macNumber(frame, bootp + 28), address: view.getUint32(bootp + 16) } : undefined;
    }
    at += 2 + frame[at + 1];
  }
  return undefined;
}
