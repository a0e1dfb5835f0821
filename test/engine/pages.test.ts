/** Proves that the native work on pages is what the plain one means: kinds, copies, sums, gaps. */
import { loadNative } from '@godwit/metal';
import { FOUND_WORDS, PAGE_BYTES, plainPageWork, type PageWork } from '@godwit/migration';
import { Random } from '../../packages/migration/src/testing/random';

const WORDS = PAGE_BYTES / 4;
const PAGES = 96;
const SEED = Number(process.env.GODWIT_SEED ?? 20261);
const { sumWords, gatherPages, scatterPages } = loadNative();
const works: readonly PageWork[] = [plainPageWork, { sumWords, gather: gatherPages, scatter: scatterPages }];

/** RAM with pages of every kind, among them such as differ from a filled one only in their last word. */
function someRam(random: Random): Int32Array {
  const ram = new Int32Array(PAGES * WORDS);
  for (let page = 0; page < PAGES; page++) {
    const words = ram.subarray(page * WORDS, (page + 1) * WORDS);
    const kind = random.below(5);
    if (kind === 1) words.fill(random.below(2 ** 32) | 0);
    if (kind === 2) for (let word = 0; word < WORDS; word += 2) words.set([77, page], word);
    if (kind === 3) words[WORDS - 1] = 1;
    if (kind === 4) for (let word = 0; word < WORDS; word++) words[word] = random.below(2 ** 32) | 0;
  }
  return ram;
}

test('sums', () => {
  const random = new Random(SEED);
  const words = someRam(random);
  for (let time = 0; time < 500; time++) {
    const from = random.below(words.length);
    const count = random.below(Math.min(words.length - from, 3 * WORDS));
    const seed = random.below(2 ** 32) | 0;
    const sums = works.map((work) => {
      const out = new Uint32Array(2);
      work.sumWords(words, from, count, seed, out);
      return [...out];
    });
    expect({ seed: SEED, sum: sums[1] }).toEqual({ seed: SEED, sum: sums[0] });
  }
});

test('gather finds the same and copies the same', () => {
  const random = new Random(SEED + 1);
  for (let time = 0; time < 30; time++) {
    const ram = someRam(random);
    const list = Uint32Array.from({ length: PAGES }, (_, page) => page).filter(() => random.below(3) > 0);
    const slot = random.below(4);
    const [plain, native] = works.map((work) => {
      const area = new Int32Array((PAGES + 4) * WORDS);
      const found = new Uint32Array(PAGES * FOUND_WORDS);
      const copied = work.gather(ram, list, list.length, area, slot, found);
      // The word of a page that is sent as it is means nothing.
      for (let at = 0; at < list.length * FOUND_WORDS; at += FOUND_WORDS) if (found[at] === 1) found.fill(0, at + 3, at + 5);
      return { seed: SEED, copied, area, found };
    });
    expect(Buffer.compare(Buffer.from(native.area.buffer), Buffer.from(plain.area.buffer))).toBe(0);
    expect({ ...native, area: null }).toEqual({ ...plain, area: null });
  }
});

test('scatter puts the same into RAM', () => {
  const random = new Random(SEED + 2);
  for (let time = 0; time < 30; time++) {
    const area = new Uint8Array(someRam(random).buffer);
    const [slot, first, count] = [random.below(8), random.below(8), 1 + random.below(PAGES - 8)];
    const [plain, native] = works.map((work) => {
      const ram = new Int32Array(PAGES * WORDS);
      const sums = new Uint32Array(2 * PAGES);
      work.scatter(area, slot, ram, first, count, random.below(2) > 0, sums);
      return { seed: SEED, ram: Buffer.from(ram.buffer).toString('base64'), sums };
    });
    expect(native).toEqual(plain);
  }
});

test.each([
  ['sums beyond the array', () => sumWords(new Int32Array(8), 4, 5, 0, new Uint32Array(2))],
  ['no room for a sum', () => sumWords(new Int32Array(8), 0, 8, 0, new Uint32Array(1))],
  ['a page beyond RAM', () => gatherPages(new Int32Array(2 * WORDS), Uint32Array.of(2), 1, new Int32Array(WORDS), 0, new Uint32Array(5))],
  ['more pages than the list has', () => gatherPages(new Int32Array(2 * WORDS), Uint32Array.of(1), 2, new Int32Array(2 * WORDS), 0, new Uint32Array(10))],
  ['no place in the area', () => gatherPages(new Int32Array(2 * WORDS), Uint32Array.of(1), 1, new Int32Array(WORDS), 1, new Uint32Array(5))],
  ['pages put beyond RAM', () => scatterPages(new Uint8Array(2 * PAGE_BYTES), 0, new Int32Array(2 * WORDS), 1, 2, false, new Uint32Array(4))],
  ['pages that are not in the area', () => scatterPages(new Uint8Array(2 * PAGE_BYTES), 1, new Int32Array(4 * WORDS), 0, 2, false, new Uint32Array(4))],
  ['no array at all', () => gatherPages(null as never, null as never, 1, null as never, 0, null as never)],
])('refused: %s', (_, act) => {
  expect(act).toThrow(/out of bounds|no such page/);
});
