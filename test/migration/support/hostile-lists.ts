import type { Random } from '../../../packages/migration/src/testing/random';

const MAX_BYTES = 512 * 1024;
const HEADER_WORDS = 4;

/**
 * Lists of hot blocks that no honest host sends, made from one that did (packages/vmm/src/warm-list.ts):
 * noise, cut off, too long, with wrong counts; and well-formed ones whose every entry lies
 * about its address, its page, its mode, its second page or its instructions.
 */
export function hostileLists(random: Random, honest: Uint8Array): Uint8Array[] {
  const words = (): Uint32Array => new Uint32Array(honest.slice().buffer);
  const any = (): number => random.below(2 ** 32);
  const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => random.below(256));
  const changed = (change: (list: Uint32Array, blocks: number) => void): Uint8Array => {
    const list = words();
    change(list, HEADER_WORDS + list[2]);
    return new Uint8Array(list.buffer);
  };
  /** Entries of two words, whatever they were before. */
  const eachEntry = (change: (eip: number, packed: number, at: number, all: Uint32Array) => [number, number]): Uint8Array =>
    changed((list, from) => {
      const before = list.slice();
      for (let at = from; at + 1 < list.length; at += 2) [list[at], list[at + 1]] = change(before[at], before[at + 1], at, before);
    });
  const page = 0x00ffffff;
  return [
    new Uint8Array(0),
    noise(random.below(100)),
    noise(4096 * 3),
    noise(MAX_BYTES),
    honest.slice(0, random.below(honest.length)),
    honest.slice(0, random.below(honest.length / 4) * 4),
    changed((list) => (list[1] = any())),
    changed((list) => (list[2] = any())),
    changed((list) => (list[3] = any())),
    // Code where there is none, and elsewhere than it is.
    eachEntry((eip, packed) => [(eip + random.below(64)) >>> 0, packed]),
    eachEntry((eip, packed) => [eip, ((packed & ~page) | random.below(8192)) >>> 0]),
    eachEntry((_eip, packed, _at, all) => [all[4 + all[2] + 2 * random.below((all.length - 4 - all[2]) >> 1)], packed]),
    // Every mode, those that do not exist included; second pages for what does not cross.
    eachEntry((eip, packed) => [eip, ((packed & page) | (random.below(256) << 24)) >>> 0]),
    eachEntry((eip, packed) => [((eip & ~0xfff) | (0xff0 + random.below(16))) >>> 0, (packed | 0x80000000) >>> 0]),
    // The same address from many pages: one hash bucket.
    changed((list, from) => {
      const eip = list[from + 2 * random.below((list.length - from) >> 1)];
      for (let at = from; at + 1 < list.length; at += 2) [list[at], list[at + 1]] = [eip, at >> 1];
    }),
    // Instructions that do not reach user memory said to do so.
    changed((list) => {
      list[2] = Math.min(4000, list.length - HEADER_WORDS);
      for (let at = HEADER_WORDS; at < HEADER_WORDS + list[2]; at++) list[at] = 0x100000 + random.below(0x2000);
    }),
  ];
}
