/**
 * Proves that frames cross between two real threads complete and in order,
 * whatever their lengths; that no wake-up is lost and none is given twice; that
 * a full ring refuses, and a damaged one harms nobody.
 */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { createFrameRing, FrameConsumer, FrameProducer, RING_LAYOUT, ringCounters } from './frame-ring';
import { MAX_FRAME_BYTES, MIN_RING_BYTES } from './limits';
import { loadNative } from './native';
import { RingPort } from './ring-port';
import { frameLength } from './testing/ring-peer';

const silent = (): void => {};

function pattern(length: number, mark: number): Uint8Array {
  return new Uint8Array(length).fill(mark & 255);
}

test('the layout is the same in C++', () => {
  expect(Object.fromEntries(loadNative().ringLayout())).toEqual(RING_LAYOUT);
});

test('any sequence of puts and takes is a queue of frames with headers', () => {
  const step = fc.oneof(
    fc.record({ put: fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 60_000, max: 66_000 })) }),
    fc.record({ take: fc.integer({ min: 1, max: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 0, max: 2 ** 32 - 1 }), (steps, start) => {
      const buffer = createFrameRing(MIN_RING_BYTES);
      // Anywhere in the counters' range, past their overflow too.
      const words = new Int32Array(buffer);
      words[RING_LAYOUT.head / 4] = words[RING_LAYOUT.tail / 4] = start & ~15;
      const producer = new FrameProducer(buffer, silent);
      const consumer = new FrameConsumer(buffer, silent);
      const model: { length: number; mark: number }[] = [];
      let mark = 0;
      let dropped = 0;
      for (const s of steps) {
        if ('put' in s) {
          mark++;
          const header = pattern(12, mark + 1);
          const frame = pattern(s.put, mark);
          const cut = Math.floor(s.put / 3);
          const taken = producer.push([frame.subarray(0, cut), frame.subarray(cut)], header);
          if (s.put < 14 || s.put > MAX_FRAME_BYTES) expect(taken).toBe(false);
          if (taken) model.push({ length: s.put, mark });
          else dropped++;
        } else {
          let left = s.take;
          const more = consumer.drain((frame, header) => {
            const want = model[0];
            expect(frame.length).toBe(want.length);
            expect(frame[0]).toBe(want.mark & 255);
            expect(frame[frame.length - 1]).toBe(want.mark & 255);
            expect(header[0]).toBe((want.mark + 1) & 255);
            if (left-- === 0) return false; // refused: it must come again
            model.shift();
            return true;
          }, 15);
          expect(more).toBe(model.length > 0);
        }
      }
      expect(ringCounters(buffer).dropped).toBe(dropped);
    }),
    { numRuns: 60 },
  );
});

test('between threads nothing is lost, doubled or reordered, both ways at once', async () => {
  const count = 12_000;
  const [fromPeer, toPeer] = [createFrameRing(MIN_RING_BYTES), createFrameRing(MIN_RING_BYTES)];
  const signalBuffer = new SharedArrayBuffer(4);
  const signal = new Int32Array(signalBuffer);
  const worker = new Worker(path.join(__dirname, '..', 'dist', 'testing', 'ring-peer.js'), {
    workerData: { tx: fromPeer, rx: toPeer, count, seed: 7, signal: signalBuffer },
  });
  const ended = new Promise<number>((resolve, reject) => worker.on('message', resolve).on('error', reject));
  const consumer = new FrameConsumer(fromPeer, silent);
  const producer = new FrameProducer(toPeer, silent);
  let next = 0;
  const back = new Uint8Array(100);
  while (next < count) {
    const before = Atomics.load(signal, 0);
    const more = consumer.drain((frame) => {
      if (new DataView(frame.buffer, frame.byteOffset).getUint32(0) !== next) throw new Error(`frame ${next} is not in its place`);
      if (frame.length !== frameLength(next, 7) || frame.subarray(4).some((byte) => byte !== (next & 255)))
        throw new Error(`frame ${next} is damaged`);
      producer.push([back]);
      next++;
      return true;
    }, 64);
    // Asleep: only a wake-up may end this, so a lost one shows.
    if (!more && next < count && Atomics.wait(signal, 0, before, 5000) === 'timed-out') throw new Error('a wake-up was lost');
  }
  expect(ringCounters(fromPeer).frames).toBe(count);
  await ended;
  await worker.terminate();
});

test('the producer wakes once a sleep; a waiting producer is woken at half', () => {
  const buffer = createFrameRing(MIN_RING_BYTES);
  let woken = 0;
  let room = 0;
  const producer = new FrameProducer(buffer, () => woken++);
  const consumer = new FrameConsumer(buffer, () => room++);
  const frame = pattern(60_000, 1);
  producer.push([frame]);
  expect(woken).toBe(0); // nobody slept yet
  consumer.drain(() => true, 10);
  producer.push([frame]);
  producer.push([frame]);
  expect(woken).toBe(1);
  while (producer.push([frame]));
  expect(producer.awaitRoom()).toBe(true);
  consumer.drain(() => true, 1);
  expect(room).toBe(0);
  consumer.drain(() => true, 5);
  expect(room).toBe(1);
  expect(producer.awaitRoom()).toBe(false);
});

test('a ring with damaged contents gives nothing wrong, and goes on', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(400), fc.integer()), { minLength: 1, maxLength: 20 }), (writes) => {
      const buffer = createFrameRing(MIN_RING_BYTES);
      const producer = new FrameProducer(buffer, silent);
      for (let i = 0; i < 20; i++) producer.push([pattern(60, i)]);
      const words = new Int32Array(buffer);
      for (const [at, value] of writes) words[at] = value;
      let bytes = 0;
      new FrameConsumer(buffer, silent).drain((frame) => ((bytes += frame.length), true), 100);
      expect(bytes).toBeLessThanOrEqual(100 * MAX_FRAME_BYTES);
    }),
    { numRuns: 300 },
  );
  expect(() => createFrameRing(1000)).toThrow(RangeError);
  expect(() => new FrameProducer(new SharedArrayBuffer(5000), silent)).toThrow(RangeError);
});

test('the adapter: refused frames stay in order until it is ready, even if it says so in the midst', () => {
  const [tx, rx] = [createFrameRing(MIN_RING_BYTES), createFrameRing(MIN_RING_BYTES)];
  let rung = 0;
  const port = new RingPort({ mac: new Uint8Array(6), offloads: false, tx, rx, ringBell: () => rung++ });
  let kicked = 0;
  const pump = new FrameProducer(rx, () => kicked++);
  const got: number[] = [];
  let room = 2;
  const links: boolean[] = [];
  port.connect({
    receive: (frame, header) => {
      expect(header).toBeUndefined();
      if (room === 0) return false;
      room--;
      got.push(frame[0]);
      return true;
    },
    setLink: (up) => links.push(up),
  });
  for (let i = 0; i < 5; i++) pump.push([pattern(60, i)]);
  expect(port.poll()).toBe(false);
  expect(got).toEqual([0, 1]);
  room = 2;
  port.ready();
  expect(got).toEqual([0, 1, 2, 3]);
  room = 10;
  port.ready();
  expect(got).toEqual([0, 1, 2, 3, 4]);
  pump.push([pattern(60, 5)]);
  expect(kicked).toBe(1);
  port.setLink(false);
  expect(port.poll()).toBe(false);
  port.send([pattern(60, 0)]);
  expect(ringCounters(tx).frames).toBe(0);
  port.setLink(true);
  expect([got.length, links]).toEqual([5, [true, false, true]]);

  // `ready` from inside a refusal must not lose the frame or recurse.
  let asked = 0;
  const late: number[] = [];
  const eager = new RingPort({ mac: new Uint8Array(6), offloads: true, tx, rx, ringBell: silent });
  eager.connect({
    setLink: silent,
    receive: (frame, header) => {
      expect(header?.length).toBe(12);
      if (++asked === 1) return eager.ready(), false;
      late.push(frame[0]);
      return true;
    },
  });
  pump.push([pattern(60, 9)]);
  eager.poll();
  expect(late).toEqual([9]);
  expect(rung).toBe(0);
});
