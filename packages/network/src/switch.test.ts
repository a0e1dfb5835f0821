/** Proves the switch's learning, moving, ageing, pinning and its limits, and that any stream of chunks gives the same frames. */
import fc from 'fast-check';
import { FrameReader, putFrame, streamBytes } from './frame-stream';
import { LEARNED_AGE_MS, MAX_LEARNED_PER_PORT, MAX_PORTS } from './limits';
import { macNumber } from './mac';
import { Switch } from './switch';
import { BROADCAST, ethernet, mac } from './testing/packets';

class Bench {
  now = 0;
  readonly fabric = new Switch(() => this.now);
  readonly got: string[] = [];

  port(name: string, accepts = true): number {
    return this.fabric.attach({ send: (frame) => (this.got.push(`${name}:${frame[14]}`), accepts) });
  }

  /** Who gets a frame. */
  sent(port: number, source: Uint8Array, target: Uint8Array, mark = 0): string[] {
    this.got.length = 0;
    this.fabric.receive(port, ethernet(target, source, 0x800, Uint8Array.of(mark)));
    return this.got.map((line) => line.split(':')[0]);
  }
}

test('floods what it does not know, then learns, and follows a VM that moves', () => {
  const bench = new Bench();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => bench.port(name));
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['b', 'c']);
  expect(bench.sent(b, mac(2), mac(1))).toEqual(['a']);
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['b']);
  expect(bench.sent(c, mac(2), BROADCAST)).toEqual(['a', 'b']); // migrated: announces itself
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['c']);
  expect(bench.sent(b, mac(2), mac(1))).toEqual(['a']); // and back
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['b']);
  expect(bench.sent(a, mac(3), mac(1))).toEqual([]); // both behind one port
  bench.fabric.detach(b);
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['c']);
});

test('forgets whom it has not seen for long', () => {
  const bench = new Bench();
  const [a, b] = ['a', 'b', 'c'].map((name) => bench.port(name));
  bench.sent(b, mac(2), BROADCAST);
  bench.now = LEARNED_AGE_MS;
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['b']);
  bench.now += 1;
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['b', 'c']);
});

test('drops what no honest port sends, and lets nobody pass for a pinned address', () => {
  const bench = new Bench();
  const [a, b] = ['a', 'b'].map((name) => bench.port(name));
  bench.fabric.pin(macNumber(mac(9), 0), b);
  expect(bench.sent(a, mac(9), BROADCAST)).toEqual([]);
  expect(bench.sent(a, mac(1), mac(9))).toEqual(['b']);
  expect(bench.sent(b, mac(9), mac(1))).toEqual(['a']);
  expect(bench.sent(a, BROADCAST, mac(9))).toEqual([]);
  expect(bench.sent(a, new Uint8Array(6), mac(9))).toEqual([]);
  expect(bench.sent(a, mac(1), Uint8Array.of(1, 0x80, 0xc2, 0, 0, 0))).toEqual([]);
  bench.fabric.receive(a, new Uint8Array(13));
  bench.fabric.receive(999, new Uint8Array(60));
  expect(bench.fabric.counters()[0]).toMatchObject({ received: 6, dropped: 5 });
});

test('a guest that invents addresses loses its own, not those of others', () => {
  const bench = new Bench();
  const [a, b] = ['a', 'b', 'c'].map((name) => bench.port(name));
  bench.sent(b, mac(2), BROADCAST);
  for (let i = 0; i < 5000; i++) bench.sent(a, Uint8Array.of(2, 0, 0, 0, i >> 8, i), BROADCAST);
  expect(bench.fabric.counters()[0].addresses.length).toBe(MAX_LEARNED_PER_PORT);
  expect(bench.sent(a, mac(1), mac(2))).toEqual(['b']);
});

test('ports are counted, and full ones drop', () => {
  const bench = new Bench();
  const a = bench.port('a');
  bench.port('full', false);
  bench.sent(a, mac(1), BROADCAST);
  expect(bench.fabric.counters()[1]).toMatchObject({ sent: 0, dropped: 1 });
  for (let i = 2; i < MAX_PORTS; i++) expect(bench.port('x')).toBeGreaterThan(0);
  expect(bench.port('one too many')).toBe(0);
});

test('however the stream is cut, the frames are the same', () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: 14, max: 100 }), fc.integer({ min: 14, max: 65_550 })), { maxLength: 6 });
  fc.assert(
    fc.property(lengths, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = new Uint8Array(frames.reduce((sum, n) => sum + 4 + n, 0));
      frames.reduce((at, n, i) => putFrame(bytes, at, new Uint8Array(n).fill(i + 1)), 0);
      const reader = new FrameReader();
      const got: number[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const chunk = bytes.subarray(at, at + cuts[i % cuts.length]);
        expect(
          reader.feed(chunk, (frame) => {
            expect(frame.every((byte) => byte === got.length + 1)).toBe(true);
            got.push(frame.length);
          }),
        ).toBeNull();
        at += chunk.length;
      }
      expect(got).toEqual(frames);
    }),
    { numRuns: 50 },
  );
});

test('a length that no frame has ends the stream, at once or in pieces', () => {
  for (const length of [0, 13, 65_551, 0xffffffff]) {
    const head = new Uint8Array(4);
    new DataView(head.buffer).setUint32(0, length);
    const take = jest.fn();
    expect(new FrameReader().feed(head, take)).toMatch(/14 to 65550/);
    const reader = new FrameReader();
    expect(reader.feed(head.subarray(0, 3), take)).toBeNull();
    expect(reader.feed(head.subarray(3), take)).toMatch(/14 to 65550/);
    expect(take).not.toHaveBeenCalled();
  }
  expect(streamBytes(new Uint8Array(60))).toBe(64);
});
