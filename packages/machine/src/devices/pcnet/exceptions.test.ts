/** Proves what is not a plain transfer: filters, padding, masks, errors of every kind, full rings, suspension, restarts. */
import { frameCheck } from './crc32';
import { started } from './testing/driver';
import { BROADCAST, concatenate, frameTo, MAC } from './testing/network';

test('16-bit addresses get their top byte from the initialization block', () => {
  const d = started({ style: 0 });
  d.setCsr(0, 4);
  d.setCsr(2, 0x0100); // 16 MiB further on, where there is no RAM
  d.setCsr(5, 0x0400);
  d.setCsr(0, 0x0043);
  expect([d.csr(0), d.csr(5) & 0x0c00, d.interrupting]).toEqual([0x0084, 0x0c00, true]);
  d.setCsr(5, 0x0c00);
  expect(d.interrupting).toBe(false);
});

test('addresses: own, others, broadcast, multicast by hash, promiscuous', () => {
  const group = Uint8Array.of(0x01, 0x00, 0x5e, 0x00, 0x00, 0x01);
  const passes = (mode: number, target: Uint8Array, logicalFilter = [0, 0, 0, 0]): number | undefined => {
    const d = started({ mode, logicalFilter });
    d.network.arrive(frameTo(target, 60));
    const taken = d.take();
    return taken && taken.status & 0x70;
  };
  const other = Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x57);
  // 01:00:5e:00:00:01 selects bit 54.
  const hash = [0, 0, 0, 0x0040];
  expect([MAC, other, BROADCAST, group].map((target) => passes(0, target))).toEqual([0x40, undefined, 0x10, undefined]);
  expect(passes(0, group, hash)).toBe(0x20);
  expect(passes(0, group, [0xffff, 0xffff, 0xffff, 0xffbf])).toBeUndefined();
  expect([MAC, other, BROADCAST, group].map((target) => passes(0x8000, target))).toEqual([0x40, 0, 0x10, 0]);
  expect([MAC, BROADCAST].map((target) => passes(0x6000, target))).toEqual([undefined, undefined]);
  expect(passes(0x4000, BROADCAST, [0xffff, 0xffff, 0xffff, 0xffff])).toBe(0x20);
});

test('auto-pad, strip, and frames that bring their own check sequence', () => {
  const d = started();
  d.setCsr(4, 0x0d15);
  const short = frameTo(BROADCAST, 20);
  d.put([short]);
  expect(d.network.sent.pop()).toEqual(concatenate([short, new Uint8Array(40)]));
  const frame = frameTo(MAC, 60);
  frame.set([0, 30], 12);
  d.network.arrive(frame);
  expect(d.take()!.bytes).toEqual(frame.subarray(0, 44));
  frame.set([0, 46], 12);
  d.network.arrive(frame);
  expect(d.take()!.bytes.length).toBe(64);
  const own = started({ mode: 0x0008 });
  const sum = frameCheck(frame, 60);
  const withSum = concatenate([frame, Uint8Array.of(sum, sum >>> 8, sum >>> 16, sum >>> 24)]);
  own.put([withSum]);
  expect(own.network.sent).toEqual([frame]);
  withSum[20] ^= 1;
  own.put([withSum]);
  expect(own.network.sent.length).toBe(1);
  own.put([withSum], { status: 0x2000 });
  expect(own.network.sent.pop()).toEqual(withSum);
  const loop = started({ mode: 0x004c });
  loop.put([withSum]);
  expect(loop.take()!.status & 0x4800).toBe(0x4800);
});

test('masks, and transmit interrupts that the driver does not want', () => {
  const d = started();
  d.setCsr(3, 0x0200);
  d.put([frameTo(BROADCAST, 60)]);
  expect([d.csr(0) & 0x0280, d.interrupting]).toEqual([0x0200, false]);
  d.setCsr(3, 0);
  expect([d.csr(0) & 0x0280, d.interrupting]).toEqual([0x0280, true]);
  d.setCsr(0, 0x0200); // IENA off
  d.network.arrive(frameTo(MAC, 60));
  expect([d.csr(0) & 0x0480, d.interrupting]).toEqual([0x0480, false]);
  d.setCsr(0, 0x0440);
  d.setCsr(5, 0x8000); // TOKINTD
  d.put([frameTo(BROADCAST, 60)]);
  expect(d.csr(0) & 0x0200).toBe(0);
  d.setCsr(5, 0x4000); // LTINTEN
  d.put([frameTo(BROADCAST, 60)]);
  expect(d.csr(0) & 0x0200).toBe(0);
  d.put([frameTo(BROADCAST, 60)], { status: 0x1000 });
  expect(d.csr(0) & 0x0200).toBe(0x0200);
});

test('a cable that is pulled: loss of carrier, nothing received', () => {
  const d = started();
  d.card.setLink(false);
  const at = d.put([frameTo(BROADCAST, 60)]);
  expect(d.readTransmit(at)).toEqual({ status: 0x4300, errors: 0x0800 });
  expect(d.network.sent).toEqual([]);
  d.network.arrive(frameTo(MAC, 60));
  expect(d.take()).toBeUndefined();
});

test('babble: a frame beyond the limit is reported and not sent', () => {
  const d = started();
  d.put([new Uint8Array(1514)]);
  expect(d.csr(0) & 0xc000).toBe(0);
  d.put([new Uint8Array(1518)]);
  expect(d.network.sent.length).toBe(2);
  expect(d.csr(0) & 0xc000).toBe(0xc000);
  d.setCsr(0, 0x4040);
  d.put([new Uint8Array(2000)]);
  expect(d.network.sent.length).toBe(2);
  expect([d.csr(0) & 0xc210, d.readTransmit(2).status]).toEqual([0xc210, 0x0300]);
});

test('a full ring: frames wait, come when there is room, and are missed in the end', () => {
  const d = started();
  for (let each = 0; each < 4; each++) expect(d.network.arrive(frameTo(MAC, 60 + each))).toBe(true);
  expect(d.network.arrive(frameTo(MAC, 64))).toBe(false);
  expect(d.take()!.bytes.length).toBe(64);
  d.setCsr(0, 0x0440); // as a driver does when it has served the interrupt
  expect(d.network.waiting.length).toBe(0);
  expect(d.network.arrive(frameTo(MAC, 65))).toBe(false);
  expect(d.take()!.bytes.length).toBe(65);
  d.bench.runTo(d.bench.clock.ns + 2_000_000); // or without
  expect(d.network.waiting.length).toBe(0);
  expect(d.csr(112)).toBe(0);
  expect(d.network.arrive(frameTo(MAC, 66))).toBe(false);
  d.bench.runTo(d.bench.clock.ns + 100_000_000);
  expect([d.network.waiting.length, d.csr(0) & 0x9000, d.csr(112)]).toEqual([0, 0x9000, 1]);
  expect(d.network.arrive(frameTo(MAC, 67))).toBe(true);
  expect(d.csr(112)).toBe(2);
  const lengths: number[] = [];
  for (let taken = d.take(); taken; taken = d.take()) lengths.push(taken.bytes.length);
  expect(lengths).toEqual([66, 67, 68, 69]);
  expect(d.network.arrive(frameTo(MAC, 68))).toBe(true);
  expect([d.take()!.bytes.length, d.csr(112)]).toEqual([72, 2]);
});

test('a frame that no ring of this size holds ends in a buffer error', () => {
  const d = started({ bufferBytes: 100 });
  expect(d.network.arrive(frameTo(MAC, 1000))).toBe(true);
  expect([0, 1, 2, 3].map((index) => d.readReceive(index).status)).toEqual([0x0200, 0, 0, 0x5400]);
});

test('suspended, both rings stand still and then go on where they were', () => {
  const d = started();
  d.put([frameTo(BROADCAST, 60)]);
  d.setCsr(5, 1);
  d.put([frameTo(BROADCAST, 61)]);
  expect(d.network.arrive(frameTo(MAC, 60))).toBe(false);
  expect(d.network.sent.length).toBe(1);
  d.setCsr(15, 0x8000);
  d.setCsr(5, 0);
  expect(d.network.sent.length).toBe(2);
  expect([d.take()!.bytes.length, d.csr(15)]).toEqual([64, 0x8000]);
});

test('STRT after STOP begins both rings anew', () => {
  const d = started();
  for (let each = 0; each < 3; each++) {
    d.put([frameTo(BROADCAST, 60)]);
    d.network.arrive(frameTo(MAC, 60));
  }
  expect([d.csr(34), d.csr(28), d.csr(74)]).toEqual([0x5030, 0x2030, 0xffff]);
  d.setCsr(0, 4);
  d.setCsr(0, 0x0042);
  expect([d.csr(34), d.csr(28), d.csr(74)]).toEqual([0x5000, 0x2000, 0xfffc]);
});

test('registers instead of an initialization block, with a ring of an odd length', () => {
  const d = started();
  d.setCsr(0, 4);
  d.setCsr(78, 0x10000 - 3);
  d.setCsr(0, 0x0042);
  d.transmitAt = 0;
  const lengths = [60, 61, 62, 63, 64].map((length, round) => {
    d.transmitAt = round % 3;
    d.put([frameTo(BROADCAST, length)]);
    return d.network.sent.at(-1)!.length;
  });
  expect(lengths).toEqual([60, 61, 62, 63, 64]);
});
