/**
 * Arithmetic flags, kept lazily.
 *
 * Nearly every instruction writes all six arithmetic flags and nearly none
 * reads them, so an operation only records two words, and the flags are worked
 * out when somebody looks:
 *
 *   res  the result, sign-extended to 32 bits: ZF, SF and PF follow from it
 *   aux  bit 31       carry out of the top bit                     -> CF
 *        bit 30       carry into the top bit (CF ^ OF)             -> OF
 *        bit 3        carry out of bit 3                           -> AF
 *        bit 0        flips SF          \ only set by popf & co, where ZF, SF
 *        bits 8-15    flip parity bits  / and PF need not fit one result
 *
 * The carries of an addition are (a & b) | ((a | b) & ~res), those of a
 * subtraction (~a & b) | (~(a ^ b) & res), whatever the carry in was; narrower
 * operations shift their two top carries up to bits 31 and 30.
 *
 * Flags that the manual leaves undefined get the value that current cores give
 * where that is simple (logic and shifts clear AF; OF of a multi-bit shift
 * follows the one-bit rule).
 */

export interface LazyFlags {
  res: number;
  aux: number;
}

export const enum Eflags {
  CF = 1,
  FIXED = 2,
  PF = 4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  TF = 0x100,
  IF = 0x200,
  DF = 0x400,
  OF = 0x800,
  IOPL = 0x3000,
  NT = 0x4000,
  RF = 0x10000,
  VM = 0x20000,
  AC = 0x40000,
  VIF = 0x80000,
  VIP = 0x100000,
  ID = 0x200000,
  ARITHMETIC = 0x8d5,
  /** Every bit that exists. */
  ALL = 0x3f7fd7,
}

/** 1 for bytes with an even number of ones. */
const evenParity = new Uint8Array(256);
for (let i = 0; i < 256; i++) {
  let ones = 0;
  for (let b = 0; b < 8; b++) ones += (i >> b) & 1;
  evenParity[i] = 1 - (ones & 1);
}

const CARRIES = 0xc0000008 | 0;

export function carryFlag(c: LazyFlags): number { return c.aux >>> 31; }
export function parityFlag(c: LazyFlags): number { return evenParity[(c.res ^ (c.aux >> 8)) & 255]; }
export function adjustFlag(c: LazyFlags): number { return (c.aux >> 3) & 1; }
export function signFlag(c: LazyFlags): number { return ((c.res >>> 31) ^ c.aux) & 1; }
export function overflowFlag(c: LazyFlags): number { return (c.aux ^ (c.aux << 1)) >>> 31; }

/** The six flags as they stand in EFLAGS. */
export function arithmeticFlags(c: LazyFlags): number {
  return carryFlag(c) | (parityFlag(c) << 2) | ((c.aux & 8) << 1) | (c.res === 0 ? Eflags.ZF : 0) | (signFlag(c) << 7) | (overflowFlag(c) << 11);
}

/** Takes the six flags from an EFLAGS image. */
export function setArithmeticFlags(c: LazyFlags, flags: number): void {
  const zero = (flags & Eflags.ZF) !== 0;
  const parity = (flags >> 2) & 1;
  const carry = flags & 1;
  const overflow = (flags >> 11) & 1;
  c.res = zero ? 0 : 1;
  // 0 has even parity, 1 odd.
  const flip = zero ? parity ^ 1 : parity;
  c.aux = (carry << 31) | ((carry ^ overflow) << 30) | (flip << 8) | ((flags & Eflags.AF) >> 1) | ((flags >> 7) & 1);
}

/** Sets CF and OF and leaves the others (rotates, mul). */
export function setCarryOverflow(c: LazyFlags, carry: number, overflow: number): void {
  c.aux = (c.aux & 0xffff) | (carry << 31) | ((carry ^ overflow) << 30);
}

export function setCarry(c: LazyFlags, carry: number): void {
  setCarryOverflow(c, carry, overflowFlag(c));
}

export function setZero(c: LazyFlags, zero: boolean): void {
  const flags = arithmeticFlags(c);
  setArithmeticFlags(c, zero ? flags | Eflags.ZF : flags & ~Eflags.ZF);
}

/** An operation on two values; results are sign-extended, operands may carry garbage above their size. */
export type Binary = (c: LazyFlags, a: number, b: number) => number;
/** The same operation for 8, 16 and 32 bits. */
export type BySize<T> = readonly [byte: T, word: T, dword: T];

function record(shift: 0 | 16 | 24, carries: (a: number, b: number, res: number) => number, compute: (a: number, b: number, carry: number) => number): Binary {
  if (shift === 0) return (c, a, b) => {
    const res = compute(a, b, c.aux >>> 31);
    c.res = res;
    c.aux = carries(a, b, res) & CARRIES;
    return res;
  };
  return (c, a, b) => {
    const res = (compute(a, b, c.aux >>> 31) << shift) >> shift;
    const carry = carries(a, b, res);
    c.res = res;
    c.aux = ((carry << shift) & 0xc0000000) | (carry & 8);
    return res;
  };
}

const addCarries = (a: number, b: number, res: number): number => (a & b) | ((a | b) & ~res);
const subCarries = (a: number, b: number, res: number): number => (~a & b) | (~(a ^ b) & res);

export const add32: Binary = (c, a, b) => {
  const res = (a + b) | 0;
  c.res = res;
  c.aux = ((a & b) | ((a | b) & ~res)) & CARRIES;
  return res;
};
export const sub32: Binary = (c, a, b) => {
  const res = (a - b) | 0;
  c.res = res;
  c.aux = ((~a & b) | (~(a ^ b) & res)) & CARRIES;
  return res;
};

const plus = (a: number, b: number): number => (a + b) | 0;
const minus = (a: number, b: number): number => (a - b) | 0;
const plusCarry = (a: number, b: number, carry: number): number => (a + b + carry) | 0;
const minusCarry = (a: number, b: number, carry: number): number => (a - b - carry) | 0;

function logic(f: (a: number, b: number) => number): BySize<Binary> {
  const narrow = (shift: number): Binary => (c, a, b) => {
    c.aux = 0;
    return (c.res = (f(a, b) << shift) >> shift);
  };
  return [narrow(24), narrow(16), narrow(0)];
}

export const add: BySize<Binary> = [record(24, addCarries, plus), record(16, addCarries, plus), add32];
export const adc: BySize<Binary> = [record(24, addCarries, plusCarry), record(16, addCarries, plusCarry), record(0, addCarries, plusCarry)];
export const sub: BySize<Binary> = [record(24, subCarries, minus), record(16, subCarries, minus), sub32];
export const sbb: BySize<Binary> = [record(24, subCarries, minusCarry), record(16, subCarries, minusCarry), record(0, subCarries, minusCarry)];
export const and: BySize<Binary> = logic((a, b) => a & b);
export const or: BySize<Binary> = logic((a, b) => a | b);
export const xor: BySize<Binary> = logic((a, b) => a ^ b);

export type Unary = (c: LazyFlags, a: number) => number;

function step(by: 1 | -1, shift: number): Unary {
  const overflowing = by === 1 ? -0x80000000 >> shift : 0x7fffffff >> shift;
  const nibble = by === 1 ? 0 : 15;
  return (c, a) => {
    const res = ((a + by) << shift) >> shift;
    const carry = c.aux >>> 31;
    const overflow = res === overflowing ? 1 : 0;
    c.res = res;
    c.aux = (carry << 31) | ((carry ^ overflow) << 30) | ((res & 15) === nibble ? 8 : 0);
    return res;
  };
}

export const inc: BySize<Unary> = [step(1, 24), step(1, 16), step(1, 0)];
export const dec: BySize<Unary> = [step(-1, 24), step(-1, 16), step(-1, 0)];
export const neg: BySize<Unary> = [(c, a) => sub[0](c, 0, a), (c, a) => sub[1](c, 0, a), (c, a) => sub[2](c, 0, a)];

/** Condition codes by the low four bits of the opcode. */
export const conditions: readonly ((c: LazyFlags) => boolean)[] = [
  c => ((c.aux ^ (c.aux << 1)) | 0) < 0,
  c => ((c.aux ^ (c.aux << 1)) | 0) >= 0,
  c => c.aux < 0,
  c => c.aux >= 0,
  c => c.res === 0,
  c => c.res !== 0,
  c => c.aux < 0 || c.res === 0,
  c => c.aux >= 0 && c.res !== 0,
  c => signFlag(c) !== 0,
  c => signFlag(c) === 0,
  c => parityFlag(c) !== 0,
  c => parityFlag(c) === 0,
  c => signFlag(c) !== overflowFlag(c),
  c => signFlag(c) === overflowFlag(c),
  c => c.res === 0 || signFlag(c) !== overflowFlag(c),
  c => c.res !== 0 && signFlag(c) === overflowFlag(c),
];
