/**
 * Random guests: the program of fuzz-guest.s and 4096 snippets after it, all
 * from one seed. A seed also chooses the mixture: what kinds of code, in which
 * ways they run, how wild the page tables are.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { assemble, GUEST_BASE } from './assemble.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const { decode } = require('../../../packages/isa');
const { quickPlan } = require('../../../packages/isa/dist/testing/encodings.js');

const SNIPPETS = 0x400000, SLOT = 64, SLOTS = 4096;

/** xorshift32, as in the guest. */
export function randomFrom(seed) {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  next.below = (n) => next() % n;
  next.of = (list) => list[next() % list.length];
  for (let n = 0; n < 8; n++) next();
  return next;
}

const dword = (v) => [v & 255, (v >>> 8) & 255, (v >>> 16) & 255, v >>> 24];
const escapes = [[], [], [], [0x0f], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const knownPorts = [0x20, 0x21, 0x40, 0x41, 0x42, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0xa0, 0xa1, 0xc0, 0xd0, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x4d0, 0x600, 0x602, 0x608, 0xcf8, 0xcfc, 0xcfd];
const msrs = [0x10, 0x1b, 0xfe, 0x174, 0x175, 0x176, 0x1a0, 0x200, 0x250, 0x277, 0x2ff, 0xc0000080, 0xc0000081, 0xc0000103, 0x8b, 0x79];

/** One kind of code each: bytes for one slot. */
const kinds = {
  bytes: (r) => Array.from({ length: SLOT }, () => r() & 255),
  grammar: (r) => repeat(() => validInstruction(r)),
  selfModify: (r, at) => repeat(() => {
    const target = (at + r.below(SLOT * 2)) >>> 0;
    return r.of([
      () => [0xc6, 0x05, ...dword(target), r() & 255], //      mov byte [target], imm
      () => [0x81, 0x05, ...dword(target), ...dword(r())], //  add dword [target], imm
      () => [0xfe, 0x05, ...dword(target)], //                 inc byte [target]
      () => [0xbf, ...dword(target), 0xb9, r() & 31, 0, 0, 0, 0xf3, 0xaa], // rep stosb over it
      () => [0xe2, 0xfe - r.below(20)], //                     loop back
      () => [0x75, 0xfe - r.below(30)],
      () => [0xbc, ...dword(target), 0x50], //                 push onto it
      () => validInstruction(r),
    ])();
  }),
  ports: (r) => repeat(() => [0x66, 0xba, ...dword(r.below(4) ? r.of(knownPorts) : r.below(65536)).slice(0, 2), 0xb8, ...dword(r()), ...r.of([[0xee], [0xef], [0x66, 0xef], [0xec], [0xed], [0x66, 0xed], [0x6e], [0x6c], [0x6d], [0xf3, 0x6c]])]),
  system: (r, at) => repeat(() => r.of([
    () => [0xb8, ...dword(r.of([r(), 1 << r.below(32), 0x80000011, 0x11, 0x80010033])), 0x0f, 0x22, 0xc0], // mov cr0
    () => [0xb8, ...dword(r.of([r(), 0x200000, r.below(0x2000) << 12])), 0x0f, 0x22, 0xd8], // mov cr3
    () => [0xb8, ...dword(r.of([r(), 1 << r.below(20), 0x6b0, 0x40620])), 0x0f, 0x22, 0xe0], // mov cr4
    () => [0xb9, ...dword(r.of([r(), ...msrs])), 0xb8, ...dword(r()), 0xba, ...dword(r() & r()), 0x0f, r.of([0x30, 0x30, 0x32])],
    () => [0x0f, 0x01, r.of([0x15, 0x1d, 0x3d, 0x35]), ...dword((at + r.below(4096)) >>> 0)], // lgdt lidt invlpg lmsw
    () => [0x66, 0xb8, r() & 255, r.below(4) ? 0 : r() & 255, r.of([0x8e, 0x8e, 0x0f]), r.of([0xd8, 0xc0, 0xd0, 0xe0, 0xe8, 0x00])],
    () => [0x0f, 0x00, r.of([0xd0, 0xd8, 0xc8, 0xe0, 0xe8])], // lldt ltr str verr verw
    () => [0x0f, 0x23, 0xc0 | r.below(64)], // mov dr
    () => [0xb9, 0, 0, 0, 0, 0xb8, ...dword(r.below(8)), 0x31, 0xd2, 0x0f, 0x01, 0xd1], // xsetbv
    () => [0xcd, r() & 255],
    () => [0x9d], () => [0xcf], () => [0xfb], () => [0xf4], () => [0x0f, 0x06], () => [0x0f, 0x34], () => [0x0f, 0x35], () => [0xcb],
    () => [0x9a, ...dword(at), 0x30, 0], () => [0xea, ...dword(at & 0xffff), 0x30, 0], () => [0xea, ...dword(at), 8, 0], () => [0xea, ...dword(at), 0x28, 0],
    () => validInstruction(r),
  ])()),
  paging: (r) => repeat(() => r.of([
    () => [0xc7, 0x05, ...dword(0x202000 + r.below(4096)), ...dword(r() & 0x01ffffff)], // a page table entry
    () => [0xc7, 0x05, ...dword(0x200004 + r.below(60)), ...dword(r() & 0x01ff00ff)], //   a directory entry
    () => [0x80, 0x35, ...dword(0x202000 + r.below(4096)), 1 << r.below(8)], //            xor a byte of one
    () => [0x0f, 0x01, 0x3d, ...dword(0x400000 + r.below(0x400000))], //                   invlpg
    () => [0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8],
    () => [0xa1, ...dword(0x400000 + r.below(0x800000))], () => [0xa3, ...dword(0x400000 + r.below(0x800000))],
    () => [0xbf, ...dword(0x400000 + r.below(0x400000)), 0xb9, ...dword(r.below(0x4000)), 0xf3, r.of([0xaa, 0xab, 0xa4, 0xa5, 0xae, 0xa6])],
    () => [0x0f, 0x20, 0xe0, 0x35, ...dword(r.of([0x10, 0x20, 0x80])), 0x0f, 0x22, 0xe0],
    () => validInstruction(r),
  ])()),
};

function repeat(part) {
  const bytes = [];
  while (bytes.length < SLOT) bytes.push(...part());
  return bytes.slice(0, SLOT);
}

/** An instruction of the table, likely with an address that exists. */
function validInstruction(r) {
  for (;;) {
    const head = [...r.of(quickPlan.prefixes), ...r.of(escapes), r() & 255, r.of(quickPlan.modrms)];
    const tail = [0x24, ...dword(r.below(3) ? 0x300000 + r.below(0x200000) : r()), r() & 255, r() & 255, r() & 255, r() & 255, r() & 255];
    const bytes = Uint8Array.from([...head, ...tail, 0, 0, 0, 0]);
    const ins = decode(bytes, 0, 15, true);
    if (typeof ins !== 'string') return [...bytes.subarray(0, ins.length)];
  }
}

let program;

/** { bytes, kinds, ways }: load at `GUEST_BASE`. */
export function fuzzImage(seed) {
  program ??= assemble(readFileSync(path.join(here, 'fuzz-guest.s'), 'latin1'));
  const r = randomFrom(seed);
  const names = Object.keys(kinds);
  const chosen = r.below(2) ? [r.of(names)] : [r.of(names), r.of(names), r.of(names)];
  const ways = r.of([0x1, 0x2, 0x4, 0x8, 0xf, 0x3, 0xf]) | (r.below(3) ? 0 : 0x100) | (r.below(2) ? 0 : 0x200);
  const bytes = new Uint8Array(SNIPPETS - GUEST_BASE + SLOT * SLOTS);
  bytes.set(program);
  const mark = Buffer.from(program).indexOf('FUZZ');
  const view = new DataView(bytes.buffer);
  view.setUint32(mark + 4, r() | 1, true);
  view.setUint32(mark + 8, ways, true);
  for (let slot = 0; slot < SLOTS; slot++) bytes.set(kinds[r.of(chosen)](r, SNIPPETS + slot * SLOT), SNIPPETS - GUEST_BASE + slot * SLOT);
  return { bytes, kinds: chosen, ways };
}
