/**
 * Proves two promises of the APICs under any accesses in any order: nothing
 * throws, spins or leaves its range; and a machine saved and restored in the
 * middle goes on exactly as the original.
 */
import { Bench, seededRandom, TestClock } from '../testing';
import { IO_APIC_AT } from './io-apic';
import { LOCAL_APIC_AT } from './local-apic';

type Random = (below: number) => number;
const SIZES = [1, 2, 4] as const;

function bench(ns = 0): Bench {
  const clock = new TestClock(ns);
  const now = (): bigint => BigInt(Math.floor(clock.ns * 3));
  return new Bench(clock, { tsc: { now, nsAt: (tsc) => clock.ns + Number(tsc - now()) / 3 } });
}

/** One thing that a guest, a device or time does; the answer is everything observable. */
function step(b: Bench, random: Random): string {
  const { machine } = b;
  const aligned = random(8) > 0;
  const size = aligned ? 4 : SIZES[random(3)];
  const value = random(3) ? random(0x100) | (random(0x200) << 8) : random(2 ** 32);
  const local = LOCAL_APIC_AT + (aligned ? random(0x40) * 16 : random(0x400));
  const io = IO_APIC_AT + (aligned ? [0, 0x10, 0x10, 0x40][random(4)] : random(0x50));
  let seen: unknown;
  const kind = random(100);
  if (kind < 15) seen = machine.mmio.read(local, size);
  else if (kind < 35) machine.mmio.write(local, size, value);
  else if (kind < 40) seen = machine.mmio.read(io, size);
  else if (kind < 55) machine.mmio.write(io, size, random(2) ? value : random(0x40));
  else if (kind < 65) machine.irqLine([1, 3, 4, 5, 6, 7, 12, 14, 15][random(9)])(random(2) === 0);
  else if (kind < 70) machine.msi(random(2) ? 0xfee00000 + random(0x100000) : 0xfee00000, value);
  else if (kind < 80) seen = machine.irqPending() ? machine.acknowledgeIrq() : machine.acknowledgeIrq() + 1000;
  else if (kind < 84)
    seen = machine.apicMsrs?.writeDeadline(
      random(4) ? BigInt(Math.floor(b.clock.ns * 3)) + BigInt(random(2 ** 32)) : BigInt(random(2 ** 32)) << 32n,
    );
  else if (kind < 85)
    seen = machine.apicMsrs?.writeBase(0xfee00000n | [0n, 0x800n, 0x900n, 0x900n][random(4)] | (random(20) ? 0n : BigInt(random(2 ** 32))));
  else if (kind < 86) machine.apicMsrs?.writeBase(0xfee00900n);
  else if (kind < 88) machine.acknowledgeNmi();
  else {
    b.clock.ns += random(4) === 0 ? random(2_000_000_000) : random(50_000);
    machine.advance(b.clock.ns);
  }
  const deadline = machine.nextDeadlineNs();
  if (Number.isNaN(deadline)) throw new Error('deadline is NaN');
  if (typeof seen === 'number' && !(Number.isInteger(seen) && seen >= 0 && seen < 2 ** 32)) throw new Error(`read gave ${seen}`);
  return `${kind} ${String(seen)} ${machine.irqPending()} ${machine.nmiPending()} ${deadline} ${String(machine.apicMsrs?.readDeadline())}`;
}

test.each([1, 2, 3, 4])('any accesses, seed %i: in range, and deadlines make progress', (seed) => {
  const b = bench();
  const random = seededRandom(seed * 7919);
  for (let round = 0; round < 8000; round++) step(b, random);
  let calls = 0;
  b.runTo(b.clock.ns + 1e8, () => {
    calls++;
  });
  expect(calls).toBeLessThan(1e8 / 10_000);
});

test.each([11, 12, 13, 14])('saved and restored in the middle, seed %i', (seed) => {
  const original = bench();
  const random = seededRandom(seed * 104_729);
  for (let round = 0; round < 4000; round++) step(original, random);
  const saved = JSON.parse(JSON.stringify(original.machine.save()));
  const restored = bench(original.clock.ns);
  restored.machine.restore(saved);
  expect(restored.machine.save()).toEqual(saved);
  const restart = random(2 ** 31);
  const [one, two] = [seededRandom(restart), seededRandom(restart)];
  for (let round = 0; round < 4000; round++) {
    const expected = step(original, one);
    const seen = step(restored, two);
    if (seen !== expected) throw new Error(`step ${round}: ${seen} instead of ${expected}`);
  }
  expect(restored.machine.save()).toEqual(original.machine.save());
});
