/**
 * Guest instruction to host instruction, one at a time.
 *
 * A `self` row means the same in 64-bit mode, but its bytes do not: guest esp
 * lives in r12, memory operands move to `[r15 + displacement]`, one-byte
 * inc/dec became REX prefixes, and the operand size no longer depends on the
 * code segment. So the instruction is built anew from its row, in the order
 * prefixes, REX or VEX, opcode, ModR/M, immediate.
 */
import { Prefix, Reg, type Instruction, type Operand } from './instruction';

/** Host register of guest esp, and of the state block. */
const HOST_ESP = 12;
const HOST_STATE = 15;

const REX = 0x40, REX_R = 4, REX_B = 1;

/** Where an operand's register number is encoded. */
const inReg = 'CDGPSV';
const inRm = 'EMNQRUW';
/** Methods that name a general register (E also stands for memory). */
const general = 'BEGMRZ';

interface Fields {
  reg: number;
  rm: number;
  vvvv: number;
  memory: boolean;
}

/**
 * Host encoding of a `self` instruction with its memory operand (if any) at
 * `[r15 + scratchDisplacement]`, or null when none exists: ah, ch, dh or bh
 * together with a REX prefix, a row that is not `self`, or `bt` and its kin
 * whose register operand moves the address they touch.
 */
export function encodeForScratch(ins: Instruction, guestBytes: Uint8Array, offset: number, scratchDisplacement: number): Uint8Array | null {
  const { row } = ins;
  if (row.kind !== 'self' || (ins.hasMemory && addressesBits(ins))) return null;
  const shape = reshape(ins);
  const fields = registerFields(ins, shape);
  const needsRex = fields.memory || fields.reg > 7 || fields.rm > 7 || fields.vvvv > 7;
  if (needsRex && !row.vex && namesHighByte(ins)) return null;

  const code: number[] = [];
  if (row.vex) pushVex(code, ins, fields);
  else pushLegacyPrefixes(code, ins, fields, needsRex);
  code.push(shape.opcode);
  if (shape.modrm) pushModrm(code, fields, scratchDisplacement);
  for (let n = ins.length - immediateBytes(ins); n < ins.length; n++) code.push(guestBytes[offset + n]);
  // The fourth register's top bit is ignored in 32-bit mode and is not in 64-bit mode.
  if (row.operands.some((operand) => operand.method === 'L')) code[code.length - 1] &= 0x7f;
  return Uint8Array.from(code);
}

/** bt, bts, btr, btc Ev,Gv: the bit string reaches 256 MiB either side of the operand (SDM 2A, BT). */
function addressesBits({ row }: Instruction): boolean {
  return row.map === 1 && (row.opcode & 0xe7) === 0xa3 && row.mnemonic.startsWith('bt');
}

interface Shape {
  opcode: number;
  modrm: boolean;
  /** ModR/M.reg where the reshaped instruction fixes it, else -1. */
  digit: number;
}

/** 40–4F become FF /0 and /1; A0–A3 become 8A, 8B, 88, 89; 82, gone from 64-bit mode, becomes its alias 80; the rest stays. */
function reshape(ins: Instruction): Shape {
  const { row } = ins;
  if (row.map === 0 && !row.vex) {
    if ((row.opcode & 0xf0) === 0x40) return { opcode: 0xff, modrm: true, digit: row.opcode === 0x40 ? 0 : 1 };
    if (row.immediate === 'O') return { opcode: [0x8a, 0x8b, 0x88, 0x89][row.opcode & 3], modrm: true, digit: Reg.EAX };
    if (row.opcode === 0x82) return { opcode: 0x80, modrm: true, digit: row.digit };
  }
  const opcode = row.opcode + (row.opcodeRegister ? hostRegister(ins.opcodeReg, row.operands[0]) & 7 : 0);
  return { opcode, modrm: row.hasModrm, digit: -1 };
}

function registerFields(ins: Instruction, shape: Shape): Fields {
  const fields: Fields = { reg: shape.digit >= 0 ? shape.digit : ins.reg, rm: ins.rm, vvvv: ins.vvvv, memory: ins.hasMemory };
  for (const operand of ins.row.operands) {
    const { method } = operand;
    if (method.length !== 1) continue;
    if (inReg.includes(method)) fields.reg = hostRegister(ins.reg, operand);
    else if (method === 'B') fields.vvvv = hostRegister(ins.vvvv, operand);
    else if (method === 'Z') fields.rm = hostRegister(ins.opcodeReg, operand);
    else if (inRm.includes(method) && !ins.hasMemory) fields.rm = hostRegister(ins.rm, operand);
  }
  return fields;
}

function hostRegister(guest: number, operand: Operand): number {
  return guest === Reg.ESP && operand.size !== 'b' && general.includes(operand.method) ? HOST_ESP : guest;
}

function namesHighByte(ins: Instruction): boolean {
  return ins.row.operands.some((operand) => {
    if (operand.size !== 'b') return false;
    if (operand.method === 'G') return ins.reg > 3;
    if (operand.method === 'Z') return ins.opcodeReg > 3;
    return (operand.method === 'E' || operand.method === 'R') && !ins.hasMemory && ins.rm > 3;
  });
}

const mapEscape = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];

function pushLegacyPrefixes(code: number[], ins: Instruction, fields: Fields, needsRex: boolean): void {
  const { row } = ins;
  // Where 66 selects both a row and a size (movbe, rdrand), the size decides: 16-bit code has it the other way round.
  if (row.sized ? ins.operandSize === 2 : row.mandatory === 0x66) code.push(0x66);
  if (row.mandatory === 0xf2 || row.mandatory === 0xf3) code.push(row.mandatory);
  if (ins.prefixes & Prefix.LOCK) code.push(0xf0);
  if (needsRex) {
    const rmHigh = fields.memory || fields.rm > 7;
    code.push(REX | (fields.reg > 7 ? REX_R : 0) | (rmHigh ? REX_B : 0));
  }
  code.push(...mapEscape[row.map]);
}

const prefixToPp = new Map([[0, 0], [0x66, 1], [0xf3, 2], [0xf2, 3]]);

/** The three-byte form, always: it can say every register. W goes through only where the row gives it a meaning. */
function pushVex(code: number[], ins: Instruction, fields: Fields): void {
  const { row } = ins;
  const notR = fields.reg > 7 ? 0 : 0x80;
  const notB = fields.memory || fields.rm > 7 ? 0 : 0x20;
  const w = row.vexW === 1 ? 0x80 : 0;
  const notVvvv = row.usesVvvv ? ~fields.vvvv & 15 : 15;
  code.push(0xc4, notR | 0x40 | notB | row.map, w | (notVvvv << 3) | (ins.vexL << 2) | prefixToPp.get(row.mandatory)!);
}

function pushModrm(code: number[], fields: Fields, displacement: number): void {
  const reg = (fields.reg & 7) << 3;
  if (!fields.memory) code.push(0xc0 | reg | (fields.rm & 7));
  else code.push(0x80 | reg | (HOST_STATE & 7), displacement & 255, (displacement >> 8) & 255, (displacement >> 16) & 255, (displacement >> 24) & 255);
}

/** Bytes of immediate at the instruction's end; they are copied as they are. */
function immediateBytes(ins: Instruction): number {
  const layout = ins.row.immediate;
  if (layout === 'b' || layout === 'bs') return 1;
  if (layout === 'w') return 2;
  return layout === 'z' ? ins.operandSize : 0;
}
