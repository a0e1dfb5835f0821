/**
 * Operand states: registers, flags, vector state and memory in which an
 * instruction does something worth comparing. Addresses are steered to data
 * that is aligned, unaligned, across a page border, read-only or missing;
 * values come from pools of corner cases.
 */
import { decode, type Instruction, memoryOperandSize, type Row, rows, Seg } from '@godwit/isa';
import { encodeRow } from './encode-row';
import {
  type Case, CASES_PER_BATCH, CODE, CODE_SLOT, DATA, DATA_BYTES, GS_BASE, LANDING, LOW, READ_ONLY, regions, STACK, STACK_BYTES, toPhysical,
  XSAVE_BYTES,
} from './layout';
import type { Random } from './random';

export interface Generated extends Case {
  /** As first decoded; only its memory displacement and immediate may have changed since. */
  ins: Instruction;
  /** As it is run. */
  now: Instruction;
  /** Instructions before it in the same block. */
  before: Instruction[];
}

export interface Chosen {
  bytes: number[];
  ins: Instruction;
  before?: { bytes: number[]; ins: Instruction }[];
}

const integers = [
  0, 1, 2, 3, 0xffffffff, 0xfffffffe, 0x80000000, 0x7fffffff, 0x80000001, 31, 32, 33, 63, 64, 15, 16, 17, 0xff, 0x80, 0x7f, 0x100, 0xffff, 0x8000, 0x7fff, 0x10000,
];
const singles = [0, 0x80000000, 0x3f800000, 0xbf800000, 1, 0x007fffff, 0x00800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc12345, 0x4f000000, 0xcf000000, 0x7f7fffff, 0x3f000000, 0x40490fdb];
const doubles: [low: number, high: number][] = [
  [0, 0], [0, 0x80000000], [0, 0x3ff00000], [0, 0xbff00000], [1, 0], [0xffffffff, 0x000fffff], [0, 0x7ff00000], [0, 0xfff00000], [0, 0x7ff80000], [1, 0x7ff00000],
  [0, 0x41e00000], [0, 0xc1e00000], [0xffffffff, 0x7fefffff], [0x54442d18, 0x400921fb], [0, 0x43e00000], [0, 0x3fe00000],
];
const extendeds: [low: number, high: number, sign: number][] = [
  [0, 0, 0], [0, 0, 0x8000], [0, 0x80000000, 0x3fff], [0, 0x80000000, 0xbfff], [1, 0, 0], [0, 0x80000000, 0x7fff], [0, 0x80000000, 0xffff],
  [0, 0xc0000000, 0x7fff], [1, 0x80000000, 0x7fff], [0, 0x40000000, 0x3fff], [0x2168c235, 0xc90fdaa2, 0x4000], [0xffffffff, 0xffffffff, 0x7ffe],
  [0, 0x80000000, 0x401d], [0, 0x80000000, 0x403d], [0, 0x80000000, 0x3ffe], [0, 0xffff0000, 0x400e],
];
const missing = [0, 0x1000, DATA + DATA_BYTES, DATA - 0x800, READ_ONLY + 0x1000, 0x20000000, 0x7ffff000, 0x90000000, CODE - 8];

/** Fills memory, chooses and places the cases; `image` is guest-physical memory. */
export function makeBatch(random: Random, image: Uint8Array, next: () => Chosen | undefined): Generated[] {
  fillImage(random, image);
  const cases: Generated[] = [];
  while (cases.length < CASES_PER_BATCH) {
    const found = next();
    if (!found) break;
    cases.push(makeCase(random, image, cases.length, found));
  }
  return cases;
}

/** Bytes that decode as `row`, or undefined when none were found (the row is hidden by another). */
export function instructionOf(row: Row, random: Random): { bytes: number[]; ins: Instruction } | undefined {
  for (let attempt = 0; attempt < 60; attempt++) {
    const bytes = encodeRow(row, random);
    const ins = decode(Uint8Array.from([...bytes, ...new Array(16).fill(0xcc)]), 0, 15, true);
    if (typeof ins !== 'string' && ins.row === row && ins.length <= 15) return { bytes: [...bytes, ...new Array(16).fill(0xcc)].slice(0, ins.length), ins };
  }
  return undefined;
}

export const testedRows = rows;

const imageStores = /^f(n?stenv|n?save|ldenv|rstor|xsave|xrstor)$/;
const blockRows = rows.filter((row) => (row.kind === 'self' || row.kind === 'stack') && !imageStores.test(row.mnemonic) && !row.mnemonic.startsWith('rd'));
const integerRows = blockRows.filter((row) => row.unit === 'int');
const enders = rows.filter((row) => row.kind === 'flow' || row.kind === 'string' || blockRows.includes(row));

/** A few instructions in a row, as one block: flags and registers live from one to the next, faults in the middle. */
export function blockOf(random: Random, accept: (ins: Instruction) => boolean): Chosen | undefined {
  const choose = (from: readonly Row[]): Chosen | undefined => {
    const found = instructionOf(random.pick(from), random);
    return found && accept(found.ins) ? found : undefined;
  };
  const last = choose(random.chance(50) ? integerRows : enders);
  if (!last) return undefined;
  const before: Chosen[] = [];
  let bytes = last.bytes.length;
  for (let n = 1 + random.below(5); n > 0; n--) {
    const found = choose(random.chance(70) ? integerRows : blockRows);
    if (!found || bytes + found.bytes.length > 42) continue;
    // Most memory operands would be random addresses: one in four of them is enough.
    if (found.ins.hasMemory && random.chance(75)) continue;
    bytes += found.bytes.length;
    before.push(found);
  }
  return before.length === 0 ? undefined : { ...last, before };
}

function fillImage(random: Random, image: Uint8Array): void {
  const view = new DataView(image.buffer, image.byteOffset);
  for (const r of regions) {
    if (r.linear === CODE) {
      image.fill(0xcc, r.gpa, r.gpa + r.bytes);
      continue;
    }
    for (let at = r.gpa; at < r.gpa + r.bytes; at += 8) {
      const [low, high] = chunk(random);
      view.setUint32(at, low, true);
      view.setUint32(at + 4, high, true);
    }
  }
}

function chunk(random: Random): [number, number] {
  switch (random.below(5)) {
    case 0: return random.pick(doubles);
    case 1: return [random.pick(singles), random.pick(singles)];
    case 2: return [random.pick(integers), random.pick(integers)];
    case 3: return [random.pick([LANDING + 0x40, DATA + 0x80, STACK + 0x100]), random.pick([0x2b, 0, 3, 0x23])];
    default: return [random.u32(), random.u32()];
  }
}

function makeCase(random: Random, image: Uint8Array, slot: number, { bytes, ins, before = [] }: Chosen): Generated {
  const lead = before.flatMap((b) => b.bytes);
  // The last slot of a page lies across the page's border, if the instruction is long enough to.
  const lastInPage = slot % 64 === 63 && slot !== CASES_PER_BATCH - 1;
  const eip = CODE + slot * CODE_SLOT + (lastInPage && bytes.length > 1 ? 64 - 1 - random.below(bytes.length - 1) : 20 + lead.length);
  const c: Generated = {
    bytes: Uint8Array.from(bytes), length: ins.length, eip, ins, now: ins, before: before.map((b) => b.ins),
    gpr: Uint32Array.from({ length: 8 }, () => value(random)),
    eflags: 0x202 | (random.u32() & (random.chance(50) ? 0x8d5 : 0xcd5)) | (random.chance(10) ? 0x200000 : 0),
    patches: [],
    xsave: xsaveState(random, ins.row.vsib),
  };
  c.gpr[4] = random.chance(90) ? STACK + 0x800 + random.below(256) * 4 : STACK + random.pick([0, 2, 4, 0x1000, 0xffe, 0x1002, STACK_BYTES - 2, STACK_BYTES]);
  if (random.chance(5)) c.gpr[4] += random.below(4);
  special(random, c);
  placeMemory(random, c);
  patchFlow(random, c);
  c.now = decode(c.bytes, 0, c.bytes.length, true) as Instruction;
  image.set(c.bytes, toPhysical(eip));
  // Steered by the block's last instruction; the others take the addresses that come.
  image.set(lead, toPhysical(eip - lead.length));
  c.eip = eip - lead.length;
  c.bytes = Uint8Array.from([...lead, ...c.bytes]);
  return c;
}

function value(random: Random): number {
  const kind = random.below(10);
  if (kind < 4) return random.pick(integers);
  if (kind < 5) return DATA + 0x400 + random.below(0x3000);
  if (kind < 6) return random.pick([LANDING + 0x80, STACK + 0x400, 0x2b, 0x63, 0x23]);
  return random.u32();
}

/** Rows whose operands are implicit. */
function special(random: Random, c: Generated): void {
  const { ins, gpr } = c;
  const name = ins.row.mnemonic;
  const data = (): number => target(random, 8, false);
  const low = (): number => LOW + 0x800 + random.below(0x3000);
  if (ins.row.kind === 'string' || ins.row.kind === 'io') {
    gpr[1] = random.chance(85) ? random.below(40) : random.pick([0, 0x10000, 0xffffffff, 0x1003]);
    for (const r of [6, 7, 3]) gpr[r] = ins.addressSize === 2 ? ((random.u32() & 0xffff0000) | low()) >>> 0 : data();
    if (ins.memorySegment === Seg.GS || ins.segment === Seg.GS) for (const r of [6, 3]) gpr[r] = (gpr[r] - GS_BASE) >>> 0;
    if (name === 'xlat') gpr[3] = (gpr[3] - random.below(256)) >>> 0;
  }
  if (name === 'leave' || name === 'enter') gpr[5] = STACK + 0x1000 + random.below(128) * 4;
  if ((name === 'div' || name === 'idiv') && random.chance(60)) gpr[2] = random.pick([0, 0, 1, 0xffffffff, 3]);
  if (name === 'jcxz' || name.startsWith('loop')) gpr[1] = random.pick([0, 1, 2, 0x10000, 0x10001, random.u32()]);
  if (ins.row.map === 1 && (ins.row.opcode & 0xe7) === 0xa3 && name.startsWith('bt') && random.chance(75)) gpr[ins.reg] = (random.below(2048) - 1024) >>> 0;
  if (['popf', 'iret', 'retf', 'popseg'].includes(name) && random.chance(80)) framePatch(random, c, name);
  if (name === 'popf' || name === 'iret') if (c.patches.length === 0) framePatch(random, c, name);
  if (name.startsWith('xsave') || name === 'xrstor') {
    gpr[0] = random.below(8);
    gpr[2] = 0;
  }
  if (['movtoseg', 'lar', 'lsl', 'verr', 'verw'].includes(name) && !ins.hasMemory) gpr[ins.rm] = random.pick([0, 1, 2, 3, 0x2b, 0x63, 0x23, 0x10, 0x2a, 0x60]);
}

/** What popf, iret, retf and pop to a segment register find on the stack. TF and NT stay off: they would outlive the case. */
function framePatch(random: Random, c: Generated, name: string): void {
  c.gpr[4] = STACK + 0x800 + random.below(64) * 4;
  const flags = (random.u32() & 0x200cd5) | 0x202;
  const selector = random.pick([0x23, 0x23, 0x23, 0x22, 0, 0x2b, 0x10]);
  const put = (words: number[], half: boolean): void => {
    if (half) words = words.reduce<number[]>((out, w, i) => (i & 1 ? out.concat([(out.pop()! & 0xffff) | (w << 16)]) : out.concat([w & 0xffff])), []);
    words.forEach((w, i) => c.patches.push([c.gpr[4] + i * 4, w >>> 0]));
  };
  const half = c.ins.operandSize === 2;
  if (name === 'popf') put([flags, 0], half);
  else if (name === 'popseg') put([random.pick([0, 1, 2, 3, 0x2b, 0x63, 0x23, 0x10]), 0], half);
  else if (name === 'retf') put([LANDING + random.below(0x800), selector, 0, 0, 0, 0], half);
  else put([LANDING + random.below(0x800), selector, flags, STACK + 0x400, 0x2b], half);
}

/** An address for an operand of `size` bytes. */
function target(random: Random, size: number, aligned: boolean): number {
  const kind = random.below(100);
  const inside = DATA + 0x400 + random.below(0x3000);
  if (kind < 50 || (aligned && kind < 85)) return (inside & ~63) + (random.chance(50) ? 0 : random.below(4) * 16);
  if (kind < 75) return inside;
  if (kind < 85) return DATA + 0x1000 * (1 + random.below(3)) - 1 - random.below(Math.max(1, Math.min(size, 64)) );
  if (kind < 91) return DATA + DATA_BYTES - 1 - random.below(Math.max(1, Math.min(size, 64)));
  if (kind < 95) return READ_ONLY + 0x100 + random.below(0xc00);
  return random.pick(missing) + random.below(16);
}

/** Steers the ModR/M or moffs operand by its base register, or by its displacement where it has none. */
function placeMemory(random: Random, c: Generated): void {
  const { ins, gpr } = c;
  if (!ins.hasMemory || random.chance(3)) return;
  const segmentBase = ins.memorySegment === Seg.GS ? GS_BASE : 0;
  if (ins.addressSize === 2) {
    const at = LOW + 0x400 + random.below(0x3800);
    const want = at - segmentBase - ins.displacement;
    if (ins.base >= 0 && ins.base !== 4) {
      const index = ins.index >= 0 && ins.index !== ins.base ? gpr[ins.index] : 0;
      gpr[ins.base] = ((gpr[ins.base] & 0xffff0000) | ((want - index) & 0xffff)) >>> 0;
    }
    return;
  }
  const size = memoryOperandSize(ins);
  let want = (target(random, size, ins.row.aligned || size >= 16) - segmentBase) >>> 0;
  // Across the end of the segment the host raises #GP; Godwit wraps around (a known deviation).
  if (want > 0xfffffc00) want = 0x100;
  const hasIndex = ins.index >= 0 && !ins.row.vsib;
  if (hasIndex && ins.index !== 4 && random.chance(70)) gpr[ins.index] = random.below(64) >>> 0;
  if (ins.base >= 0 && ins.base !== 4) {
    if (hasIndex && ins.index === ins.base) gpr[ins.base] = Math.floor(((want - ins.displacement) >>> 0) / (1 + ins.scale));
    else gpr[ins.base] = (want - ins.displacement - (hasIndex ? Math.imul(gpr[ins.index], ins.scale) : 0)) >>> 0;
    return;
  }
  if (ins.base === 4) return;
  // A displacement of 32 bits: at the end of the instruction, before the immediate.
  const immediate = ins.row.immediate === 'O' ? 0 : immediateBytes(ins);
  const at = ins.length - immediate - 4;
  new DataView(c.bytes.buffer).setUint32(at, (want - (hasIndex ? Math.imul(gpr[ins.index], ins.scale) : 0)) >>> 0, true);
}

function immediateBytes({ row, operandSize }: Instruction): number {
  return row.immediate === 'b' || row.immediate === 'bs' ? 1 : row.immediate === 'w' ? 2 : row.immediate === 'z' ? operandSize : 0;
}

/** Direct jumps land in their own slot or on the landing page. */
function patchFlow(random: Random, c: Generated): void {
  const { ins } = c;
  const view = new DataView(c.bytes.buffer);
  // Back into itself or a block's earlier instructions would be a loop.
  if (ins.row.immediate === 'Jb' && (c.before.length > 0 || 256 - c.bytes[ins.length - 1] <= ins.length)) c.bytes[ins.length - 1] &= 3;
  const aim = LANDING + random.below(0xff0);
  if (ins.row.immediate === 'Jz' && ins.operandSize === 4) view.setUint32(ins.length - 4, (aim - c.eip - ins.length) >>> 0, true);
  if (ins.row.immediate === 'p' && ins.operandSize === 4) view.setUint32(ins.length - 6, aim, true);
  if (ins.row.kind === 'flow' && ins.row.immediate === '' && !ins.hasMemory && ins.row.hasModrm && ins.rm !== 4 && random.chance(80)) c.gpr[ins.rm] = aim;
  if (ins.row.mnemonic === 'ret' && random.chance(80)) {
    c.gpr[4] = STACK + 0x800 + random.below(64) * 4;
    c.patches.push([c.gpr[4], aim]);
  }
}

function xsaveState(random: Random, smallIndices: boolean): Uint8Array {
  const bytes = new Uint8Array(XSAVE_BYTES);
  const view = new DataView(bytes.buffer);
  // FCW: usually all exceptions masked; any precision and rounding.
  view.setUint16(0, (random.chance(85) ? 0x3f : random.below(64)) | 0x40 | (random.pick([0, 2, 3]) << 8) | (random.below(4) << 10), true);
  const tags = random.chance(40) ? 0xff : random.below(256);
  const top = random.below(8);
  view.setUint16(2, (top << 11) | (random.u32() & 0x4700) | (random.chance(10) ? random.u32() & 0x7f : 0), true);
  // ES and B follow from the rest; an image that says otherwise is corrected when it is loaded.
  if (view.getUint16(2, true) & ~view.getUint16(0, true) & 0x3f) bytes[2] |= 0x80, bytes[3] |= 0x80;
  bytes[4] = tags;
  view.setUint32(24, (random.chance(90) ? 0x1f80 : random.u32() & 0x1f80) | (random.below(4) << 13) | (random.chance(10) ? 0x8000 : 0) | (random.chance(10) ? 0x40 : 0) | (random.u32() & 0x3f), true);
  for (let i = 0; i < 8; i++) {
    const [low, high, sign] = random.chance(70) ? random.pick(extendeds) : [random.u32(), random.u32() | 0x80000000, 0x3ff0 + random.below(32) + (random.chance(50) ? 0x8000 : 0)];
    view.setUint32(32 + i * 16, low >>> 0, true);
    view.setUint32(36 + i * 16, high >>> 0, true);
    view.setUint16(40 + i * 16, sign, true);
  }
  for (let i = 0; i < 8; i++) {
    for (const at of [160 + i * 16, 168 + i * 16, 576 + i * 16, 584 + i * 16]) {
      const [low, high] = smallIndices ? indices(random) : chunk(random);
      view.setUint32(at, low >>> 0, true);
      view.setUint32(at + 4, high >>> 0, true);
    }
  }
  view.setUint32(512, 7, true);
  return bytes;
}

/** A gather's indices and masks. */
function indices(random: Random): [number, number] {
  return random.chance(50) ? [random.below(64), random.chance(50) ? 0 : random.below(64)] : [(-random.below(64)) >>> 0, 0xffffffff];
}
