/** Shifts, rotates, bit tests and scans, byte swaps, checksums. */
import { arithmeticFlags, type BySize, setArithmeticFlags, setCarry, setZero } from '../flags';
import { getter, isMemory, registerOf, setter, sizeIndex, sizeOf } from '../operands';
import type { Core } from '../core';
import type { Op } from '../op';
import * as shifts from '../shifts';
import { modify } from './arithmetic';
import type { Builder, Builders } from './builder';

function shift(f: BySize<shifts.Shift>): Builder {
  return ins => {
    const [target, count] = ins.row.operands;
    const size = sizeOf(ins, target);
    const compute = f[sizeIndex(size)];
    const by = getter(ins, count);
    if (isMemory(ins, target)) return modify(size, (c, op, a) => compute(c, a, by(c, op)));
    const register = registerOf(ins, target);
    if (size === 4) return (c, op) => { c.r32[register] = compute(c, c.r32[register], by(c, op)); };
    const get = getter(ins, target);
    const set = setter(ins, target);
    return (c, op) => set(c, op, compute(c, get(c, op), by(c, op)));
  };
}

function doubleShift(f: BySize<shifts.DoubleShift>): Builder {
  return ins => {
    const [target, source, count] = ins.row.operands;
    const size = sizeOf(ins, target);
    const compute = f[sizeIndex(size)];
    const fill = getter(ins, source);
    const by = getter(ins, count);
    if (isMemory(ins, target)) return modify(size, (c, op, a) => compute(c, a, fill(c, op), by(c, op)));
    const get = getter(ins, target);
    const set = setter(ins, target);
    return (c, op) => set(c, op, compute(c, get(c, op), fill(c, op), by(c, op)));
  };
}

type BitChange = (value: number, mask: number) => number;

/** bt and friends. With a register offset the memory operand is a bit string: any distance from the address (SDM 2A, "Bit Addressing"). */
function bitTest(change: BitChange | null): Builder {
  return ins => {
    const [target, offset] = ins.row.operands;
    const size = sizeOf(ins, target) as 2 | 4;
    const bits = size * 8;
    const bitOf = getter(ins, offset);
    if (!isMemory(ins, target)) {
      const get = getter(ins, target);
      const set = setter(ins, target);
      return (c, op) => {
        const value = get(c, op);
        const bit = bitOf(c, op) & (bits - 1);
        if (change !== null) set(c, op, change(value, 1 << bit));
        setCarry(c, (value >>> bit) & 1);
      };
    }
    const byRegister = offset.method === 'G';
    return (c, op) => {
      const raw = bitOf(c, op);
      const wide = size === 2 ? (raw << 16) >> 16 : raw;
      const distance = byRegister ? (wide >> (size === 4 ? 5 : 4)) * size : 0;
      const bit = wide & (bits - 1);
      const at = bitString(c, op, distance, size, change !== null);
      const value = c.mem.read(at, size);
      if (change !== null) c.mem.write(at, size, change(value, 1 << bit));
      setCarry(c, (value >>> bit) & 1);
    };
  };
}

function bitString(c: Core, op: Op, distance: number, size: number, write: boolean): number {
  const at = c.linear(op.segment, (c.offset(op) + distance) & op.addressMask, size, write);
  if (write) c.mem.checkWrite(at, size);
  return at;
}

function scan(find: (value: number, bits: number) => number): Builder {
  return ins => {
    const [target, source] = ins.row.operands;
    const size = sizeOf(ins, target);
    const get = getter(ins, source);
    const set = setter(ins, target);
    return (c, op) => {
      const value = size === 2 ? get(c, op) & 0xffff : get(c, op);
      // A zero source leaves the target alone, as every processor does.
      if (value !== 0) set(c, op, find(value, size * 8));
      setZero(c, value === 0);
    };
  };
}

const trailingZeros = (value: number): number => 31 - Math.clz32(value & -value);

/** tzcnt and lzcnt: CF for a zero source, ZF for a zero result. */
function count(find: (value: number, bits: number) => number): Builder {
  return ins => {
    const [target, source] = ins.row.operands;
    const bits = sizeOf(ins, target) * 8;
    const get = getter(ins, source);
    const set = setter(ins, target);
    return (c, op) => {
      const value = bits === 16 ? get(c, op) & 0xffff : get(c, op);
      const result = value === 0 ? bits : find(value, bits);
      set(c, op, result);
      setArithmeticFlags(c, (arithmeticFlags(c) & ~0x41) | (value === 0 ? 1 : 0) | (result === 0 ? 0x40 : 0));
    };
  };
}

const popcnt: Builder = ins => {
  const get = getter(ins, ins.row.operands[1]);
  const set = setter(ins, ins.row.operands[0]);
  return (c, op) => {
    let value = get(c, op);
    let ones = 0;
    for (; value !== 0; value &= value - 1) ones++;
    set(c, op, ones);
    setArithmeticFlags(c, ones === 0 ? 0x40 : 0);
  };
};

function swap32(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

/** With a 16-bit operand size the result is undefined; cores clear the word. */
const bswap: Builder = ins => {
  const register = ins.opcodeReg;
  if (ins.operandSize === 2) return c => { c.r16[register * 2] = 0; };
  return c => { c.r32[register] = swap32(c.r32[register]); };
};

const movbe: Builder = ins => {
  const size = ins.operandSize;
  const get = getter(ins, ins.row.operands[1]);
  const set = setter(ins, ins.row.operands[0]);
  return (c, op) => {
    const value = get(c, op);
    set(c, op, size === 4 ? swap32(value) : ((value << 8) | (value >>> 8 & 0xff)) & 0xffff);
  };
};

/** CRC-32C, reflected polynomial (SDM 2A, CRC32). */
const crc32: Builder = ins => {
  const size = sizeOf(ins, ins.row.operands[1]);
  const get = getter(ins, ins.row.operands[1]);
  const set = setter(ins, ins.row.operands[0]);
  return (c, op) => {
    const source = get(c, op);
    let crc = c.r32[ins.reg];
    crc ^= size === 4 ? source : source & (2 ** (size * 8) - 1);
    for (let bit = 0; bit < size * 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) !== 0 ? 0x82f63b78 : 0);
    set(c, op, crc | 0);
  };
};

export const bits: Builders = {
  rol: shift(shifts.rol), ror: shift(shifts.ror), rcl: shift(shifts.rcl), rcr: shift(shifts.rcr),
  shl: shift(shifts.shl), sal: shift(shifts.shl), shr: shift(shifts.shr), sar: shift(shifts.sar),
  shld: doubleShift(shifts.shld), shrd: doubleShift(shifts.shrd),
  bt: bitTest(null),
  bts: bitTest((value, mask) => value | mask),
  btr: bitTest((value, mask) => value & ~mask),
  btc: bitTest((value, mask) => value ^ mask),
  bsf: scan(trailingZeros), bsr: scan(value => 31 - Math.clz32(value)),
  tzcnt: count(trailingZeros), lzcnt: count((value, width) => Math.clz32(value) - (32 - width)),
  popcnt, bswap, movbe, crc32,
};
