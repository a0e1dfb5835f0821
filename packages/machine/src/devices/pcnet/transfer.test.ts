/** Proves both rings in every software style and width: data, chains, statuses, loopback, save and restore. */
import { get32 } from './bytes';
import { frameCheck } from './crc32';
import { type DriverOptions, PcnetDriver, started } from './testing/driver';
import { BROADCAST, frameTo, MAC } from './testing/network';

const STYLES: DriverOptions[] = [
  { style: 0, width: 'word' },
  { style: 1, width: 'word' },
  { style: 2, width: 'word' },
  { style: 3, width: 'dword' },
  { style: 0, width: 'dword', space: 'memory' },
  { style: 3, width: 'word', space: 'memory', model: 'am79c973' },
];
const name = ({ style, width, space = 'io', model }: DriverOptions): string =>
  `style ${style}, ${width} ${space}${model ? `, ${model}` : ''}`;
const check = (bytes: Uint8Array): void => {
  const data = bytes.length - 4;
  expect(get32(bytes, data)).toBe(frameCheck(bytes, data));
};

describe.each(STYLES.map((options) => [name(options), options] as const))('%s', (_name, options) => {
  test('sends, whole and in parts, more often than the ring is long', () => {
    const d = started(options);
    for (let round = 0; round < 7; round++) {
      const frame = frameTo(BROADCAST, 60 + round * 200, round);
      const parts = round % 2 ? [frame] : [frame.subarray(0, 14), frame.subarray(14, 15), frame.subarray(15)];
      const first = d.put(parts);
      expect(d.network.sent.pop()).toEqual(frame);
      expect(d.readTransmit(first)).toEqual({ status: parts.length === 1 ? 0x0300 : 0x0200, errors: 0 });
      expect(d.csr(0) & 0xff00).toBe(0x0200);
      expect(d.interrupting).toBe(true);
      d.setCsr(0, 0x0240);
      expect(d.interrupting).toBe(false);
    }
  });

  test('receives with frame check sequence, padded to 64 bytes', () => {
    const d = started(options);
    for (const length of [14, 42, 60, 61, 1514, 590, 1514]) {
      const frame = frameTo(MAC, length, length);
      expect(d.network.arrive(frame)).toBe(true);
      expect(d.csr(0) & 0xff00).toBe(0x0400);
      expect(d.interrupting).toBe(true);
      d.setCsr(0, 0x0440);
      const { bytes, status } = d.take()!;
      expect(status).toBe(options.style ? 0x0340 : 0x0300);
      expect(bytes.length).toBe(Math.max(60, length) + 4);
      expect(bytes.subarray(0, length)).toEqual(frame);
      expect(bytes.subarray(length, -4).every((byte) => byte === 0)).toBe(true);
      check(bytes);
    }
    expect(d.take()).toBeUndefined();
  });

  test('receives into chained buffers', () => {
    const d = started({ ...options, bufferBytes: 400 });
    for (let round = 0; round < 5; round++) {
      const frame = frameTo(MAC, 1000 + round, round);
      expect(d.network.arrive(frame)).toBe(true);
      const at = d.receiveAt;
      expect([0, 1, 2].map((each) => d.readReceive((at + each) & 3).status & 0x8300)).toEqual([0x0200, 0, 0x0100]);
      expect(d.take()!.bytes.subarray(0, -4)).toEqual(frame);
    }
  });

  test('sends to itself in internal loopback', () => {
    const d = started({ ...options, mode: 0x0044 });
    expect(d.network.arrive(frameTo(MAC, 100))).toBe(true);
    expect(d.take()).toBeUndefined();
    const frame = frameTo(MAC, 64);
    d.put([frame]);
    expect(d.network.sent).toEqual([]);
    const { bytes } = d.take()!;
    expect(bytes.subarray(0, -4)).toEqual(frame);
    check(bytes);
    expect(d.csr(0) & 0x0600).toBe(0x0600);
  });

  test('goes on after save and restore, in the middle of both rings', () => {
    const d = started(options);
    d.put([frameTo(BROADCAST, 60)]);
    d.network.arrive(frameTo(MAC, 77));
    d.setCsr(0, 0x0240);
    d.put([frameTo(BROADCAST, 99).subarray(0, 50)], { demand: false, end: false });
    d.network.arrive(frameTo(MAC, 78));
    const other = new PcnetDriver(options);
    const saved = JSON.parse(JSON.stringify(d.bench.machine.save()));
    other.bench.machine.restore(saved);
    other.bench.machine.resume();
    other.ram.bytes.set(d.ram.bytes);
    [other.transmitAt, other.receiveAt] = [d.transmitAt, d.receiveAt];
    expect(other.bench.machine.save()).toEqual(d.bench.machine.save());
    for (const each of [d, other]) {
      expect(each.csr(0)).toBe(0x04f3);
      expect(each.interrupting).toBe(true);
      each.transmitAt = 2;
      each.put([frameTo(BROADCAST, 99).subarray(50)]);
      // The second half was put as a frame of its own start: both belong to the first.
      expect(each.network.sent.at(-1)).toEqual(frameTo(BROADCAST, 99));
      expect([each.take()!.bytes.length, each.take()!.bytes.length, each.take()]).toEqual([81, 82, undefined]);
    }
    expect(other.bench.machine.save()).toEqual(d.bench.machine.save());
    expect(Buffer.compare(other.ram.bytes, d.ram.bytes)).toBe(0);
  });
});
