/**
 * Two- and one-operand integer arithmetic. Memory targets are checked for the
 * write first, so that flags and memory change together or not at all. The
 * 32-bit register forms, which most code consists of, have closures of their
 * own; the rest is put together from getters and setters.
 */
import { fault, Vector } from '../fault';
import * as flags from '../flags';
import { arithmeticFlags, carryFlag, setArithmeticFlags, setCarryOverflow } from '../flags';
import { getter, isMemory, registerOf, setter, sizeIndex, sizeOf, type Size } from '../operands';
import type { Handler } from '../op';
import { divide64, highProduct, signedHighProduct } from '../wide';
import type { Builder, Builders } from './builder';

/** `target = f(target, source)`. */
function binary(f: flags.BySize<flags.Binary>): Builder {
  return ins => {
    const [target, source] = ins.row.operands;
    const size = sizeOf(ins, target);
    const compute = f[sizeIndex(size)];
    const read = getter(ins, source);
    if (isMemory(ins, target)) return modify(size, (c, op, a) => compute(c, a, read(c, op)));
    const to = registerOf(ins, target);
    if (size === 4) {
      if (isMemory(ins, source)) return (c, op) => { c.r32[to] = compute(c, c.r32[to], c.mem.read32(c.linearRead(op, 4))); };
      const from = registerOf(ins, source);
      if (from >= 0) return c => { c.r32[to] = compute(c, c.r32[to], c.r32[from]); };
      const value = ins.immediate | 0;
      return c => { c.r32[to] = compute(c, c.r32[to], value); };
    }
    const get = getter(ins, target);
    const set = setter(ins, target);
    return (c, op) => set(c, op, compute(c, get(c, op), read(c, op)));
  };
}

/** Flags only: cmp, test. */
function compare(f: flags.BySize<flags.Binary>): Builder {
  return ins => {
    const [left, right] = ins.row.operands;
    const size = sizeOf(ins, left);
    const compute = f[sizeIndex(size)];
    const a = registerOf(ins, left);
    const b = registerOf(ins, right);
    if (size === 4 && a >= 0 && !isMemory(ins, right)) {
      if (b >= 0) return c => { compute(c, c.r32[a], c.r32[b]); };
      const value = ins.immediate | 0;
      return c => { compute(c, c.r32[a], value); };
    }
    const get = getter(ins, left);
    const read = getter(ins, right);
    return (c, op) => { compute(c, get(c, op), read(c, op)); };
  };
}

/** Read-modify-write of the memory operand; faults come before `f` runs. */
export function modify(size: Size, f: (c: Parameters<Handler>[0], op: Parameters<Handler>[1], a: number) => number): Handler {
  if (size === 4) return (c, op) => {
    const at = c.linearModify(op, 4);
    c.mem.write32(at, f(c, op, c.mem.read32(at)));
  };
  return (c, op) => {
    const at = c.linearModify(op, size);
    c.mem.write(at, size, f(c, op, c.mem.read(at, size)));
  };
}

function unary(f: flags.BySize<flags.Unary>): Builder {
  return ins => {
    const [target] = ins.row.operands;
    const size = sizeOf(ins, target);
    const compute = f[sizeIndex(size)];
    if (isMemory(ins, target)) return modify(size, (c, _op, a) => compute(c, a));
    const register = registerOf(ins, target);
    if (size === 4) return c => { c.r32[register] = compute(c, c.r32[register]); };
    const get = getter(ins, target);
    const set = setter(ins, target);
    return (c, op) => set(c, op, compute(c, get(c, op)));
  };
}

const not: flags.BySize<flags.Unary> = [(_c, a) => ~a, (_c, a) => ~a, (_c, a) => ~a];

const xadd: Builder = ins => {
  const [target, source] = ins.row.operands;
  const size = sizeOf(ins, target);
  const compute = flags.add[sizeIndex(size)];
  const getSource = getter(ins, source);
  const setSource = setter(ins, source);
  if (isMemory(ins, target)) return modify(size, (c, op, a) => {
    const sum = compute(c, a, getSource(c, op));
    setSource(c, op, a);
    return sum;
  });
  const get = getter(ins, target);
  const set = setter(ins, target);
  return (c, op) => {
    const a = get(c, op);
    const sum = compute(c, a, getSource(c, op));
    setSource(c, op, a);
    set(c, op, sum);
  };
};

const cmpxchg: Builder = ins => {
  const [target, source] = ins.row.operands;
  const size = sizeOf(ins, target);
  const compute = flags.sub[sizeIndex(size)];
  const replacement = getter(ins, source);
  const accumulator = { 1: 0, 2: 0, 4: 0 }[size];
  const load = (c: Parameters<Handler>[0], value: number): void => {
    if (size === 4) c.r32[accumulator] = value;
    else if (size === 2) c.r16[accumulator] = value;
    else c.r8[accumulator] = value;
  };
  const current = (c: Parameters<Handler>[0]): number => size === 4 ? c.r32[0] : size === 2 ? c.r16[0] : c.r8[0];
  // The target is written back even when unequal: it must be writable.
  if (isMemory(ins, target)) return modify(size, (c, op, a) => {
    if (compute(c, current(c), a) === 0) return replacement(c, op);
    load(c, a);
    return a;
  });
  const get = getter(ins, target);
  const set = setter(ins, target);
  return (c, op) => {
    const a = get(c, op);
    if (compute(c, current(c), a) === 0) set(c, op, replacement(c, op));
    else load(c, a);
  };
};

const cmpxchg8b: Builder = () => (c, op) => {
  const at = c.linearWrite(op, 8);
  c.mem.checkWrite(at, 8);
  const low = c.mem.read32(at);
  const high = c.mem.read32((at + 4) | 0);
  const equal = low === c.r32[0] && high === c.r32[2];
  c.mem.write32(at, equal ? c.r32[3] : low);
  c.mem.write32((at + 4) | 0, equal ? c.r32[1] : high);
  if (!equal) {
    c.r32[0] = low;
    c.r32[2] = high;
  }
  flags.setZero(c, equal);
};

// --- multiplication and division -------------------------------------------------------

/** SF, ZF and PF are undefined after a multiplication: they follow the low half. */
function afterProduct(c: Parameters<Handler>[0], low: number, overflow: boolean): void {
  c.res = low;
  c.aux = overflow ? 0x80000000 | 0 : 0;
  setCarryOverflow(c, overflow ? 1 : 0, overflow ? 1 : 0);
}

const mul: Builder = ins => {
  const size = sizeOf(ins, ins.row.operands[0]);
  const get = getter(ins, ins.row.operands[0]);
  if (size === 4) return (c, op) => {
    const b = get(c, op);
    const high = highProduct(c.r32[0], b);
    c.r32[0] = Math.imul(c.r32[0], b);
    c.r32[2] = high;
    afterProduct(c, c.r32[0], high !== 0);
  };
  if (size === 2) return (c, op) => {
    const product = c.r16[0] * get(c, op);
    c.r16[0] = product;
    c.r16[4] = product >>> 16;
    afterProduct(c, (product << 16) >> 16, product > 0xffff);
  };
  return (c, op) => {
    const product = c.r8[0] * get(c, op);
    c.r16[0] = product;
    afterProduct(c, (product << 24) >> 24, product > 0xff);
  };
};

const imulOne: Builder = ins => {
  const size = sizeOf(ins, ins.row.operands[0]);
  const get = getter(ins, ins.row.operands[0]);
  if (size === 4) return (c, op) => {
    const b = get(c, op);
    const high = signedHighProduct(c.r32[0], b);
    const low = Math.imul(c.r32[0], b);
    c.r32[0] = low;
    c.r32[2] = high;
    afterProduct(c, low, high !== low >> 31);
  };
  if (size === 2) return (c, op) => {
    const product = ((c.r16[0] << 16) >> 16) * ((get(c, op) << 16) >> 16);
    c.r16[0] = product;
    c.r16[4] = product >> 16;
    afterProduct(c, (product << 16) >> 16, product !== (product << 16) >> 16);
  };
  return (c, op) => {
    const product = ((c.r8[0] << 24) >> 24) * ((get(c, op) << 24) >> 24);
    c.r16[0] = product;
    afterProduct(c, (product << 24) >> 24, product !== (product << 24) >> 24);
  };
};

/** imul r, r/m and imul r, r/m, imm. */
const imul: Builder = ins => {
  const { operands } = ins.row;
  if (operands.length === 1) return imulOne(ins);
  const size = sizeOf(ins, operands[0]);
  const left = getter(ins, operands.length === 3 ? operands[1] : operands[0]);
  const right = getter(ins, operands[operands.length - 1]);
  const set = setter(ins, operands[0]);
  if (size === 4) return (c, op) => {
    const a = left(c, op);
    const b = right(c, op);
    const low = Math.imul(a, b);
    set(c, op, low);
    afterProduct(c, low, signedHighProduct(a, b) !== low >> 31);
  };
  return (c, op) => {
    const product = ((left(c, op) << 16) >> 16) * ((right(c, op) << 16) >> 16);
    const low = (product << 16) >> 16;
    set(c, op, low);
    afterProduct(c, low, product !== low);
  };
};

const div: Builder = ins => {
  const size = sizeOf(ins, ins.row.operands[0]);
  const get = getter(ins, ins.row.operands[0]);
  if (size === 4) return (c, op) => {
    const divisor = get(c, op) >>> 0;
    if (divisor === 0 || (c.r32[2] >>> 0) >= divisor) throw fault(Vector.DE);
    const [quotient, remainder] = divide64(c.r32[2], c.r32[0], divisor);
    c.r32[0] = quotient;
    c.r32[2] = remainder;
  };
  if (size === 2) return (c, op) => {
    const divisor = get(c, op);
    const dividend = c.r16[4] * 65536 + c.r16[0];
    if (divisor === 0 || c.r16[4] >= divisor) throw fault(Vector.DE);
    c.r16[0] = Math.floor(dividend / divisor);
    c.r16[4] = dividend % divisor;
  };
  return (c, op) => {
    const divisor = get(c, op);
    const dividend = c.r16[0];
    if (divisor === 0 || dividend >> 8 >= divisor) throw fault(Vector.DE);
    c.r8[0] = Math.floor(dividend / divisor);
    c.r8[1] = dividend % divisor;
  };
};

const idiv: Builder = ins => {
  const size = sizeOf(ins, ins.row.operands[0]);
  const get = getter(ins, ins.row.operands[0]);
  if (size === 4) return (c, op) => {
    const divisor = get(c, op);
    if (divisor === 0) throw fault(Vector.DE);
    // Most dividends are sign-extended 32-bit numbers.
    if (c.r32[2] === c.r32[0] >> 31) {
      const quotient = c.r32[0] / divisor;
      if (quotient > 0x7fffffff) throw fault(Vector.DE);
      const remainder = c.r32[0] % divisor;
      c.r32[0] = quotient;
      c.r32[2] = remainder;
      return;
    }
    const dividend = (BigInt(c.r32[2]) << 32n) | BigInt(c.r32[0] >>> 0);
    const quotient = dividend / BigInt(divisor);
    if (quotient !== BigInt.asIntN(32, quotient)) throw fault(Vector.DE);
    c.r32[0] = Number(quotient);
    c.r32[2] = Number(dividend % BigInt(divisor));
  };
  const narrow = size === 2 ? 16 : 24;
  const least = size === 2 ? -0x8000 : -0x80;
  return (c, op) => {
    const divisor = (get(c, op) << narrow) >> narrow;
    const dividend = size === 2 ? (c.r16[4] << 16) | c.r16[0] : (c.r16[0] << 16) >> 16;
    if (divisor === 0) throw fault(Vector.DE);
    const quotient = Math.trunc(dividend / divisor);
    if (quotient < least || quotient > ~least) throw fault(Vector.DE);
    const remainder = dividend % divisor;
    if (size === 2) {
      c.r16[0] = quotient;
      c.r16[4] = remainder;
    } else {
      c.r8[0] = quotient;
      c.r8[1] = remainder;
    }
  };
};

// --- decimal (SDM 2A, AAA … DAS) ------------------------------------------------------------

function decimalAdjust(sign: 1 | -1): Handler {
  return c => {
    const before = arithmeticFlags(c);
    const old = c.r8[0];
    let al = old;
    let image = 0;
    if ((old & 15) > 9 || (before & 0x10) !== 0) {
      const sum = al + sign * 6;
      image |= 0x10 | ((before & 1) | (sum > 255 || sum < 0 ? 1 : 0));
      al = sum & 255;
    }
    if (old > 0x99 || (before & 1) !== 0) {
      al = (al + sign * 0x60) & 255;
      image |= 1;
    } else if (sign === 1) image &= ~1;
    c.r8[0] = al;
    resultFlags(c, al, image);
  };
}

function asciiAdjust(sign: 1 | -1): Handler {
  return c => {
    const before = arithmeticFlags(c);
    const adjust = (c.r8[0] & 15) > 9 || (before & 0x10) !== 0;
    if (adjust) {
      c.r16[0] += sign * 6;
      c.r8[1] += sign;
    }
    c.r8[0] &= 15;
    resultFlags(c, c.r8[0], adjust ? 0x11 : 0);
  };
}

/** SF, ZF, PF from a byte; `image` gives CF and AF. */
function resultFlags(c: Parameters<Handler>[0], value: number, image: number): void {
  c.res = (value << 24) >> 24;
  c.aux = 0;
  setArithmeticFlags(c, arithmeticFlags(c) | image);
}

const aam: Builder = ins => {
  const base = ins.immediate & 255;
  return c => {
    if (base === 0) throw fault(Vector.DE);
    const al = c.r8[0];
    c.r8[1] = Math.floor(al / base);
    c.r8[0] = al % base;
    resultFlags(c, c.r8[0], 0);
  };
};

const aad: Builder = ins => {
  const base = ins.immediate & 255;
  return c => {
    const sum = (c.r8[0] + c.r8[1] * base) & 255;
    c.r16[0] = sum;
    resultFlags(c, sum, 0);
  };
};

export const arithmetic: Builders = {
  add: binary(flags.add), or: binary(flags.or), adc: binary(flags.adc), sbb: binary(flags.sbb),
  and: binary(flags.and), sub: binary(flags.sub), xor: binary(flags.xor),
  cmp: compare(flags.sub), test: compare(flags.and),
  inc: unary(flags.inc), dec: unary(flags.dec), neg: unary(flags.neg), not: unary(not),
  xadd, cmpxchg, cmpxchg8b, mul, imul, div, idiv,
  daa: () => decimalAdjust(1), das: () => decimalAdjust(-1),
  aaa: () => asciiAdjust(1), aas: () => asciiAdjust(-1), aam, aad,
  salc: () => c => { c.r8[0] = carryFlag(c) ? 255 : 0; },
};
