/** Proves that frames which came another way reach the adapter first, wait for its room, and that what waits can be taken away. */
import { createFrameRing, FrameProducer } from './frame-ring';
import { RingPort } from './ring-port';

function port(accept: () => boolean) {
  const rx = createFrameRing();
  const ring = new RingPort({ mac: new Uint8Array(6), offloads: false, tx: createFrameRing(), rx, ringBell: () => {} });
  const got: number[] = [];
  ring.connect({
    receive: (frame) => {
      if (!accept()) return false;
      got.push(frame[0]);
      return true;
    },
    setLink: () => {},
  });
  const network = new FrameProducer(rx, () => {});
  return { ring, got, arrive: (first: number) => network.push([new Uint8Array(60).fill(first)]), insert: (first: number) => ring.insert(new Uint8Array(60).fill(first), new Uint8Array(12)) };
}

test('inserted frames come before those of the ring', () => {
  const { ring, got, arrive, insert } = port(() => true);
  arrive(3);
  insert(1);
  insert(2);
  ring.poll();
  expect(got).toEqual([1, 2, 3]);
});

test('a refused frame waits, with all behind it, until the adapter is ready', () => {
  let room = 1;
  const { ring, got, arrive, insert } = port(() => room-- > 0);
  insert(1);
  insert(2);
  arrive(3);
  ring.poll();
  expect(got).toEqual([1]);
  room = 5;
  ring.ready();
  expect(got).toEqual([1, 2, 3]);
});

test('what waits can be taken instead, each frame once', () => {
  const { ring, got, arrive, insert } = port(() => true);
  insert(1);
  arrive(2);
  arrive(3);
  const taken: number[] = [];
  ring.take((frame) => taken.length < 2 && taken.push(frame[0]) > 0);
  expect(taken).toEqual([1, 2]);
  ring.poll();
  expect(got).toEqual([3]);
});
