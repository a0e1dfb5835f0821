import { Prefix, Seg } from '@godwit/isa';
import { stateOffset } from '@godwit/cpu';
import { type Context, type Handler, isUser } from './context';
import { type Emitter, HOST } from './emitter';

/**
 * String instructions run as the host's own, DF and all. es:edi takes no
 * segment override, so the pointers become full host addresses first. Windows
 * begin on 4 GiB borders: the low half of such an address is the guest's own
 * pointer, so a fault midway needs no repair, and undoing is a 32-bit move.
 *
 * The supervisor reaches user memory through the user's window (copies to and
 * from user space would otherwise fault every page in twice), chosen by the
 * pointer's top byte.
 */

const ESI = 6,
  EDI = 7;

function rebase(c: Context, reg: number): void {
  const { e } = c;
  if (isUser(c)) {
    e.loadState64(HOST.R9, stateOffset.windowBase);
  } else {
    topByte(e, reg);
    e.loadQuadrantBase();
  }
  e.u8(0x4a, 0x8d, 0x04 | (reg << 3), 0x08 | reg); // lea reg, [reg + r9]
}

/** r9d = reg >> 24, without flags. */
function topByte(e: Emitter, reg: number): void {
  e.u8(0x41, 0x89, 0xc1 | (reg << 3)); // mov r9d, reg
  e.u8(0x41, 0x0f, 0xc9); //              bswap r9d
  e.u8(0x45, 0x0f, 0xb6, 0xc9); //        movzx r9d, r9b
}

const string =
  (usesSource: boolean, usesTarget: boolean): Handler =>
  (c) => {
    const { e, ins } = c;
    if (ins.addressSize === 2) return 'interpret';
    if (usesSource && (ins.segment === Seg.FS || ins.segment === Seg.GS)) return 'interpret';
    if (usesSource) rebase(c, ESI);
    if (usesTarget) rebase(c, EDI);
    if (ins.row.mnemonic.endsWith('v') && ins.operandSize === 2) e.u8(0x66);
    if (ins.prefixes & Prefix.REP) e.u8(0xf3);
    else if (ins.prefixes & Prefix.REPNE) e.u8(0xf2);
    e.u8(ins.row.opcode);
    if (usesSource) e.move(ESI, ESI);
    if (usesTarget) e.move(EDI, EDI);
    return 'next';
  };

const xlat: Handler = ({ e, ins }) => {
  if (ins.addressSize === 2 || ins.segment === Seg.FS || ins.segment === Seg.GS) return 'interpret';
  e.u8(0x65, 0x67, 0xd7);
  return 'next';
};

export const stringHandlers: Record<string, Handler> = {
  movsb: string(true, true),
  movsv: string(true, true),
  cmpsb: string(true, true),
  cmpsv: string(true, true),
  stosb: string(false, true),
  stosv: string(false, true),
  lodsb: string(true, false),
  lodsv: string(true, false),
  scasb: string(false, true),
  scasv: string(false, true),
  xlat,
};
