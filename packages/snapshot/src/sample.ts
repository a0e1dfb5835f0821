/**
 * A made-up machine, the same in every release: what sample files hold, and tests save.
 * Nothing here is changed once a sample was released.
 */
import { PAGE_BYTES } from './limits';
import type { SavedMachine } from './write-state';

/** 1 MiB. */
export const SAMPLE_PAGES = 256;

/** Repeatable noise: xorshift32. */
export function noise(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export type PageKind = 'zero' | 'text' | 'noise';

/** Content depends on the page's number alone. */
export function fillPage(ram: Uint8Array, page: number, kind: PageKind): void {
  const random = noise(page * 7919 + 1);
  for (let at = page * PAGE_BYTES; at < (page + 1) * PAGE_BYTES; at++) {
    ram[at] = kind === 'zero' ? 0 : kind === 'noise' ? random() : 97 + ((at >> 3) % 7);
  }
}

/**
 * RAM whose file has a batch of each kind and is below 64 KiB: every other page text
 * (64 of them: a packed batch of 64 runs), then nothing, then 8 pages of noise (a raw
 * batch of one run), then nothing.
 */
export function sampleMemory(): Uint8Array {
  const ram = new Uint8Array(SAMPLE_PAGES * PAGE_BYTES);
  for (let page = 0; page < 128; page += 2) fillPage(ram, page, 'text');
  for (let page = 192; page < 200; page++) fillPage(ram, page, 'noise');
  return ram;
}

/** A machine of release 0.1.0 with made-up devices. */
export function sampleMachine(ram: Uint8Array): SavedMachine {
  return {
    machineVersion: 1,
    writerVersion: '0.1.0',
    createdMs: Date.UTC(2025, 10, 23, 12),
    sections: [
      { name: 'config', version: 1, json: { name: 'sample', memoryBytes: ram.length, cpu: 'base' } },
      { name: 'features', version: 1, json: ['sse', 'sse2'] },
      { name: 'clock', version: 1, json: { guestNs: 123_456_789, wallMs: 1_700_000_000_000 } },
      { name: 'vcpu', version: 3, bytes: Uint8Array.from({ length: 300 }, (_, index) => index) },
      { name: 'machine', version: 2, json: { pit: { version: 1, counters: [1, 2, 3] }, rtc: { version: 1, ümlaut: 'ß' } } },
    ],
    memory: { bytes: ram },
  };
}
