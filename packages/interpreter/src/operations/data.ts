/** Moves, extensions, exchanges, address arithmetic, flag bits, stack. */
import { SegIndex } from '@godwit/cpu';
import { arithmeticFlags, conditions, Eflags, setArithmeticFlags, setCarry, carryFlag } from '../flags';
import { getter, isMemory, registerOf, registerSetter, setter, sizeOf } from '../operands';
import type { Handler } from '../op';
import { modify } from './arithmetic';
import type { Builder, Builders } from './builder';
import { conditionSuffixes } from './conditions';

const mov: Builder = ins => {
  const [target, source] = ins.row.operands;
  const size = sizeOf(ins, target);
  const to = registerOf(ins, target);
  const from = registerOf(ins, source);
  if (size === 4) {
    if (isMemory(ins, source)) return (c, op) => { c.r32[to] = c.mem.read32(c.linearRead(op, 4)); };
    const value = ins.immediate | 0;
    if (isMemory(ins, target)) return from >= 0
      ? (c, op) => c.mem.write32(c.linearWrite(op, 4), c.r32[from])
      : (c, op) => c.mem.write32(c.linearWrite(op, 4), value);
    return from >= 0 ? c => { c.r32[to] = c.r32[from]; } : c => { c.r32[to] = value; };
  }
  const get = getter(ins, source);
  const set = setter(ins, target);
  return (c, op) => set(c, op, get(c, op));
};

function extend(signed: boolean): Builder {
  return ins => {
    const [target, source] = ins.row.operands;
    const get = getter(ins, source);
    const set = setter(ins, target);
    if (!signed) return (c, op) => set(c, op, get(c, op));
    const shift = 32 - sizeOf(ins, source) * 8;
    return (c, op) => set(c, op, (get(c, op) << shift) >> shift);
  };
}

const lea: Builder = ins => ins.operandSize === 4
  ? (c, op) => { c.r32[ins.reg] = c.offset(op); }
  : (c, op) => { c.r16[ins.reg * 2] = c.offset(op); };

const xchg: Builder = ins => {
  const [left, right] = ins.row.operands;
  const size = sizeOf(ins, left);
  const getRight = getter(ins, right);
  const setRight = setter(ins, right);
  if (isMemory(ins, left)) return modify(size, (c, op, a) => {
    const b = getRight(c, op);
    setRight(c, op, a);
    return b;
  });
  const getLeft = getter(ins, left);
  const setLeft = setter(ins, left);
  return (c, op) => {
    const a = getLeft(c, op);
    setLeft(c, op, getRight(c, op));
    setRight(c, op, a);
  };
};

const xlat: Builder = ins => c => {
  const mask = ins.addressSize === 4 ? -1 : 0xffff;
  const segment = ins.segment >= 0 ? ins.segment : SegIndex.DS;
  c.r8[0] = c.mem.read8(c.linear(segment, (c.r32[3] + c.r8[0]) & mask, 1, false));
};

// --- conditions ----------------------------------------------------------------------------

const conditional: Builders = {};
conditionSuffixes.forEach((suffix, n) => {
  const test = conditions[n];
  conditional[`set${suffix}`] = ins => {
    const set = setter(ins, ins.row.operands[0]);
    return (c, op) => set(c, op, test(c) ? 1 : 0);
  };
  // The source is read, and may fault, whatever the condition.
  conditional[`cmov${suffix}`] = ins => {
    const get = getter(ins, ins.row.operands[1]);
    const set = setter(ins, ins.row.operands[0]);
    return (c, op) => {
      const value = get(c, op);
      if (test(c)) set(c, op, value);
    };
  };
});

// --- stack -----------------------------------------------------------------------------------

const push: Builder = ins => {
  const [source] = ins.row.operands;
  const register = registerOf(ins, source);
  if (ins.operandSize === 4 && register >= 0) return c => c.push32(c.r32[register]);
  const get = getter(ins, source);
  return ins.operandSize === 4 ? (c, op) => c.push32(get(c, op)) : (c, op) => c.push16(get(c, op));
};

const pop: Builder = ins => {
  const [target] = ins.row.operands;
  const size = ins.operandSize;
  const register = registerOf(ins, target);
  if (register >= 0) {
    if (size === 4) return c => { c.r32[register] = c.pop32(); };
    const set = registerSetter(2, register);
    return (c, op) => set(c, op, c.pop(2));
  }
  // An ESP in the address counts after the pop (SDM 2B, POP); a fault must take it back.
  return (c, op) => {
    const value = c.peek(size, 0);
    const before = c.r32[4];
    c.sp = before + size;
    let done = false;
    try {
      c.mem.write(c.linearWrite(op, size), size, value);
      done = true;
    } finally {
      if (!done) c.r32[4] = before;
    }
  };
};

const pusha: Builder = ins => {
  const size = ins.operandSize;
  return c => {
    // In the order of the pushes: where the stack is full, the slots above the fault have been written (as the host CPU does it).
    for (let register = 0; register < 8; register++) {
      const at = (c.r32[4] - (register + 1) * size) & c.stackMask;
      c.mem.write(c.linear(SegIndex.SS, at, size, true), size, c.r32[register]);
    }
    c.sp = c.r32[4] - 8 * size;
  };
};

const popa: Builder = ins => {
  const size = ins.operandSize;
  const setters = [0, 1, 2, 3, 4, 5, 6, 7].map(register => registerSetter(size, register));
  return (c, op) => {
    const values: number[] = [];
    for (let n = 0; n < 8; n++) values.push(c.peek(size, n * size));
    for (let register = 0; register < 8; register++) if (register !== 4) setters[register](c, op, values[7 - register]);
    c.sp = c.r32[4] + 8 * size;
  };
};

/** SDM 2A, ENTER. ESP and EBP change only when all pushes are done. */
const enter: Builder = ins => {
  const size = ins.operandSize;
  const frameSize = ins.immediate & 0xffff;
  const level = ins.immediate2 & 31;
  return (c, op) => {
    const mask = c.stackMask;
    const stack = (offset: number, write: boolean): number => c.linear(SegIndex.SS, offset & mask, size, write);
    let sp = (c.r32[4] - size) & mask;
    c.mem.write(stack(sp, true), size, c.r32[5]);
    const frame = sp;
    if (level > 0) {
      let link = c.r32[5];
      for (let n = 1; n < level; n++) {
        link -= size;
        sp = (sp - size) & mask;
        c.mem.write(stack(sp, true), size, c.mem.read(stack(link, false), size));
      }
      sp = (sp - size) & mask;
      c.mem.write(stack(sp, true), size, frame);
    }
    sp = (sp - frameSize) & mask;
    // The new top must be writable, though nothing is written there.
    c.mem.checkWrite(stack(sp, true), size);
    registerSetter(size, 5)(c, op, frame);
    c.sp = sp;
  };
};

const leave: Builder = ins => {
  const size = ins.operandSize;
  const set = registerSetter(size, 5);
  return (c, op) => {
    const at = c.r32[5] & c.stackMask;
    const value = c.mem.read(c.linear(SegIndex.SS, at, size, false), size);
    c.sp = at + size;
    set(c, op, value);
  };
};

// --- flags and sign ------------------------------------------------------------------------

const cbw: Builder = ins => ins.operandSize === 4
  ? c => { c.r32[0] = (c.r32[0] << 16) >> 16; }
  : c => { c.r16[0] = (c.r8[0] << 24) >> 24; };

const cwd: Builder = ins => ins.operandSize === 4
  ? c => { c.r32[2] = c.r32[0] >> 31; }
  : c => { c.r16[4] = (c.r16[0] << 16) >> 31; };

const SAHF = Eflags.SF | Eflags.ZF | Eflags.AF | Eflags.PF | Eflags.CF;
const sahf: Handler = c => setArithmeticFlags(c, (arithmeticFlags(c) & Eflags.OF) | (c.r8[1] & SAHF));
const nothing: Handler = () => undefined;

export const data: Builders = {
  mov, movzx: extend(false), movsx: extend(true), lea, xchg, xlat, movnti: mov,
  ...conditional,
  push, pop, pusha, popa, enter, leave, cbw, cwd,
  sahf: () => sahf,
  lahf: () => c => { c.r8[1] = (arithmeticFlags(c) & SAHF) | 2; },
  clc: () => c => setCarry(c, 0),
  stc: () => c => setCarry(c, 1),
  cmc: () => c => setCarry(c, 1 - carryFlag(c)),
  cld: () => c => { c.flags &= ~Eflags.DF; },
  std: () => c => { c.flags |= Eflags.DF; },
  // Hints and cache control: one processor, write-back memory.
  nop: () => nothing, pause: () => nothing,
  prefetch: () => nothing, prefetchw: () => nothing, prefetchnta: () => nothing,
  prefetcht0: () => nothing, prefetcht1: () => nothing, prefetcht2: () => nothing,
  lfence: () => nothing, mfence: () => nothing, sfence: () => nothing,
  clflush: () => (c, op) => { c.mem.read8(c.linearRead(op, 1)); },
  clflushopt: () => (c, op) => { c.mem.read8(c.linearRead(op, 1)); },
};
