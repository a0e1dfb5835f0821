import { QUADRANT_INDEX_OFFSET, stateOffset } from '@godwit/cpu';
import type { PendingSoftMiss, SoftAccess } from './first-touch';

/**
 * Appends x86-64 machine code to a byte array. Only the encodings that
 * translated code uses; registers are host numbers 0–15. Nothing here changes
 * the host's arithmetic flags, because the guest's live there.
 */
export const HOST = { ESP: 12, CODE: 13, TABLE: 14, STATE: 15, R8: 8, R9: 9, R10: 10 } as const;

export class Emitter {
  pos = 0;
  /** The instruction being translated is a supervisor's that reaches user memory. */
  userAccess = false;
  /** Set while an instruction is translated that goes through the software TLB. */
  soft: SoftAccess | null = null;
  readonly softMisses: PendingSoftMiss[] = [];
  /** What is to be added to r12 for the guest's esp (stack-pointer.ts). */
  stackOffset = 0;
  constructor(readonly bytes: Uint8Array) {}

  u8(...values: number[]): void {
    for (const v of values) this.bytes[this.pos++] = v;
  }

  u32(value: number): void {
    const b = this.bytes;
    b[this.pos] = value;
    b[this.pos + 1] = value >> 8;
    b[this.pos + 2] = value >> 16;
    b[this.pos + 3] = value >> 24;
    this.pos += 4;
  }

  /** Writes a rel32 at `site` so that it leads to `target` (both offsets into the code cache). */
  patchRel32(site: number, target: number): void {
    const here = this.pos;
    this.pos = site;
    this.u32(target - (site + 4));
    this.pos = here;
  }

  /** mov reg32, [state + offset] */
  loadState(reg: number, offset: number): void {
    this.u8(0x41 | ((reg >> 3) << 2), 0x8b, 0x87 | ((reg & 7) << 3));
    this.u32(offset);
  }

  /** mov reg64, [state + offset] */
  loadState64(reg: number, offset: number): void {
    this.u8(0x49 | ((reg >> 3) << 2), 0x8b, 0x87 | ((reg & 7) << 3));
    this.u32(offset);
  }

  /** mov [state + offset], reg32 */
  storeState(offset: number, reg: number): void {
    this.u8(0x41 | ((reg >> 3) << 2), 0x89, 0x87 | ((reg & 7) << 3));
    this.u32(offset);
  }

  /** mov dword [state + offset], imm32 */
  storeStateImm(offset: number, value: number): void {
    this.u8(0x41, 0xc7, 0x87);
    this.u32(offset);
    this.u32(value);
  }

  /** jmp [state.callout[slot]] */
  jumpCallout(slot: number): void {
    this.requireSettled();
    this.u8(0x41, 0xff, 0xa7);
    this.u32(stateOffset.callout + slot * 8);
  }

  /** mov reg32, imm32 */
  moveImm(reg: number, value: number): void {
    if (reg > 7) this.u8(0x41);
    this.u8(0xb8 | (reg & 7));
    this.u32(value);
  }

  /** mov to32, from32 */
  move(to: number, from: number): void {
    const rex = 0x40 | ((from >> 3) << 2) | (to >> 3);
    if (rex !== 0x40) this.u8(rex);
    this.u8(0x89, 0xc0 | ((from & 7) << 3) | (to & 7));
  }

  /** mov to64, from64 */
  move64(to: number, from: number): void {
    this.u8(0x48 | ((from >> 3) << 2) | (to >> 3), 0x89, 0xc0 | ((from & 7) << 3) | (to & 7));
  }

  /** lea reg32, [reg64 + displacement]: addition without flags, wrapping at 32 bits. */
  add(reg: number, base: number, displacement: number): void {
    this.u8(0x40 | ((reg >> 3) << 2) | (base >> 3), 0x8d, 0x80 | ((reg & 7) << 3) | (base & 7));
    if ((base & 7) === 4) this.u8(0x24);
    this.u32(displacement);
  }

  /** Moves the guest's esp, for now only in what is known of it. */
  moveStackPointer(displacement: number): void {
    this.stackOffset += displacement;
  }

  /** Makes r12 the guest's esp: lea r12d, [r12 + displacement]. */
  settleStackPointer(): void {
    const displacement = this.stackOffset;
    this.stackOffset = 0;
    if (displacement === 0) return;
    if (displacement >= -128 && displacement <= 127) {
      this.u8(0x45, 0x8d, 0x64, 0x24, displacement & 255);
    } else {
      this.u8(0x45, 0x8d, 0xa4, 0x24);
      this.u32(displacement);
    }
  }

  private requireSettled(): void {
    if (this.stackOffset !== 0) throw new Error('a block is left with the stack pointer not settled');
  }

  /** r9 = top address byte → r9 = base of the window for that quadrant. */
  loadQuadrantBase(): void {
    this.u8(0x47, 0x0f, 0xb6, 0x8c, 0x0f); // movzx r9d, byte [r15 + r9 + quadrant index table]
    this.u32(QUADRANT_INDEX_OFFSET);
    this.u8(0x4f, 0x8b, 0x8c, 0xcf); // mov r9, [r15 + r9*8 + quadrantBase]
    this.u32(stateOffset.quadrantBase);
  }

  /** Poll: a load that faults once the vCPU has been kicked (mov r8d, [r14 - 8]). */
  poll(): void {
    this.u8(0x45, 0x8b, 0x46, 0xf8);
  }

  /** Jump to the block for the eip in r8d; the fault handler knows the first instruction by its bytes. */
  jumpTable(): void {
    this.requireSettled();
    this.u8(0x47, 0x8b, 0x0c, 0x86); // mov r9d, [r14 + r8*4]
    this.u8(0x4f, 0x8d, 0x0c, 0x29); // lea r9, [r9 + r13]
    this.u8(0x41, 0xff, 0xe1); //       jmp r9
  }
}
