import type { Instruction, Operand } from '@godwit/isa';
import type { Core } from './core';
import type { Op } from './op';

/**
 * Operands as closures, chosen once when an instruction is decoded.
 *
 * Values travel as int32; narrow reads are zero-extended, and whoever consumes
 * a narrow value ignores what lies above its size.
 */

export type Size = 1 | 2 | 4;
export type Getter = (core: Core, op: Op) => number;
export type Setter = (core: Core, op: Op, value: number) => void;

/** Bytes of a general-register or memory operand. */
export function sizeOf(ins: Instruction, operand: Operand): Size {
  switch (operand.size) {
    case 'b': return 1;
    case 'w': return 2;
    case 'd': case 'y': return 4;
    default: return ins.operandSize;
  }
}

/** Index into flag-operation triples. */
export function sizeIndex(size: Size): 0 | 1 | 2 { return size === 4 ? 2 : size === 2 ? 1 : 0; }

/** Register number of an operand, or -1 when it lives in memory or is an immediate. */
export function registerOf(ins: Instruction, operand: Operand): number {
  switch (operand.method) {
    case 'G': case 'C': case 'D': case 'S': return ins.reg;
    case 'R': return ins.rm;
    case 'E': case 'M': return ins.hasMemory ? -1 : ins.rm;
    case 'Z': return ins.opcodeReg;
    case 'B': return ins.vvvv;
    case 'reg': return operand.reg;
    default: return -1;
  }
}

export function isMemory(ins: Instruction, operand: Operand): boolean {
  return operand.method === 'O' || ((operand.method === 'E' || operand.method === 'M') && ins.hasMemory);
}

/** Index of a byte register in the byte view: ah, ch, dh, bh are the second bytes. */
export function byteIndex(register: number): number { return ((register & 3) << 2) | (register >> 2); }

export function registerGetter(size: Size, register: number): Getter {
  if (size === 4) return c => c.r32[register];
  if (size === 2) return c => c.r16[register * 2];
  const at = byteIndex(register);
  return c => c.r8[at];
}

export function registerSetter(size: Size, register: number): Setter {
  if (size === 4) return (c, _op, value) => { c.r32[register] = value; };
  if (size === 2) return (c, _op, value) => { c.r16[register * 2] = value; };
  const at = byteIndex(register);
  return (c, _op, value) => { c.r8[at] = value; };
}

export function memoryGetter(size: Size): Getter {
  if (size === 4) return (c, op) => c.mem.read32(c.linearRead(op, 4));
  if (size === 2) return (c, op) => c.mem.read16(c.linearRead(op, 2));
  return (c, op) => c.mem.read8(c.linearRead(op, 1));
}

export function memorySetter(size: Size): Setter {
  if (size === 4) return (c, op, value) => c.mem.write32(c.linearWrite(op, 4), value);
  if (size === 2) return (c, op, value) => c.mem.write16(c.linearWrite(op, 2), value);
  return (c, op, value) => c.mem.write8(c.linearWrite(op, 1), value);
}

export function getter(ins: Instruction, operand: Operand): Getter {
  const size = sizeOf(ins, operand);
  if (isMemory(ins, operand)) return memoryGetter(size);
  const register = registerOf(ins, operand);
  if (register >= 0) return registerGetter(size, register);
  const value = operand.method === '1' ? 1 : ins.immediate | 0;
  return () => value;
}

export function setter(ins: Instruction, operand: Operand): Setter {
  const size = sizeOf(ins, operand);
  return isMemory(ins, operand) ? memorySetter(size) : registerSetter(size, registerOf(ins, operand));
}
