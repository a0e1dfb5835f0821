import { Flag, type Instruction, Prefix } from '@godwit/isa';
import { type Emitter, HOST } from './emitter';
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
 * `add esp, n` and `sub esp, n` need not move r12 either, if somebody else makes
 * their flags, or nobody can see them.
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

/**
 * `add esp, n` and `sub esp, n`: only noted, where that is worth it. `polled`: an interrupt may get in before
 * the next instruction. False: nothing was emitted.
 */
export function adjustLazily(e: Emitter, ins: Instruction, next: Instruction | undefined, polled: boolean): boolean {
  const { row } = ins;
  if (row.kind !== 'self' || ins.hasMemory || ins.rm !== 4 || ins.operandSize !== 4 || ins.prefixes & Prefix.LOCK || row.map !== 0)
    return false;
  if ((row.opcode !== 0x81 && row.opcode !== 0x83) || (row.digit !== ADD && row.digit !== SUB)) return false;
  const moved = row.digit === ADD ? ins.immediate | 0 : -(ins.immediate | 0);
  if (moved & 3 || Math.abs(moved) > MAX_BEHIND || Math.abs(e.stackOffset + moved) > MAX_BEHIND) return false;
  if (next === undefined || isConditionalJump(next)) return false;
  if (polled || !replacesFlags(next)) {
    // The flags may be seen. To have them made aside costs as much as settling, and nothing waits for it.
    if (e.stackOffset === 0) return false;
    e.add(HOST.R10, HOST.ESP, e.stackOffset);
    e.u8(0x41, 0x81, 0xc0 | (row.digit << 3) | (HOST.R10 & 7));
    e.u32(ins.immediate);
  }
  e.moveStackPointer(moved);
  return true;
}

const ADD = 0,
  SUB = 5;
const makesFlags = new Set(['add', 'sub', 'cmp', 'neg', 'and', 'or', 'xor', 'test']);
/** AF is not defined after logic: every CPU clears it, whatever it was. */
const allButAdjust = Flag.CF | Flag.PF | Flag.ZF | Flag.SF | Flag.OF;

/** Between registers, so that it cannot fault, and no flag is as it was. */
function replacesFlags(ins: Instruction): boolean {
  const { row } = ins;
  if (row.kind !== 'self' || ins.hasMemory || ins.prefixes & Prefix.LOCK || !makesFlags.has(row.mnemonic) || namesEsp(ins)) return false;
  return (row.flagsWritten & allButAdjust) === allButAdjust && row.flagsRead === 0 && row.flagsConditional === 0;
}
