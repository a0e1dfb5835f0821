import type { Instruction } from '@godwit/isa';
import type { Emitter } from './emitter';
import { shapeOf } from './self';

/**
 * The guest's stack pointer, moved lazily.
 *
 * A push is a store and a subtraction; were each push to move r12, a function's
 * entry would be a chain of additions, each waiting for the one before, where
 * the CPU's own push has none. So pushes and pops only note how far the pointer
 * has moved (`Emitter.stackOffset`): the guest's esp is r12 plus that, a
 * constant at each place of the block. Addresses relative to esp have it added
 * to their displacement, which costs nothing. r12 is moved once ("settled")
 * before anything that uses it otherwise: an instruction that names esp, and
 * every way out of the block.
 *
 * A fault midway finds r12 as it was at some earlier push. The block's map has
 * the offset in force at each instruction, and the fault handler adds it before
 * anybody sees the registers (native/fault.cc).
 */

/** How far r12 may stay behind, in bytes: the map keeps 6 bits of words. One instruction (pusha) may add 32. */
const MAX_BEHIND = 92;
/** Offsets of guest instructions in a block fit in so many bits of a map entry's second half; above them is the stack offset in words. */
const GUEST_OFFSET_BITS = 10;

const stackOnly = new Set(['push', 'pop', 'leave', 'call', 'ret', 'jmp']);

/** Second half of a map entry: where the instruction stands in the block, and what is to be added to r12 for the guest's esp. */
export function mapGuestOffset(offset: number, e: Emitter): number {
  return (offset | ((e.stackOffset >> 2) << GUEST_OFFSET_BITS)) & 0xffff;
}

/** Which instructions of a block want r12 to be the guest's esp before they begin. */
export function settlePositions(list: readonly Instruction[]): boolean[] {
  return list.map((ins, i) => {
    if (usesStackPointer(ins)) return true;
    const next = list[i + 1];
    // A compare and the jump after it stay together, so the lea goes before both.
    return next !== undefined && isConditionalJump(next) && ins.row.flagsWritten !== 0;
  });
}

export function isTooFarBehind(e: Emitter): boolean {
  return Math.abs(e.stackOffset) > MAX_BEHIND;
}

const isConditionalJump = ({ row }: Instruction): boolean =>
  row.kind !== 'self' && row.mnemonic !== 'jmp' && row.mnemonic !== 'call' && (row.immediate === 'Jb' || row.immediate === 'Jz');

function usesStackPointer(ins: Instruction): boolean {
  const { row } = ins;
  if (row.kind !== 'self') return !stackOnly.has(row.mnemonic) || ins.operandSize === 2 || namesEsp(ins);
  return namesEsp(ins);
}

function namesEsp(ins: Instruction): boolean {
  const shape = shapeOf(ins.row);
  if (ins.row.opcodeRegister) return ins.opcodeReg === 4 && !shape.zByte;
  if (shape.regGeneral && !shape.regByte && ins.reg === 4) return true;
  if (shape.rmGeneral && !shape.rmByte && !ins.hasMemory && ins.rm === 4) return true;
  return shape.vGeneral && ins.vvvv === 4;
}
