/**
 * Proves what the pump does for a guest that leaves checksums and segmentation
 * to its adapter, where the network takes plain frames only: right checksums,
 * segments that add up, and no harm from headers that make no sense.
 */
import { MAX_FRAME_BYTES } from './limits';
import { loadNative } from './native';
import { FrameReader } from './frame-stream';
import { checksum, ethernet, ipv4, mac, parseTcp, pseudoHeader, tcp, udp } from './testing/packets';

const native = loadNative();
const out = new Uint8Array(MAX_FRAME_BYTES + 256 * 142);
const [from, to] = [0x0a000001, 0x0a000002];

function header(fields: { flags?: number; gsoType?: number; gsoSize?: number; csumStart?: number; csumOffset?: number }): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes[0] = fields.flags ?? 0;
  bytes[1] = fields.gsoType ?? 0;
  view.setUint16(4, fields.gsoSize ?? 0, true);
  view.setUint16(6, fields.csumStart ?? 0, true);
  view.setUint16(8, fields.csumOffset ?? 0, true);
  return bytes;
}

function finish(head: Uint8Array, frame: Uint8Array): Uint8Array[] {
  const n = native.finish(Buffer.concat([head, frame]), out);
  const frames: Uint8Array[] = [];
  expect(new FrameReader().feed(out.subarray(0, n), (f) => frames.push(new Uint8Array(f)))).toBeNull();
  return frames;
}

const tcpValid = (frame: Uint8Array): boolean =>
  checksum(pseudoHeader(from, to, 6, frame.length - 34), frame.subarray(34)) === 0 && checksum(frame.subarray(14, 34)) === 0;

const segment = { sourcePort: 1, targetPort: 2, sequence: 0xfffffff0, acknowledged: 9, flags: 0x99 };

test('a frame that needs nothing is passed as it is', () => {
  const frame = ethernet(mac(1), mac(2), 0x88b5, new Uint8Array(50).fill(7));
  expect(finish(header({}), frame)).toEqual([frame]);
});

test('a checksum that was left open is filled in, for odd lengths too', () => {
  for (const length of [0, 1, 2, 3, 1459]) {
    const data = new Uint8Array(length).map((_, i) => i * 31);
    const open = ethernet(mac(1), mac(2), 0x800, ipv4(6, from, to, tcp(from, to, { ...segment, data }, false)));
    const [done] = finish(header({ flags: 1, csumStart: 34, csumOffset: 16 }), open);
    expect(done).toEqual(ethernet(mac(1), mac(2), 0x800, ipv4(6, from, to, tcp(from, to, { ...segment, data }))));
  }
});

test('TCP over IPv4 is cut: sequence, flags, lengths, identification, checksums', () => {
  const data = new Uint8Array(40_000).map((_, i) => i * 7);
  const frame = ethernet(mac(1), mac(2), 0x800, ipv4(6, from, to, tcp(from, to, { ...segment, data }, false)));
  const cut = finish(header({ flags: 1, gsoType: 1, gsoSize: 1448, csumStart: 34, csumOffset: 16 }), frame);
  expect(cut.length).toBe(Math.ceil(40_000 / 1448));
  expect(cut.every(tcpValid)).toBe(true);
  const parts = cut.map(parseTcp);
  expect(Buffer.concat(parts.map((p) => p.data)).equals(data)).toBe(true);
  expect(parts.map((p) => p.sequence)).toEqual(parts.map((_, i) => (segment.sequence + i * 1448) >>> 0));
  expect(parts.map((p) => p.flags)).toEqual(parts.map((_, i) => (i === 0 ? 0x90 : i === parts.length - 1 ? 0x19 : 0x10)));
  expect(cut.map((f) => new DataView(f.buffer).getUint16(18))).toEqual(cut.map((_, i) => i));
});

test('a segment for libslirp stays whole, whatever lengths its headers say', () => {
  const data = new Uint8Array(60_000).fill(5);
  const gateway = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2);
  const frame = ethernet(gateway, mac(2), 0x800, ipv4(6, from, to, tcp(from, to, { ...segment, data }, false)));
  frame.fill(0, 16, 18);
  const [whole, ...rest] = finish(header({ flags: 1, gsoType: 1, gsoSize: 1448, csumStart: 34, csumOffset: 16 }), frame);
  expect([rest.length, whole.length, tcpValid(whole)]).toEqual([0, frame.length, true]);
  expect(parseTcp(whole).flags).toBe(segment.flags);
});

test('TCP over IPv6 is cut', () => {
  const data = new Uint8Array(5000).fill(3);
  const packet = tcp(from, to, { ...segment, data }, false);
  const ip6 = new Uint8Array(40 + packet.length);
  ip6.set([0x60, 0, 0, 0, packet.length >> 8, packet.length & 255, 6, 64]);
  ip6.fill(0xfd, 8, 40);
  ip6.set(packet, 40);
  const cut = finish(header({ flags: 1, gsoType: 4, gsoSize: 1428, csumStart: 54, csumOffset: 16 }), ethernet(mac(1), mac(2), 0x86dd, ip6));
  expect(cut.map((f) => f.length - 74)).toEqual([1428, 1428, 1428, 716]);
  for (const f of cut) {
    const bytes = f.length - 54;
    expect(new DataView(f.buffer).getUint16(18)).toBe(bytes);
    expect(checksum(f.subarray(22, 54), Uint8Array.of(0, 0, bytes >> 8, bytes & 255, 0, 0, 0, 6), f.subarray(54))).toBe(0);
  }
});

test('headers that make no sense drop the frame', () => {
  const data = new Uint8Array(60_000);
  const good = ethernet(mac(1), mac(2), 0x800, ipv4(6, from, to, tcp(from, to, { ...segment, data }, false)));
  const datagram = ethernet(mac(1), mac(2), 0x800, ipv4(17, from, to, udp(1, 2, data.subarray(0, 100))));
  for (const [fields, frame] of [
    [{ flags: 1, csumStart: 65_000, csumOffset: 16 }, good],
    [{ flags: 1, csumStart: good.length - 1, csumOffset: 0 }, good],
    [{ flags: 1, csumStart: 34, csumOffset: 65_535 }, good],
    [{ gsoType: 1, gsoSize: 0 }, good],
    [{ gsoType: 1, gsoSize: 1 }, good], // 60,000 segments
    [{ gsoType: 4, gsoSize: 1448 }, good],
    [{ gsoType: 3, gsoSize: 1448 }, good],
    [{ gsoType: 1, gsoSize: 50 }, datagram],
    [{ gsoType: 1, gsoSize: 1448 }, good.subarray(0, 40)],
    [{ gsoType: 1, gsoSize: 1448 }, good.subarray(0, 54)],
  ] as const) {
    expect(finish(header(fields), frame)).toEqual([]);
  }
});

test('random headers and frames stay within the room they have', () => {
  let seed = 99;
  const random = (n: number): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) % n;
  const guarded = new Uint8Array(out.length + 4096).fill(0xa5);
  for (let i = 0; i < 3000; i++) {
    const frame = ethernet(mac(1), mac(2), 0x800, ipv4(6, from, to, tcp(from, to, { ...segment, data: new Uint8Array(random(65_000)) })));
    for (let k = random(6); k > 0; k--) frame[12 + random(60)] = random(256);
    const head = header({ flags: random(4), gsoType: random(6), gsoSize: random(2000), csumStart: random(80), csumOffset: random(40) });
    const n = native.finish(Buffer.concat([head, frame]), guarded.subarray(0, out.length));
    expect(n).toBeLessThanOrEqual(out.length);
  }
  expect(guarded.subarray(out.length).every((byte) => byte === 0xa5)).toBe(true);
});
