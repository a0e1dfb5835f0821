import { type Instruction, Seg } from '@godwit/isa';
import { stateOffset } from '@godwit/cpu';
import { type Emitter, HOST } from './emitter';
import { emitSoftAddress } from './first-touch';
import { emitLea, type HostAddress } from './host-address';

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
    displacement: ins.displacement + (ins.base === 4 ? e.stackOffset + stackBias : 0),
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
