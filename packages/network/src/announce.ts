/**
 * Frames that a VM's new host sends in the VM's name after a migration, so that
 * every switch learns at once where its address lives now.
 */
import { parseIpv4 } from './ipv4';

/** Bytes: the shortest frame on a real cable, less its check sequence. */
const PADDED_BYTES = 60;

/**
 * A RARP request (RFC 903), which moves the switches' tables and troubles no
 * IP stack, and, where the address is known, a gratuitous ARP request and
 * reply (RFC 5227, 3), for neighbours that hold another MAC address for it.
 */
export function announceFrames(mac: Uint8Array, ip?: string): Uint8Array[] {
  if (mac.length !== 6) throw new RangeError('a MAC address has six bytes');
  const nobody = new Uint8Array(6);
  const frames = [arpFrame(0x8035, 3, mac, 0, mac, 0)];
  if (ip !== undefined) {
    const address = parseIpv4(ip);
    frames.push(arpFrame(0x0806, 1, mac, address, nobody, address), arpFrame(0x0806, 2, mac, address, mac, address));
  }
  return frames;
}

/** Ethernet broadcast with an ARP packet (RFC 826). */
function arpFrame(etherType: number, operation: number, mac: Uint8Array, ip: number, targetMac: Uint8Array, targetIp: number): Uint8Array {
  const frame = new Uint8Array(PADDED_BYTES);
  const view = new DataView(frame.buffer);
  frame.fill(0xff, 0, 6);
  frame.set(mac, 6);
  view.setUint16(12, etherType);
  view.setUint16(14, 1); // Ethernet
  view.setUint16(16, 0x0800); // IPv4
  frame[18] = 6;
  frame[19] = 4;
  view.setUint16(20, operation);
  frame.set(mac, 22);
  view.setUint32(28, ip);
  frame.set(targetMac, 32);
  view.setUint32(38, targetIp);
  return frame;
}
