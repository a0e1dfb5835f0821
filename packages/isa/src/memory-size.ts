/**
 * How many bytes a memory operand covers, from the operand's size letters
 * (SDM 2D, A.2.2). 0 for operands that name an address without reading or
 * writing there (lea, invlpg, prefetches, clflush, nop).
 */
import type { Instruction, Operand } from './instruction';

const fixedSizes: Record<string, number> = {
  b: 1, w: 2, d: 4, q: 8, s: 6, t: 10, dq: 16, qq: 32, ss: 4, sd: 8, m: 0, fxsave: 512,
};

/** Sizes that the operand size (16-bit, 32-bit) or VEX.L (128, 256 bits) chooses. */
const operandSizes: Record<string, readonly [number, number]> = {
  v: [2, 4], z: [2, 4], a: [4, 8], p: [4, 6], fenv: [14, 28], fsave: [94, 108],
};
const vectorSizes: Record<string, readonly [number, number]> = {
  x: [16, 32], ps: [16, 32], pd: [16, 32], hx: [8, 16], fx: [4, 8], ex: [2, 4],
};

/** Legacy region, header and the AVX component: what an image of the offered XCR0 bits can take. */
const XSAVE_BYTES = 512 + 64 + 256;

const memoryMethods = 'EMQWO';

/** The operand that is (or, with mod = 3, would be) the memory operand. */
export function memoryOperand(ins: Instruction): Operand | undefined {
  return ins.row.operands.find((o) => o.method.length === 1 && memoryMethods.includes(o.method));
}

/** Bytes accessed by the ModR/M or moffs memory operand; 0 without one. For gathers: of one element. */
export function memoryOperandSize(ins: Instruction): number {
  if (!ins.hasMemory || ins.row.mnemonic === 'nop') return 0;
  const operand = memoryOperand(ins);
  return operand === undefined ? 0 : operandBytes(operand, ins);
}

/** Size in bytes that an operand's letters mean for this instruction. */
export function operandBytes(operand: Operand, ins: Instruction): number {
  const { size } = operand;
  if (size in operandSizes) return operandSizes[size][ins.operandSize === 4 ? 1 : 0];
  if (size in vectorSizes) return vectorSizes[size][ins.row.vex ? ins.vexL : 0];
  return size === 'xsave' ? XSAVE_BYTES : fixedSizes[size];
}
