/**
 * Bytes to instructions, in 16- and 32-bit code (SDM 2A, chapter 2).
 *
 * It runs for every instruction that is translated or interpreted, so: one
 * pass, no allocation but the result, rows found in precomputed cells
 * (dispatch.ts), and no bounds check per byte. A read past the array gives 0
 * and the length is judged once at the end; whatever was decided from bytes
 * beyond `available` is then answered by `truncated`.
 *
 * It does not know the guest's CPUID or mode: `row.feature`, `row.legacyRow`
 * and `row.privilege` tell the caller what to check. Undefined opcodes have no
 * length: they are `invalid`.
 */
import { GROUP, groupCells, INVALID, legacyCells, vexCells } from './dispatch';
import { Prefix, Reg, Seg, type DecodeFailure, type Instruction, type Row } from './instruction';
import { rows } from './table';

const MAX_LENGTH = 15;

/** What a prefix byte is: 0 none, else 1 + segment, or one of the codes below. */
const prefixCode = new Uint8Array(256);
const P_OPSIZE = 8, P_ADDRSIZE = 9, P_LOCK = 10, P_REPNE = 11, P_REP = 12;
for (const [byte, code] of [
  [0x26, 1 + Seg.ES], [0x2e, 1 + Seg.CS], [0x36, 1 + Seg.SS], [0x3e, 1 + Seg.DS], [0x64, 1 + Seg.FS], [0x65, 1 + Seg.GS],
  [0x66, P_OPSIZE], [0x67, P_ADDRSIZE], [0xf0, P_LOCK], [0xf2, P_REPNE], [0xf3, P_REP],
]) prefixCode[byte] = code;

/** Per row: how to read what follows ModR/M, and which checks remain. */
const immediateCode = new Uint8Array(rows.length);
const immediateNames: Row['immediate'][] = ['', 'b', 'bs', 'w', 'z', 'p', 'O', 'wb' as const, 'Jb', 'Jz'];
const I_B = 1, I_BS = 2, I_W = 3, I_Z = 4, I_P = 5, I_O = 6, I_WB = 7, I_JB = 8, I_JZ = 9;
for (const row of rows) immediateCode[row.id] = immediateNames.indexOf(row.immediate);

/** 16-bit addressing forms by rm (SDM 2A, table 2-1). */
const base16 = [Reg.EBX, Reg.EBX, Reg.EBP, Reg.EBP, Reg.ESI, Reg.EDI, Reg.EBP, Reg.EBX];
const index16 = [Reg.ESI, Reg.EDI, Reg.ESI, Reg.EDI, -1, -1, -1, -1];

/**
 * Decodes the instruction at `offset`. `available` bytes may be looked at;
 * `code32` is the code segment's D bit.
 */
export function decode(bytes: Uint8Array, offset: number, available: number, code32: boolean): Instruction | DecodeFailure {
  const end = offset + (available < MAX_LENGTH ? available : MAX_LENGTH);
  let at = offset;

  let prefixes = 0;
  let segment = -1;
  let column = 0;
  let opcode = bytes[at++] | 0;
  for (let code = prefixCode[opcode]; code !== 0; code = prefixCode[opcode]) {
    if (at >= end) return shortOf(available);
    if (code < P_OPSIZE) segment = code - 1;
    else if (code === P_OPSIZE) prefixes |= Prefix.OPSIZE;
    else if (code === P_ADDRSIZE) prefixes |= Prefix.ADDRSIZE;
    else if (code === P_LOCK) prefixes |= Prefix.LOCK;
    // The last of F2 and F3 counts.
    else prefixes = (prefixes & ~(Prefix.REP | Prefix.REPNE)) | (code === P_REP ? Prefix.REP : Prefix.REPNE);
    opcode = bytes[at++] | 0;
  }
  if (prefixes & Prefix.REP) column = 2;
  else if (prefixes & Prefix.REPNE) column = 3;
  else if (prefixes & Prefix.OPSIZE) column = 1;
  const operandSize = code32 === ((prefixes & Prefix.OPSIZE) === 0) ? 4 : 2;
  const addressSize = code32 === ((prefixes & Prefix.ADDRSIZE) === 0) ? 4 : 2;

  // --- opcode maps and VEX -----------------------------------------------------
  let vvvv = 0, vexL = 0, vexW = 0, vvvvUnused = true;
  let cell: number;
  let vex = false;
  if (opcode === 0x0f) {
    opcode = bytes[at++] | 0;
    let map = 1;
    if (opcode === 0x38 || opcode === 0x3a) {
      map = opcode === 0x38 ? 2 : 3;
      opcode = bytes[at++] | 0;
    }
    cell = legacyCells[((map << 2) + column << 8) + opcode];
  } else if ((opcode === 0xc4 || opcode === 0xc5) && (bytes[at] | 0) >= 0xc0) {
    // In these modes the bits that would say r8–r15 are the mod=3 that tells VEX from LES and LDS.
    vex = true;
    let map = 1;
    let last = bytes[at++] | 0;
    if (opcode === 0xc4) {
      map = last & 31;
      last = bytes[at++] | 0;
      vexW = last >> 7;
    }
    opcode = bytes[at++] | 0;
    // The register number's top bit is ignored outside 64-bit mode.
    vvvv = (~last >> 3) & 7;
    vvvvUnused = (last & 0x78) === 0x78;
    vexL = (last >> 2) & 1;
    if (map === 0 || map > 3 || (prefixes & ~Prefix.ADDRSIZE) !== 0) cell = INVALID;
    else cell = vexCells[(((((map << 2) + (last & 3)) << 1) + vexW << 1) + vexL << 8) + opcode];
  } else {
    cell = legacyCells[(column << 8) + opcode];
  }

  let modrm = -1, mod = 0, reg = 0, rm = 0;
  if (cell <= GROUP) {
    cell = groupCells[(GROUP - cell << 8) + (bytes[at] | 0)];
  }
  if (cell < 0) return at >= end && available < MAX_LENGTH ? 'truncated' : at > end ? 'too-long' : 'invalid';
  const row = rows[cell];

  // --- ModR/M, SIB, displacement -----------------------------------------------
  let base = -1, index = -1, scale = 1, displacement = 0;
  let memorySegment: number = Seg.DS;
  let hasMemory = false;
  if (row.hasModrm) {
    modrm = bytes[at++] | 0;
    mod = modrm >> 6;
    reg = (modrm >> 3) & 7;
    rm = modrm & 7;
    if (row.modIgnored) mod = 3;
    if (mod !== 3) {
      hasMemory = true;
      if (addressSize === 4) {
        base = rm;
        if (rm === 4) {
          const sib = bytes[at++] | 0;
          base = sib & 7;
          index = (sib >> 3) & 7;
          if (index === 4 && !row.vsib) index = -1;
          else scale = 1 << (sib >> 6);
        }
        if (base === Reg.EBP && mod === 0) {
          base = -1;
          displacement = dword(bytes, at);
          at += 4;
        } else if (base === Reg.ESP || base === Reg.EBP) memorySegment = Seg.SS;
        if (mod === 2) {
          displacement = dword(bytes, at);
          at += 4;
        }
      } else {
        base = base16[rm];
        index = index16[rm];
        if (mod === 0 && rm === 6) {
          base = -1;
          displacement = word(bytes, at);
          at += 2;
        } else {
          if (base === Reg.EBP) memorySegment = Seg.SS;
          if (mod === 2) {
            displacement = (word(bytes, at) << 16) >> 16;
            at += 2;
          }
        }
      }
      if (mod === 1) displacement = (bytes[at++] << 24) >> 24;
    }
  }

  // --- immediates ----------------------------------------------------------------
  let immediate = 0, immediate2 = 0;
  const code = immediateCode[cell];
  if (code !== 0) {
    if (code === I_B) immediate = bytes[at++] | 0;
    else if (code === I_BS || code === I_JB) immediate = (bytes[at++] << 24) >> 24;
    else if (code === I_Z || code === I_JZ) {
      if (operandSize === 4) {
        immediate = dword(bytes, at);
        at += 4;
      } else {
        immediate = (word(bytes, at) << 16) >> 16;
        at += 2;
      }
    } else if (code === I_W || code === I_WB) {
      immediate = word(bytes, at);
      at += 2;
      if (code === I_WB) immediate2 = bytes[at++] | 0;
    } else if (code === I_O) {
      hasMemory = true;
      displacement = addressSize === 4 ? dword(bytes, at) : word(bytes, at);
      at += addressSize;
    } else if (code === I_P) {
      immediate = operandSize === 4 ? dword(bytes, at) : word(bytes, at);
      immediate2 = word(bytes, at + operandSize);
      at += operandSize + 2;
    }
  }
  if (at > end) return shortOf(available);
  if (segment >= 0) memorySegment = segment;

  // --- what remains invalid ------------------------------------------------------
  if ((prefixes & Prefix.LOCK) !== 0 && !(row.lockable && hasMemory)) return 'invalid';
  if (vex) {
    if (!row.usesVvvv && !vvvvUnused) return 'invalid';
    if (row.vsib && !validGather(addressSize, rm, reg, index, vvvv)) return 'invalid';
  }

  return {
    row,
    length: at - offset,
    prefixes,
    segment,
    operandSize,
    addressSize,
    modrm,
    mod,
    reg,
    rm,
    opcodeReg: row.opcodeRegister ? opcode & 7 : 0,
    hasMemory,
    base,
    index,
    scale,
    displacement,
    memorySegment,
    immediate,
    immediate2,
    vvvv,
    vexL,
    vexW,
  };
}

function shortOf(available: number): DecodeFailure {
  return available < MAX_LENGTH ? 'truncated' : 'too-long';
}

/** Gathers need a SIB byte, and three different registers (SDM 2C, VPGATHERDD). */
function validGather(addressSize: number, rm: number, reg: number, index: number, mask: number): boolean {
  return addressSize === 4 && rm === 4 && reg !== index && reg !== mask && index !== mask;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

function dword(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
