import { Callout, SOFT_TLB, stateOffset } from '@godwit/cpu';
import { type Emitter, HOST } from './emitter';
import { emitLea, type HostAddress } from './host-address';

/**
 * The other way to memory, for user instructions that keep touching new pages:
 * a software TLB instead of the window (native/soft-tlb.cc tells why).
 *
 * No flag may change, so the tag is compared by adding: pext cuts page number
 * and alignment bits out of the address, the tag is minus the page number, and
 * jrcxz sees whether the sum is zero. Unaligned accesses never match, which
 * keeps them from running over a page's end.
 */

export interface SoftAccess {
  write: boolean;
  /** log2 of the operand's size, 0–3. */
  sizeLog2: number;
  /** Code cache offset of the instruction's first byte, and its eip: a miss runs it again. */
  instructionStart: number;
  eip: number;
}

export interface PendingSoftMiss extends SoftAccess {
  site: number;
}

const RCX = 1,
  R11 = 11;

/** Leaves the host address in r8 + r9. */
export function emitSoftAddress(e: Emitter, address: HostAddress, access: SoftAccess): HostAddress {
  const tagsAt = access.write ? SOFT_TLB.writeTags : SOFT_TLB.readTags;
  const deltasAt = access.write ? SOFT_TLB.writeDeltas : SOFT_TLB.readDeltas;
  emitLea(e, HOST.R8, address);
  e.move64(HOST.R9, RCX);
  e.moveImm(R11, 0x000ff000);
  e.u8(0xc4, 0x42, 0x3a, 0xf5, 0xd3); // pext r10d, r8d, r11d: the entry
  e.moveImm(R11, (0xfffff000 | ((1 << access.sizeLog2) - 1)) >>> 0);
  e.u8(0xc4, 0xc2, 0x3a, 0xf5, 0xcb); // pext ecx, r8d, r11d: page number, then alignment bits
  e.u8(0x47, 0x8b, 0x9c, 0x97); // mov r11d, [r15 + r10*4 + tags]
  e.u32(tagsAt);
  e.u8(0x42, 0x8d, 0x0c, (access.sizeLog2 << 6) | 0x19); // lea ecx, [rcx + r11 << sizeLog2]
  e.u8(0xe3, 5); // jrcxz over the jump to the miss
  e.u8(0xe9);
  e.softMisses.push({ ...access, site: e.pos });
  e.u32(0);
  e.move64(RCX, HOST.R9);
  e.u8(0x4f, 0x8b, 0x8c, 0xd7); // mov r9, [r15 + r10*8 + deltas]
  e.u32(deltasAt);
  return { base: HOST.R8, index: HOST.R9, scale: 1, displacement: 0, window: false, absolute: true };
}

export function emitSoftMiss(e: Emitter, miss: PendingSoftMiss): void {
  e.patchRel32(miss.site, e.pos);
  e.move64(RCX, HOST.R9);
  e.storeState(stateOffset.exitArg0, HOST.R8);
  e.storeStateImm(stateOffset.exitArg1, (miss.write ? 1 : 0) | (miss.sizeLog2 << 1));
  e.storeStateImm(stateOffset.eip, miss.eip);
  e.moveImm(HOST.R10, miss.instructionStart);
  e.jumpCallout(Callout.SoftMiss);
}
