/**
 * Proves that the guest cannot tell whether the machine was saved and went on
 * elsewhere: the same accesses give the same answers, whichever of them the
 * move came before. Requests that were open are asked for again.
 */
import { type IdeBench, type TestDisk, withBoth } from './testing';

type Bench = ReturnType<typeof withBoth>;

function pioWrite({ b, disk }: Bench): unknown {
  b.command(0xc6, { count: 2 });
  b.command(0xc5, { lba: 10, count: 3 });
  const seen = [];
  for (const sectors of [2, 1]) {
    b.writeWords(new Uint8Array(sectors * 512).map((_, index) => index * 7));
    seen.push(b.irqs[14], b.in(7));
  }
  return [seen, disk.serve(), b.irqs[14], b.in(7)];
}

function pioRead({ b, disk }: Bench): unknown {
  b.command(0x24, { lba: 9, count: 3, ext: true });
  const got: number[] = [];
  for (let i = 0; i < 3; i++) {
    got.push(b.in(7));
    disk.serve();
    got.push(b.in(7), ...b.readWords(512));
  }
  return [got, b.in(7)];
}

function dma({ b, disk }: Bench): unknown {
  b.command(0xc8, { lba: 20, count: 4 });
  b.startDma(
    [
      [0x10000, 1000],
      [0x12000, 1048],
    ],
    true,
  );
  const during = [b.in(7), b.busMasterStatus];
  disk.serve();
  return [during, b.irqs[14], b.busMasterStatus, b.in(7), [...b.ram.bytes.subarray(0x10000, 0x12418)]];
}

function trim({ b, disk }: Bench): unknown {
  const ranges = new DataView(b.ram.bytes.buffer, 0x10000, 512);
  for (let i = 0; i < 64; i++) ranges.setUint32(i * 8, i, true);
  for (const i of [1, 9, 63]) ranges.setUint32(i * 8 + 4, 1 << 16, true);
  b.command(0x06, { features: 1, count: 1, ext: true });
  b.startDma([[0x10000, 512]], false);
  const seen: number[] = [];
  while (b.in(7) & 0x80 && seen.length < 8) seen.push(disk.serve());
  return [seen, disk.discards];
}

function cd({ b, disc }: Bench): unknown {
  const read = b.packet([0x28, 0, 0, 0, 0, 2, 0, 0, 1], { device: 0x10, limit: 700, serve: () => void disc.serve() });
  b.sendPacket([0x28, 0, 0, 0, 0, 5, 0, 0, 1], { device: 0x10, dma: true });
  b.startDma([[0x20000, 2048]], true);
  b.in(7);
  disc.serve();
  const failed = [b.packet([0xfe], { device: 0x10 }), b.packet([3, 0, 0, 0, 18], { device: 0x10 })];
  b.sendPacket([0x12, 0, 0, 0, 36], { device: 0x10, dma: true });
  b.startDma([[0x30000, 36]], true);
  return [read, failed, b.in(7), [...b.ram.bytes.subarray(0x20000, 0x20800), ...b.ram.bytes.subarray(0x30000, 0x30030)]];
}

function reset({ b, disk }: Bench): unknown {
  b.command(0xc8, { lba: 20, count: 1 });
  b.startDma([[0x10000, 512]], true);
  b.ports.out(0x3f6, 1, 4);
  const held = b.in(7);
  disk.serve();
  b.ports.out(0x3f6, 1, 0);
  return [held, b.in(7), b.in(1)];
}

const content = ({ disk }: { disk: TestDisk }): Buffer => Buffer.from(disk.content.subarray(0, 0x4000));

test.each([pioWrite, pioRead, dma, trim, cd, reset])('%p', (scenario: (bench: Bench) => unknown) => {
  const plain = withBoth();
  const expected = scenario(plain);
  const last: IdeBench = plain.b;
  // Every access, or so many of the data port's long runs; an odd stride, to meet either half of what comes in twos.
  const stride = Math.floor(last.accesses / 40) | 1;
  for (let at = 0; at < last.accesses; at += stride) {
    const moved = withBoth();
    moved.b.migrateBefore = at;
    expect([at, scenario(moved)]).toEqual([at, expected]);
    expect(moved.b.accesses).toBe(last.accesses);
    expect(content(moved).equals(content(plain))).toBe(true);
  }
});
