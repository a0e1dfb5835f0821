/** The other thread of the ring test: puts numbered frames of many lengths into `tx`, and sends back what comes in `rx`. */
import { parentPort, workerData } from 'node:worker_threads';
import { FrameConsumer, FrameProducer } from '../frame-ring';

interface Peer {
  readonly tx: SharedArrayBuffer;
  readonly rx: SharedArrayBuffer;
  readonly signal: SharedArrayBuffer;
  readonly count: number;
  readonly seed: number;
}

export function frameLength(index: number, seed: number): number {
  const r = Math.imul(index + seed, 0x9e3779b1) >>> 0;
  return 14 + (r % 16 === 0 ? r % 65_536 : r % 1600);
}

if (parentPort && workerData) {
  const { tx, rx, count, seed } = workerData as Peer;
  const signal = new Int32Array((workerData as Peer).signal);
  const wake = (): void => {
    Atomics.add(signal, 0, 1);
    Atomics.notify(signal, 0);
  };
  const producer = new FrameProducer(tx, wake);
  const consumer = new FrameConsumer(rx, () => {});
  const frame = new Uint8Array(70_000);
  let sums = 0;
  for (let index = 0; index < count; ) {
    const length = frameLength(index, seed);
    new DataView(frame.buffer).setUint32(0, index);
    frame.fill(index & 255, 4, length);
    // A drop is not a loss here: the same frame is tried again.
    if (producer.push([frame.subarray(0, 7), frame.subarray(7, length)])) index++;
    consumer.drain((got) => ((sums = (sums + got.length) | 0), true), 8);
  }
  parentPort.postMessage(sums);
}
