import { type Instruction, Seg } from '@godwit/isa';
import { stateOffset } from '@godwit/cpu';
import { type Emitter, HOST } from './emitter';
import { emitSoftAddress } from './first-touch';

/**
 * A guest memory operand as the host will address it: always through gs (the
 * window) with a 32-bit effective address, which wraps as IA-32 does.
 */
export interface HostAddress {
  base: number; // host register or -1
  index: number;
  scale: number;
  displacement: number;
  /** False for lea: no gs prefix. */
  window: boolean;
  /** base + index is a full host address already. */
  absolute?: boolean;
}

const hostOf = (guest: number): number => (guest === 4 ? HOST.ESP : guest);

/**
 * The address of `ins`'s memory operand. May emit code that computes parts of
 * it into r8 and r9. `stackBias` is added where the base is esp (pop [esp+n]
 * uses the value after the pop).
 */
export function hostAddress(e: Emitter, ins: Instruction, stackBias = 0, ignoreSegment = false): HostAddress {
  const address: HostAddress = {
    base: ins.base < 0 ? -1 : hostOf(ins.base),
    index: ins.index,
    scale: ins.scale,
    displacement: ins.displacement + (ins.base === 4 ? stackBias : 0),
    window: !ignoreSegment,
  };
  if (ins.addressSize === 2 && (address.base >= 0 || address.index >= 0)) {
    emitLea(e, HOST.R8, address);
    e.u8(0x45, 0x0f, 0xb7, 0xc0); // movzx r8d, r8w
    address.base = HOST.R8;
    address.index = -1;
    address.displacement = 0;
  } else if (ins.addressSize === 2) {
    address.displacement &= 0xffff;
  }
  if (ignoreSegment) return address;
  if (ins.memorySegment !== Seg.FS && ins.memorySegment !== Seg.GS) {
    if (e.soft) return emitSoftAddress(e, address, e.soft);
    return e.userAccess ? chooseWindow(e, address) : address;
  }
  // The base cell is reached through a pointer: an unusable segment's pointer leads to a page that faults.
  if (address.index >= 0) {
    emitLea(e, HOST.R8, address);
    address.base = HOST.R8;
    address.index = -1;
    address.displacement = 0;
  }
  e.loadState64(HOST.R9, stateOffset.segmentBasePointer + ins.memorySegment * 8);
  e.u8(0x45, 0x8b, 0x09); // mov r9d, [r9]
  if (address.base < 0) address.base = HOST.R9;
  else {
    address.index = HOST.R9;
    address.scale = 1;
  }
  return address;
}

/**
 * A supervisor instruction known to reach user memory (a copy to or from user
 * space): the address decides the window at run time, without flags.
 */
function chooseWindow(e: Emitter, address: HostAddress): HostAddress {
  emitLea(e, HOST.R8, address);
  e.u8(0x45, 0x89, 0xc1); //       mov r9d, r8d
  e.u8(0x41, 0x0f, 0xc9); //       bswap r9d
  e.u8(0x45, 0x0f, 0xb6, 0xc9); // movzx r9d, r9b
  e.loadQuadrantBase();
  return { base: HOST.R8, index: HOST.R9, scale: 1, displacement: 0, window: false, absolute: true };
}

export function emitLea(e: Emitter, reg: number, address: HostAddress): void {
  const plain = { ...address, window: false };
  emitAddressPrefixes(e, plain);
  const rex = 0x40 | ((reg >> 3) << 2) | addressRex(plain);
  if (rex !== 0x40) e.u8(rex);
  e.u8(0x8d);
  emitModrm(e, reg, plain);
}

export function emitAddressPrefixes(e: Emitter, address: HostAddress): void {
  if (address.absolute) return;
  if (address.window) e.u8(0x65);
  e.u8(0x67);
}

/** REX.X and REX.B (bits 1 and 0) that the address needs. */
export function addressRex(address: HostAddress): number {
  return (address.index > 7 ? 2 : 0) | (address.base > 7 ? 1 : 0);
}

/** ModR/M, SIB and displacement. rip-relative is never formed: absolute addresses take the SIB form. */
export function emitModrm(e: Emitter, reg: number, address: HostAddress): void {
  const r = (reg & 7) << 3;
  const { base, index, displacement } = address;
  const scaleBits = address.scale === 8 ? 0xc0 : address.scale === 4 ? 0x80 : address.scale === 2 ? 0x40 : 0;
  if (base < 0) {
    e.u8(0x04 | r, index < 0 ? 0x25 : scaleBits | ((index & 7) << 3) | 5);
    e.u32(displacement);
    return;
  }
  const small = displacement >= -128 && displacement <= 127;
  const mod = displacement === 0 && (base & 7) !== 5 ? 0 : small ? 0x40 : 0x80;
  if (index >= 0) e.u8(mod | r | 4, scaleBits | ((index & 7) << 3) | (base & 7));
  else if ((base & 7) === 4) e.u8(mod | r | 4, 0x24);
  else e.u8(mod | r | (base & 7));
  if (mod === 0x40) e.u8(displacement & 255);
  else if (mod === 0x80) e.u32(displacement);
}

/** An access with host registers: [66] [REX] opcode ModR/M. `opcode` is one byte or several. */
export function emitAccess(e: Emitter, opcode: readonly number[], reg: number, address: HostAddress, wide16 = false): void {
  emitAddressPrefixes(e, address);
  if (wide16) e.u8(0x66);
  const rex = 0x40 | ((reg >> 3) << 2) | addressRex(address);
  if (rex !== 0x40) e.u8(rex);
  e.u8(...opcode);
  emitModrm(e, reg, address);
}

/** [esp + displacement] of the guest. */
export function stackAddress(displacement: number): HostAddress {
  return { base: HOST.ESP, index: -1, scale: 1, displacement, window: true };
}
