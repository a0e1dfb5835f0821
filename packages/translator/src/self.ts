import { type Instruction, Prefix, type Row } from '@godwit/isa';
import { type Emitter, HOST } from './emitter';
import { addressRex, emitAccess, emitAddressPrefixes, emitModrm, type HostAddress } from './host-address';
import { hostAddress } from './memory-operand';

/**
 * Instructions that translate to themselves: same opcode, same registers, the
 * memory operand moved into the window.
 *
 * What forces the details: guest esp is r12, so it needs REX; ah, ch, dh and
 * bh cannot be named beside REX, so an instruction that has both goes through
 * the low byte, with the halves exchanged around it (xchg touches no flags).
 */

const general = 'BEGMRZ';

interface Shape {
  regGeneral: boolean;
  rmGeneral: boolean;
  vGeneral: boolean;
  /** Byte registers in ModR/M.reg / rm / opcode. */
  regByte: boolean;
  rmByte: boolean;
  zByte: boolean;
  rmWritten: boolean;
  regWritten: boolean;
  memoryWritten: boolean;
}

const shapes: Shape[] = [];

export function shapeOf(row: Row): Shape {
  const known = shapes[row.id];
  if (known) return known;
  const shape: Shape = {
    regGeneral: false,
    rmGeneral: false,
    vGeneral: false,
    regByte: false,
    rmByte: false,
    zByte: false,
    rmWritten: false,
    regWritten: false,
    memoryWritten: false,
  };
  for (const o of row.operands) {
    if (o.method.length !== 1) continue;
    const isGeneral = general.includes(o.method);
    if ('GCDPSV'.includes(o.method)) {
      shape.regGeneral = o.method === 'G';
      shape.regByte = o.method === 'G' && o.size === 'b';
      shape.regWritten = o.write;
    } else if (o.method === 'B') shape.vGeneral = true;
    else if (o.method === 'Z') shape.zByte = o.size === 'b';
    else if ('EMNQRUWO'.includes(o.method)) {
      shape.rmGeneral = isGeneral;
      shape.rmByte = isGeneral && o.size === 'b';
      shape.rmWritten = o.write;
      if ('EMQWO'.includes(o.method)) shape.memoryWritten = o.write;
    }
  }
  shapes[row.id] = shape;
  return shape;
}

const escapes: readonly (readonly number[])[] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const hostGeneral = (guest: number): number => (guest === 4 ? HOST.ESP : guest);

/** Translates `ins`; false when this form is left to the interpreter. `tail` is the guest's immediate bytes. */
export function emitSelf(e: Emitter, ins: Instruction, guest: Uint8Array, offset: number): boolean {
  const { row } = ins;
  const shape = shapeOf(row);
  if (row.map === 0 && !row.vex && (row.opcode & 0xf0) === 0x40) return emitIncDec(e, ins);
  const immediate =
    row.immediate === 'b' || row.immediate === 'bs' ? 1 : row.immediate === 'w' ? 2 : row.immediate === 'z' ? ins.operandSize : 0;
  const tailAt = offset + ins.length - immediate;
  if (row.immediate === 'O') {
    const opcode = [0x8a, 0x8b, 0x88, 0x89][row.opcode & 3];
    emitAccess(e, [opcode], 0, hostAddress(e, ins), ins.operandSize === 2 && (row.opcode & 1) === 1);
    return true;
  }
  if (ins.addressSize === 2 && ins.hasMemory && addressesBits(row)) return false; // the bit's offset wraps with the address
  const reg = shape.regGeneral && !shape.regByte ? hostGeneral(ins.reg) : ins.reg;
  let rm = ins.rm;
  let opcode = row.map === 0 && row.opcode === 0x82 ? 0x80 : row.opcode; // 82 is undefined in 64-bit mode
  if (row.opcodeRegister) {
    rm = shape.zByte ? ins.opcodeReg : hostGeneral(ins.opcodeReg);
    opcode += rm & 7;
  } else if (!ins.hasMemory && shape.rmGeneral && !shape.rmByte) rm = hostGeneral(ins.rm);
  const vvvv = shape.vGeneral ? hostGeneral(ins.vvvv) : ins.vvvv;
  const address = ins.hasMemory ? hostAddress(e, ins) : null;

  const rex = 0x40 | (reg > 7 ? 4 : 0) | (address ? addressRex(address) : rm > 7 ? 1 : 0);
  if (rex !== 0x40 && !row.vex) {
    if (shape.regByte && ins.reg > 3) return emitHighByte(e, ins, shape, address, immediate);
    if (!address && shape.rmByte && ins.rm > 3) return false; // movzx esp, ah: never seen
  }
  if (address) emitAddressPrefixes(e, address);
  if (row.vex) {
    const w = row.vexW === 1 ? 0x80 : 0;
    const pp = row.mandatory === 0x66 ? 1 : row.mandatory === 0xf3 ? 2 : row.mandatory === 0xf2 ? 3 : 0;
    const notVvvv = row.usesVvvv ? ~vvvv & 15 : 15;
    e.u8(0xc4, ((~rex & 7) << 5) | row.map, w | (notVvvv << 3) | (ins.vexL << 2) | pp, opcode);
  } else {
    if (row.mandatory === 0x66 || (row.sized && ins.operandSize === 2)) e.u8(0x66);
    if (row.mandatory === 0xf2 || row.mandatory === 0xf3) e.u8(row.mandatory);
    if (ins.prefixes & Prefix.LOCK) e.u8(0xf0);
    if (rex !== 0x40) e.u8(rex);
    e.u8(...escapes[row.map], opcode);
  }
  if (row.hasModrm) {
    if (address) emitModrm(e, reg, address);
    else e.u8(0xc0 | ((reg & 7) << 3) | (rm & 7));
  }
  for (let i = 0; i < immediate; i++) e.u8(guest[tailAt + i]);
  if (row.vex && immediate === 1 && row.operands.some((o) => o.method === 'L')) e.bytes[e.pos - 1] &= 0x7f; // is4 names 8 registers here
  return true;
}

/** bt, bts, btr, btc Ev,Gv: the register moves the address. */
const addressesBits = (row: Row): boolean => row.map === 1 && !row.vex && (row.opcode & 0xe7) === 0xa3 && row.unit === 'int';

/** 40–4F are REX prefixes on the host: FF /0 and /1 instead. */
function emitIncDec(e: Emitter, ins: Instruction): boolean {
  const rm = hostGeneral(ins.opcodeReg);
  if (ins.operandSize === 2) e.u8(0x66);
  if (rm > 7) e.u8(0x41);
  e.u8(0xff, 0xc0 | (ins.row.opcode === 0x48 ? 8 : 0) | (rm & 7));
  return true;
}

/** xchg al,ah and its kin: exchanges the two low bytes of a register. */
function exchangeHalves(e: Emitter, low: number): void {
  e.u8(0x86, 0xc0 | (low << 3) | (low + 4));
}

/** A high byte register in ModR/M.reg beside a memory operand that needs REX. */
function emitHighByte(e: Emitter, ins: Instruction, shape: Shape, address: HostAddress | null, immediate: number): boolean {
  const { row } = ins;
  if (!address || immediate !== 0 || ins.prefixes & Prefix.LOCK || row.map !== 0) return false;
  const low = ins.reg - 4;
  if (shape.memoryWritten && shape.regWritten) return false; // xchg
  if (!shape.regWritten) {
    // The register is only read: use a copy, so that a fault finds nothing exchanged.
    exchangeHalves(e, low);
    e.move(HOST.R10, low);
    exchangeHalves(e, low);
    emitAccess(e, [row.opcode], HOST.R10, address);
    return true;
  }
  // The memory operand is only read: fetch it first, then work between registers.
  emitAccess(e, [0x0f, 0xb6], HOST.R10, address); // movzx r10d, byte [...]
  exchangeHalves(e, low);
  e.u8(0x44, row.opcode & ~2, 0xc0 | ((HOST.R10 & 7) << 3) | low); // op low, r10b in the Eb,Gb form
  exchangeHalves(e, low);
  return true;
}
