/** Proves that frames which wait at adapters travel whole and in order, at most once, within their limit, and that garbage is refused. */
import { packFrames, unpackFrames } from './late-frames';

type Waiting = { frame: Uint8Array; header: Uint8Array }[];

const frame = (length: number, first: number): Waiting[number] => ({ frame: new Uint8Array(length).fill(first), header: new Uint8Array(12).fill(first + 100) });
const adapter = (waiting: Waiting) => ({
  take: (take: (frame: Uint8Array, header: Uint8Array) => boolean): void => {
    while (waiting.length > 0 && take(waiting[0].frame, waiting[0].header)) waiting.shift();
  },
});
const unpacked = (packed: Uint8Array): [number, number, number, number][] => {
  const seen: [number, number, number, number][] = [];
  unpackFrames(packed, (nic, bytes, header) => seen.push([nic, bytes.length, bytes[0], header[0]]));
  return seen;
};

test('frames of several adapters, in their order', () => {
  const packed = packFrames([adapter([frame(60, 1), frame(1514, 2)]), adapter([]), adapter([frame(64, 3)])], 10_000);
  expect(unpacked(packed!)).toEqual([[0, 60, 1, 101], [0, 1514, 2, 102], [2, 64, 3, 103]]);
});

test('what is over the limit comes with the next call, nothing twice', () => {
  const waiting = Array.from({ length: 5 }, (_, number) => frame(100, number));
  const source = [adapter(waiting)];
  const calls: number[][] = [];
  for (let packed = packFrames(source, 250); packed; packed = packFrames(source, 250)) {
    expect(packed.length).toBeLessThanOrEqual(250);
    calls.push(unpacked(packed).map(([, , first]) => first));
  }
  expect(calls).toEqual([[0, 1], [2, 3], [4]]);
});

test('nothing waits: null', () => {
  expect(packFrames([adapter([])], 1000)).toBeNull();
});

test.each([
  ['cut short', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 1)],
  ['no room for a head', () => new Uint8Array(7)],
  ['a length of nothing', (bytes: Uint8Array) => bytes.slice().fill(0, 4, 8)],
  ['a length beyond the end', (bytes: Uint8Array) => bytes.slice().fill(0xff, 4, 8)],
])('garbage is refused: %s', (_, damage) => {
  const packed = packFrames([adapter([frame(60, 1)])], 1000)!;
  expect(() => unpackFrames(damage(packed), () => {})).toThrow(RangeError);
});
