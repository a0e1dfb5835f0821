/** Proves that the bus finds the same owner as a search through all ranges, however they come and go. */
import { seededRandom } from '../testing';
import { MmioBus, type MmioRange } from './mmio-bus';

const range = (name: string, base: number, length: number): MmioRange => ({
  name,
  base,
  length,
  handler: { read: (offset) => offset, write: () => undefined },
});

test('every address has its owner: fixed before placed, placed by name', () => {
  const bus = new MmioBus();
  const random = seededRandom(5);
  const fixed = [range('a', 0x1000, 0x1000), range('b', 0x2000, 0x800), range('c', 0xfee00000, 0x1000)];
  let placed: MmioRange[] = [];
  for (const each of fixed) bus.register(each);
  for (let round = 0; round < 300; round++) {
    if (placed.length > 0 && random(3) === 0) {
      const [gone] = placed.splice(random(placed.length), 1);
      bus.remove(gone);
    } else if (placed.length < 6) {
      const each = range(`p${random(1000)}`, random(32) * 0x200, (random(8) + 1) * 0x200);
      placed = [...placed, each];
      bus.place(each);
    }
    const byName = [...placed].sort((x, y) => (x.name < y.name ? -1 : 1));
    for (let probe = 0; probe < 60; probe++) {
      const gpa = random(4) === 0 ? 0xfedff000 + random(0x3000) : random(0x6000);
      const holds = (each: MmioRange): boolean => gpa >= each.base && gpa < each.base + each.length;
      const expected = fixed.find(holds) ?? byName.find(holds);
      if (bus.find(gpa)?.name !== expected?.name)
        throw new Error(`${gpa.toString(16)}: ${bus.find(gpa)?.name} instead of ${expected?.name}`);
    }
  }
});

test('fixed ranges may not overlap; holes read as ones', () => {
  const bus = new MmioBus();
  bus.register(range('a', 0x1000, 0x10));
  expect(() => bus.register(range('b', 0x100f, 1))).toThrow(/overlaps/);
  expect([bus.read(0x1004, 4), bus.read(0x0ffe, 4), bus.read(0x1010, 2)]).toEqual([4, 0x0100ffff, 0xffff]);
});
