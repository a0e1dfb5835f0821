/**
 * fxsave, fxrstor, xsave, xrstor and XCR0, on the state block's XSAVE area
 * (standard format, SDM 1, chapter 13), and the masked byte stores, which
 * write to an address that no host encoding can redirect.
 *
 * The area's XSTATE_BV may say that a component is in its initial state, and
 * then its bytes mean nothing; `materialise` writes them out first.
 */
import { SCRATCH_OFFSET, SegIndex, XSAVE_OFFSET } from '@godwit/cpu';
import type { Instruction } from '@godwit/isa';
import { Cr0, Cr4, type Core } from '../core';
import { fault, generalProtection, Vector } from '../fault';
import type { Handler } from '../op';
import type { Builder, Builders } from './builder';
import { checkUnit, copyIn, copyOut, runOnHost } from './host';

const enum Part { X87 = 1, SSE = 2, AVX = 4 }

const MXCSR = 24;
const HEADER = 512;
const AVX_OFFSET = 576;
/** Where the host has not yet saved its state: every SSE2 processor's MXCSR_MASK has these bits. */
const MXCSR_MASK = 0xffff;
const MXCSR_MASK_AT = 28;
const FXSAVE_BYTES = 512;
/** Byte ranges of each component; only eight of the vector registers exist. */
const ranges: Record<Part, readonly (readonly [from: number, to: number])[]> = {
  [Part.X87]: [[0, MXCSR], [32, 160]],
  [Part.SSE]: [[160, 160 + 128]],
  [Part.AVX]: [[AVX_OFFSET, AVX_OFFSET + 128]],
};
const parts = [Part.X87, Part.SSE, Part.AVX] as const;

function initialise(bytes: Uint8Array, part: Part): void {
  for (const [from, to] of ranges[part]) bytes.fill(0, from, to);
  // FCW = 037Fh; the abridged tag word 0 is "all empty".
  if (part === Part.X87) bytes[0] = 0x7f, bytes[1] = 0x03;
}

/** Writes initial values where XSTATE_BV says so; afterwards all three components are valid. */
export function materialise(c: Core): Uint8Array {
  const { xsave } = c.state;
  for (const part of parts) if ((xsave[HEADER] & part) === 0) initialise(xsave, part);
  xsave[HEADER] |= 7;
  return xsave;
}

function copyPart(target: Uint8Array, source: Uint8Array, part: Part): void {
  for (const [from, to] of ranges[part]) target.set(source.subarray(from, to), from);
}

function aligned(linear: number, alignment: number): void {
  if ((linear & (alignment - 1)) !== 0) throw generalProtection();
}

/** Bits of MXCSR that this host's CPU has: it says so whenever it saves its state. */
function mxcsrMask(c: Core): number {
  return c.state.view.getUint32(XSAVE_OFFSET + MXCSR_MASK_AT, true) || MXCSR_MASK;
}

function checkMxcsr(c: Core): void {
  if ((c.scratchView.getUint32(MXCSR, true) & ~mxcsrMask(c)) !== 0) throw generalProtection();
}

function copyMxcsr(target: Uint8Array, source: Uint8Array, bytes = 4): void {
  target.set(source.subarray(MXCSR, MXCSR + bytes), MXCSR);
}

function checkFx(c: Core): void {
  if ((c.state.cr0 & (Cr0.EM | Cr0.TS)) !== 0) throw fault(Vector.NM);
}

const fxsave: Handler = (c, op) => {
  checkFx(c);
  const linear = c.linearWrite(op, FXSAVE_BYTES);
  aligned(linear, 16);
  c.mem.probe(linear, FXSAVE_BYTES, true, c.mem.user);
  const area = materialise(c);
  copyIn(c, linear, FXSAVE_BYTES);
  copyPart(c.scratch, area, Part.X87);
  copyPart(c.scratch, area, Part.SSE);
  copyMxcsr(c.scratch, area);
  c.scratchView.setUint32(MXCSR_MASK_AT, mxcsrMask(c), true);
  copyOut(c, linear, FXSAVE_BYTES);
};

const fxrstor: Handler = (c, op) => {
  checkFx(c);
  const linear = c.linearRead(op, FXSAVE_BYTES);
  aligned(linear, 16);
  c.mem.probe(linear, FXSAVE_BYTES, false, c.mem.user);
  copyIn(c, linear, FXSAVE_BYTES);
  checkMxcsr(c);
  const area = materialise(c);
  copyPart(area, c.scratch, Part.X87);
  copyPart(area, c.scratch, Part.SSE);
  copyMxcsr(area, c.scratch);
};

function checkXsave(c: Core): void {
  if ((c.state.cr4 & Cr4.OSXSAVE) === 0) throw fault(Vector.UD);
  if ((c.state.cr0 & Cr0.TS) !== 0) throw fault(Vector.NM);
}

/** Components asked for, and the bytes that the image covers. */
function requested(c: Core): { mask: number; bytes: number } {
  const mask = c.r32[0] & c.state.get('xcr0') & 7;
  return { mask, bytes: (mask & Part.AVX) !== 0 ? AVX_OFFSET + 256 : AVX_OFFSET };
}

const xsave: Handler = (c, op) => {
  checkXsave(c);
  const { mask, bytes } = requested(c);
  const linear = c.linearWrite(op, bytes);
  aligned(linear, 64);
  c.mem.probe(linear, bytes, true, c.mem.user);
  const area = materialise(c);
  copyIn(c, linear, bytes);
  for (const part of parts) if ((mask & part) !== 0) copyPart(c.scratch, area, part);
  if ((mask & (Part.SSE | Part.AVX)) !== 0) {
    copyMxcsr(c.scratch, area);
    c.scratchView.setUint32(MXCSR_MASK_AT, mxcsrMask(c), true);
  }
  c.scratch[HEADER] = (c.scratch[HEADER] & ~mask) | mask;
  copyOut(c, linear, bytes);
};

const xrstor: Handler = (c, op) => {
  checkXsave(c);
  const { mask, bytes } = requested(c);
  const linear = c.linearRead(op, bytes);
  aligned(linear, 64);
  c.mem.probe(linear, bytes, false, c.mem.user);
  copyIn(c, linear, bytes);
  const present = c.scratch[HEADER];
  const reservedSet = c.scratch.subarray(HEADER + 1, HEADER + 24).some(byte => byte !== 0);
  if (reservedSet || (present & ~c.state.get('xcr0')) !== 0) throw generalProtection();
  const withMxcsr = (mask & (Part.SSE | Part.AVX)) !== 0;
  if (withMxcsr) checkMxcsr(c);
  const area = materialise(c);
  for (const part of parts) {
    if ((mask & part) === 0) continue;
    if ((present & part) !== 0) copyPart(area, c.scratch, part);
    else initialise(area, part);
  }
  if (withMxcsr) copyMxcsr(area, c.scratch);
};

const xgetbv: Handler = c => {
  if ((c.state.cr4 & Cr4.OSXSAVE) === 0) throw fault(Vector.UD);
  if (c.r32[1] !== 0) throw generalProtection();
  c.r32[0] = c.state.get('xcr0');
  c.r32[2] = 0;
};

const xsetbv: Handler = c => {
  if ((c.state.cr4 & Cr4.OSXSAVE) === 0) throw fault(Vector.UD);
  const value = c.r32[0];
  const allowed = Part.X87 | Part.SSE | (c.ports.featureAllowed('avx') ? Part.AVX : 0);
  const avxWithoutSse = (value & Part.AVX) !== 0 && (value & Part.SSE) === 0;
  if (c.r32[1] !== 0 || c.r32[2] !== 0 || (value & Part.X87) === 0 || (value & ~allowed) !== 0 || avxWithoutSse) throw generalProtection();
  c.state.set('xcr0', value);
};

/** movq [scratch], mm0: an MMX instruction that changes no register, but does what all of them do: #MF, TOP = 0, all tags valid. They stay so when the store then faults. */
const enterMmx = Uint8Array.of(0x41, 0x0f, 0x7f, 0x87, SCRATCH_OFFSET & 255, SCRATCH_OFFSET >> 8, 0, 0);
/** Physical register mm in the image, which is in stack order. */
const mmxPlace = (area: Uint8Array, register: number): number => 32 + ((register - (area[3] >> 3)) & 7) * 16;

/**
 * maskmovq, maskmovdqu: bytes whose mask has its top bit set go to ds:[edi].
 * A fault is raised for the bytes that are not chosen too (SDM leaves it open).
 */
const maskedStore: Builder = (ins: Instruction) => {
  const mmx = ins.row.unit === 'mmx';
  const size = mmx ? 8 : 16;
  const place = (area: Uint8Array, register: number): number => (mmx ? mmxPlace(area, register) : 160 + register * 16);
  const mask = ins.addressSize === 4 ? -1 : 0xffff;
  const seg = ins.segment >= 0 ? ins.segment : SegIndex.DS;
  return c => {
    checkUnit(c, ins.row.unit);
    if (mmx) runOnHost(c, enterMmx, false);
    const area = materialise(c);
    const select = place(area, ins.rm);
    const data = place(area, ins.reg);
    const bytes = Array.from({ length: size }, (_, n) => (area[select + n] & 0x80 ? area[data + n] : -1));
    const at = (n: number): number => c.linear(seg, (c.r32[7] + n) & mask, 1, true);
    for (let n = 0; n < size; n++) c.mem.checkWrite(at(n), 1);
    bytes.forEach((byte, n) => {
      if (byte >= 0) c.mem.write8(at(n), byte);
    });
  };
};

export const extendedState: Builders = {
  fxsave: () => fxsave, fxrstor: () => fxrstor,
  xsave: () => xsave, xsaveopt: () => xsave, xrstor: () => xrstor,
  xgetbv: () => xgetbv, xsetbv: () => xsetbv,
  maskmovq: maskedStore, maskmovdqu: maskedStore, vmaskmovdqu: maskedStore,
};
