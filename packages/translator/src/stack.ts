import { Callout, stateOffset } from '@godwit/cpu';
import { Seg } from '@godwit/isa';
import { type Handler, isUser } from './context';
import { HOST } from './emitter';
import { emitAccess, stackAddress } from './host-address';
import { hostAddress } from './memory-operand';
import { emitCallout } from './stubs';

/**
 * The implicit stack. A push stores first and moves esp afterwards, a pop loads
 * first: when the access faults, nothing has been done. What moves is only noted
 * (stack-pointer.ts).
 */

const hostOf = (guest: number): number => (guest === 4 ? HOST.ESP : guest);

const push: Handler = ({ e, ins }) => {
  const { row } = ins;
  if (row.opcodeRegister) {
    emitAccess(e, [0x89], hostOf(ins.opcodeReg), stackAddress(e, -4));
  } else if (row.immediate !== '') {
    emitAccess(e, [0xc7], 0, stackAddress(e, -4));
    e.u32(ins.immediate);
  } else if (ins.hasMemory) {
    emitAccess(e, [0x8b], HOST.R10, hostAddress(e, ins));
    emitAccess(e, [0x89], HOST.R10, stackAddress(e, -4));
  } else {
    emitAccess(e, [0x89], hostOf(ins.rm), stackAddress(e, -4));
  }
  e.moveStackPointer(-4);
  return 'next';
};

const pop: Handler = ({ e, ins }) => {
  if (ins.hasMemory) {
    const target = hostAddress(e, ins, 4); // may use r8–r11: before the value is in r10
    emitAccess(e, [0x8b], HOST.R10, stackAddress(e, 0));
    emitAccess(e, [0x89], HOST.R10, target);
    e.moveStackPointer(4);
    return 'next';
  }
  const reg = ins.row.opcodeRegister ? ins.opcodeReg : ins.rm;
  emitAccess(e, [0x8b], hostOf(reg), stackAddress(e, 0));
  if (reg !== 4) e.moveStackPointer(4);
  return 'next';
};

const pusha: Handler = ({ e }) => {
  for (let reg = 0; reg < 8; reg++) emitAccess(e, [0x89], hostOf(reg), stackAddress(e, -4 * (reg + 1)));
  e.moveStackPointer(-32);
  return 'next';
};

// A fault midway leaves some registers loaded; the instruction is restarted from the same esp, so it does no harm.
const popa: Handler = ({ e }) => {
  for (let i = 0; i < 8; i++) if (i !== 3) emitAccess(e, [0x8b], 7 - i, stackAddress(e, 4 * i));
  e.moveStackPointer(32);
  return 'next';
};

const leave: Handler = ({ e }) => {
  emitAccess(e, [0x8b], HOST.R10, { base: 5, index: -1, scale: 1, displacement: 0, window: true });
  e.stackOffset = 0; // esp is made anew
  e.add(HOST.ESP, 5, 4);
  e.move(5, HOST.R10);
  return 'next';
};

/** The host's arithmetic flags with the virtual IF and system flags added (no carries: the bits are disjoint). */
const pushf: Handler = ({ e }) => {
  e.u8(0x9c, 0x41, 0x58); // pushfq; pop r8
  e.loadState(HOST.R9, stateOffset.ifCell);
  e.u8(0x47, 0x8d, 0x84, 0x08); // lea r8d, [r8 + r9 - 0x200]: the host's IF is always set
  e.u32(-0x200);
  e.loadState(HOST.R9, stateOffset.sysFlags);
  e.u8(0x47, 0x8d, 0x04, 0x08); // lea r8d, [r8 + r9]
  emitAccess(e, [0x89], HOST.R8, stackAddress(e, -4));
  e.moveStackPointer(-4);
  return 'next';
};

const popf: Handler = ({ e, eip, nextEip }) => {
  emitAccess(e, [0x8b], HOST.R8, stackAddress(e, 0));
  e.storeState(stateOffset.exitArg0, HOST.R8);
  emitCallout(e, Callout.Popf, eip, nextEip);
  return 'end';
};

const cli: Handler = (c) => {
  if (isUser(c)) return 'interpret';
  c.e.storeStateImm(stateOffset.ifCell, 0);
  return 'next';
};

const sti: Handler = (c) => {
  if (isUser(c)) return 'interpret';
  c.e.storeStateImm(stateOffset.ifCell, 0x200);
  c.shadow = true;
  return 'next';
};

const selectorOffset = (seg: number): number => stateOffset.segments + seg * 16;

/** The fixed segment register of pushseg/popseg rows, from the opcode. */
function fixedSegment(opcode: number, map: number): number {
  if (map === 1) return opcode < 0xa8 ? Seg.FS : Seg.GS;
  return (opcode >> 3) & 3;
}

const pushseg: Handler = ({ e, ins }) => {
  e.loadState(HOST.R10, selectorOffset(fixedSegment(ins.row.opcode, ins.row.map)));
  emitAccess(e, [0x89], HOST.R10, stackAddress(e, -4));
  e.moveStackPointer(-4);
  return 'next';
};

const popseg: Handler = ({ e, ins, eip, nextEip }) => {
  const seg = fixedSegment(ins.row.opcode, ins.row.map);
  if (seg === Seg.SS) return 'interpret';
  // All four bytes are read, as CPUs do it: the page behind the selector may be missing.
  emitAccess(e, [0x8b], HOST.R8, stackAddress(e, 0));
  e.u8(0x45, 0x0f, 0xb7, 0xc0); // movzx r8d, r8w
  e.add(HOST.R8, HOST.R8, (seg << 16) | (1 << 24));
  e.storeState(stateOffset.exitArg0, HOST.R8);
  emitCallout(e, Callout.LoadSegment, eip, nextEip);
  return 'end';
};

const movtoseg: Handler = ({ e, ins, eip, nextEip }) => {
  if (ins.reg === Seg.SS || ins.reg === Seg.CS || ins.reg > 5) return 'interpret';
  if (ins.hasMemory) {
    emitAccess(e, [0x0f, 0xb7], HOST.R8, hostAddress(e, ins));
  } else {
    const rm = hostOf(ins.rm);
    e.u8(0x44 | (rm >> 3), 0x0f, 0xb7, 0xc0 | (rm & 7)); // movzx r8d, reg16
  }
  e.add(HOST.R8, HOST.R8, ins.reg << 16);
  e.storeState(stateOffset.exitArg0, HOST.R8);
  emitCallout(e, Callout.LoadSegment, eip, nextEip);
  return 'end';
};

const movfromseg: Handler = ({ e, ins }) => {
  if (ins.reg > 5 || (!ins.hasMemory && ins.operandSize === 2)) return 'interpret';
  if (ins.hasMemory) {
    const address = hostAddress(e, ins);
    e.loadState(HOST.R10, selectorOffset(ins.reg));
    emitAccess(e, [0x89], HOST.R10, address, true);
  } else {
    e.loadState(hostOf(ins.rm), selectorOffset(ins.reg));
  }
  return 'next';
};

export const stackHandlers: Record<string, Handler> = {
  push,
  pop,
  pusha,
  popa,
  leave,
  pushf,
  popf,
  cli,
  sti,
  pushseg,
  popseg,
  movtoseg,
  movfromseg,
};
