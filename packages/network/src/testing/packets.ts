/** Packets that a test's guest makes and reads by hand. */
import { macNumber } from '../mac';

export const BROADCAST = Uint8Array.of(255, 255, 255, 255, 255, 255);

export function ethernet(target: Uint8Array, source: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(14 + payload.length);
  frame.set(target);
  frame.set(source, 6);
  frame[12] = type >> 8;
  frame[13] = type & 255;
  frame.set(payload, 14);
  return frame;
}

export function arp(operation: number, mac: Uint8Array, ip: number, targetMac: Uint8Array, targetIp: number): Uint8Array {
  const packet = new Uint8Array(28);
  const view = new DataView(packet.buffer);
  packet.set([0, 1, 8, 0, 6, 4, 0, operation]);
  packet.set(mac, 8);
  view.setUint32(14, ip);
  packet.set(targetMac, 18);
  view.setUint32(24, targetIp);
  return packet;
}

export function ipv4(protocol: number, source: number, target: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x45;
  view.setUint16(2, packet.length);
  packet[8] = 64;
  packet[9] = protocol;
  view.setUint32(12, source);
  view.setUint32(16, target);
  view.setUint16(10, checksum(packet.subarray(0, 20)));
  packet.set(payload, 20);
  return packet;
}

export function udp(sourcePort: number, targetPort: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(8 + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, targetPort);
  view.setUint16(4, packet.length);
  packet.set(payload, 8);
  return packet;
}

export function icmpEcho(type: number, id: number, data: Uint8Array): Uint8Array {
  const packet = new Uint8Array(8 + data.length);
  const view = new DataView(packet.buffer);
  packet[0] = type;
  view.setUint16(4, id);
  packet.set(data, 8);
  view.setUint16(2, checksum(packet));
  return packet;
}

export interface Segment {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence: number;
  readonly acknowledged: number;
  /** FIN 1, SYN 2, RST 4, PSH 8, ACK 16. */
  readonly flags: number;
  readonly data: Uint8Array;
}

/** `finish` false: the checksum field holds the pseudo header's sum only, as a guest with offloads leaves it. */
export function tcp(source: number, target: number, segment: Segment, finish = true): Uint8Array {
  const packet = new Uint8Array(20 + segment.data.length);
  const view = new DataView(packet.buffer);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.targetPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledged);
  packet[12] = 0x50;
  packet[13] = segment.flags;
  view.setUint16(14, 0xffff);
  packet.set(segment.data, 20);
  const pseudo = pseudoHeader(source, target, 6, packet.length);
  view.setUint16(16, finish ? checksum(pseudo, packet) : ~checksum(pseudo) & 0xffff);
  return packet;
}

export function parseTcp(frame: Uint8Array): Segment {
  const ip = frame.subarray(14);
  const packet = frame.subarray(14 + (ip[0] & 15) * 4, 14 + ((ip[2] << 8) | ip[3]));
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  return {
    sourcePort: view.getUint16(0),
    targetPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledged: view.getUint32(8),
    flags: packet[13],
    data: packet.slice((packet[12] >> 4) * 4),
  };
}

export function pseudoHeader(source: number, target: number, protocol: number, length: number): Uint8Array {
  const pseudo = new Uint8Array(12);
  const view = new DataView(pseudo.buffer);
  view.setUint32(0, source);
  view.setUint32(4, target);
  view.setUint16(8, protocol);
  view.setUint16(10, length);
  return pseudo;
}

/** RFC 1071, over the parts one after another; only the last may be of odd length. */
export function checksum(...parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) for (let i = 0; i < part.length; i++) sum += i & 1 ? part[i] : part[i] << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

export const etherType = (frame: Uint8Array): number => (frame[12] << 8) | frame[13];
export const sourceOf = (frame: Uint8Array): number => macNumber(frame, 6);

export function mac(last: number): Uint8Array {
  return Uint8Array.of(0x56, 0, 0, 0, 0, last);
}
