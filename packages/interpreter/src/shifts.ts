import { type BySize, type LazyFlags, setCarryOverflow } from './flags';

/**
 * Shifts and rotates (SDM 2B, SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD/SHRD).
 * A masked count of zero changes nothing, not even flags. Where OF is
 * undefined (counts above one) the one-bit formula is applied to the result,
 * which is what current cores do.
 */

export type Shift = (c: LazyFlags, a: number, count: number) => number;

function finish(c: LazyFlags, res: number, carry: number, overflow: number): number {
  c.res = res;
  c.aux = (carry << 31) | ((carry ^ overflow) << 30);
  return res;
}

function bySize(make: (bits: number) => Shift): BySize<Shift> {
  return [make(8), make(16), make(32)];
}

export const shl = bySize(bits => {
  const up = 32 - bits;
  return (c, a, count) => {
    const n = count & 31;
    if (n === 0) return a;
    const res = (a << n << up) >> up;
    const carry = bits === 32 ? (a >>> (32 - n)) & 1 : n <= bits ? (a >>> (bits - n)) & 1 : 0;
    return finish(c, res, carry, carry ^ (res >>> 31));
  };
});

export const shr = bySize(bits => {
  const up = 32 - bits;
  return (c, a, count) => {
    const n = count & 31;
    if (n === 0) return a;
    const value = (a << up) >>> up;
    const carry = (value >>> (n - 1)) & 1;
    const res = ((value >>> n) << up) >> up;
    // Of a one-bit shift the old top bit; of a longer one 0.
    return finish(c, res, carry, n === 1 ? (value >>> (bits - 1)) & 1 : 0);
  };
});

export const sar = bySize(bits => {
  const up = 32 - bits;
  return (c, a, count) => {
    const n = count & 31;
    if (n === 0) return a;
    const value = (a << up) >> up;
    return finish(c, value >> n, (value >> (n - 1)) & 1, 0);
  };
});

export const rol = bySize(bits => {
  const up = 32 - bits;
  return (c, a, count) => {
    if ((count & 31) === 0) return a;
    const n = count & (bits - 1);
    const value = (a << up) >>> up;
    const res = n === 0 ? value : ((value << n) | (value >>> (bits - n)));
    const carry = res & 1;
    setCarryOverflow(c, carry, carry ^ ((res >>> (bits - 1)) & 1));
    return res;
  };
});

export const ror = bySize(bits => {
  const up = 32 - bits;
  return (c, a, count) => {
    if ((count & 31) === 0) return a;
    const n = count & (bits - 1);
    const value = (a << up) >>> up;
    const res = n === 0 ? value : ((value >>> n) | (value << (bits - n)));
    const top = (res >>> (bits - 1)) & 1;
    setCarryOverflow(c, top, top ^ ((res >>> (bits - 2)) & 1));
    return res;
  };
});

export const rcl = bySize(bits => {
  const up = 32 - bits;
  return (c, a, count) => {
    if ((count & 31) === 0) return a;
    let carry = c.aux >>> 31;
    let value = (a << up) >>> up;
    for (let n = (count & 31) % (bits + 1); n > 0; n--) {
      const out = (value >>> (bits - 1)) & 1;
      value = (((value << 1) | carry) << up) >>> up;
      carry = out;
    }
    setCarryOverflow(c, carry, carry ^ ((value >>> (bits - 1)) & 1));
    return value | 0;
  };
});

export const rcr = bySize(bits => {
  const up = 32 - bits;
  return (c, a, count) => {
    if ((count & 31) === 0) return a;
    let carry = c.aux >>> 31;
    let value = (a << up) >>> up;
    for (let n = (count & 31) % (bits + 1); n > 0; n--) {
      const out = value & 1;
      value = ((value >>> 1) | (carry << (bits - 1))) >>> 0;
      carry = out;
    }
    setCarryOverflow(c, carry, ((value >>> (bits - 1)) ^ (value >>> (bits - 2))) & 1);
    return value | 0;
  };
});

export type DoubleShift = (c: LazyFlags, a: number, b: number, count: number) => number;

const shld16: DoubleShift = (c, a, b, count) => {
  const n = count & 31;
  if (n === 0) return a;
  const both = ((a & 0xffff) << 16) | (b & 0xffff);
  // Counts above 16 are undefined; AMD's cores bring the source in again.
  const wide = n > 16 ? (both << n) | ((b & 0xffff) << (n - 16)) : both << n;
  const res = wide >> 16;
  const carry = n > 16 ? 0 : (both >>> (32 - n)) & 1;
  return finish(c, res, carry, carry ^ (res >>> 31));
};

const shrd16: DoubleShift = (c, a, b, count) => {
  const n = count & 31;
  if (n === 0) return a;
  const both = ((b & 0xffff) << 16) | (a & 0xffff);
  const wide = n > 16 ? (both >>> n) | ((b & 0xffff) << (32 - n)) : both >>> n;
  const res = (wide << 16) >> 16;
  return finish(c, res, n > 16 ? 0 : (both >>> (n - 1)) & 1, ((res >>> 15) ^ (res >>> 14)) & 1);
};

const shld32: DoubleShift = (c, a, b, count) => {
  const n = count & 31;
  if (n === 0) return a;
  const res = (a << n) | (b >>> (32 - n));
  const carry = (a >>> (32 - n)) & 1;
  return finish(c, res, carry, carry ^ (res >>> 31));
};

const shrd32: DoubleShift = (c, a, b, count) => {
  const n = count & 31;
  if (n === 0) return a;
  const res = (a >>> n) | (b << (32 - n));
  return finish(c, res, (a >>> (n - 1)) & 1, (res ^ (res << 1)) >>> 31);
};

export const shld: BySize<DoubleShift> = [shld16, shld16, shld32];
export const shrd: BySize<DoubleShift> = [shrd16, shrd16, shrd32];
