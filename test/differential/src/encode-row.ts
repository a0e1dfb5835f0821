/**
 * Random instruction bytes for one row of the table: every prefix that has a
 * meaning there, every addressing form. The caller decodes them again and
 * keeps what came out as the row it asked for.
 */
import type { Row } from '@godwit/isa';
import type { Random } from './random';

const mapEscape = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
const vexPp = new Map([[0, 0], [0x66, 1], [0xf3, 2], [0xf2, 3]]);
const segmentPrefixes = [0x26, 0x36, 0x3e, 0x65, 0x65, 0x65, 0x64, 0x2e];
const interestingBytes = [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 0x7f, 0x80, 0xff];

export function encodeRow(row: Row, random: Random): number[] {
  const bytes: number[] = [];
  const memory = row.mod === 'mem' || (row.mod === 'any' && random.chance(60));
  const address16 = random.chance(5);
  const size16 = row.sized && random.chance(25);
  if (random.chance(8)) bytes.push(random.pick(segmentPrefixes));
  if (address16) bytes.push(0x67);
  if (size16 || (!row.exactPrefix && row.unit === 'int' && random.chance(3))) bytes.push(0x66);
  if (row.lockable && memory && random.chance(15)) bytes.push(0xf0);
  if (row.kind === 'string' || row.kind === 'io') {
    if (random.chance(60)) bytes.push(random.pick([0xf2, 0xf3]));
  }
  if (row.vex) {
    const vvvv = row.usesVvvv ? random.below(8) : 0;
    const w = row.vexW < 0 ? random.below(2) : row.vexW;
    const l = row.vexL < 0 ? random.below(2) : row.vexL;
    const low = ((~vvvv & 15) << 3) | (l << 2) | vexPp.get(row.mandatory)!;
    if (row.map === 1 && w === 0 && random.chance(50)) bytes.push(0xc5, 0x80 | low, row.opcode);
    else bytes.push(0xc4, 0xe0 | row.map, (w << 7) | low, row.opcode);
  } else {
    if (row.mandatory !== 0) bytes.push(row.mandatory);
    bytes.push(...mapEscape[row.map], row.opcodeRegister ? row.opcode + random.below(8) : row.opcode);
  }
  if (row.hasModrm) bytes.push(...modrm(row, memory, address16, random));
  bytes.push(...immediate(row, size16, address16, random));
  return bytes;
}

function modrm(row: Row, memory: boolean, address16: boolean, random: Random): number[] {
  const reg = (row.digit >= 0 ? row.digit : random.below(8)) << 3;
  if (!memory) return [0xc0 | reg | (row.rm >= 0 ? row.rm : random.below(8))];
  const mod = random.below(3);
  const rm = row.vsib ? 4 : random.chance(30) ? 4 : random.below(8);
  const bytes = [(mod << 6) | reg | rm];
  if (address16) {
    if (mod === 1) bytes.push(random.below(256));
    else if (mod === 2 || rm === 6) bytes.push(random.below(256), random.pick([0x90, 0xa0, 0x00, 0xff]));
    return bytes;
  }
  let base = rm;
  if (rm === 4) {
    const sib = random.below(256);
    base = sib & 7;
    bytes.push(sib);
  }
  if (mod === 1) bytes.push(random.below(256));
  else if (mod === 2 || base === 5) bytes.push(random.below(256), random.below(256), random.pick([0, 0xff, 0x10, random.below(256)]), random.pick([0, 0xff, 0x10]));
  return bytes;
}

function immediate(row: Row, size16: boolean, address16: boolean, random: Random): number[] {
  const byte = (): number => (random.chance(50) ? random.pick(interestingBytes) : random.below(256));
  const many = (n: number): number[] => Array.from({ length: n }, byte);
  switch (row.immediate) {
    case 'b':
    case 'bs': return many(1);
    case 'Jb': return [random.pick([0, 1, 2, 4, 8, 0xfc, 0xf8])];
    case 'w': return row.mnemonic === 'ret' || row.mnemonic === 'retf' ? [random.below(64), 0] : many(2);
    case 'wb': return [random.below(256), random.below(3), random.pick([0, 0, 0, 1, 2, 5, 31, 32])];
    case 'z': return many(size16 ? 2 : 4);
    case 'Jz': return many(size16 ? 2 : 4);
    case 'O': return address16 ? [random.below(256), 0x90] : many(4);
    case 'p': return [...many(size16 ? 2 : 4), random.pick([0x23, 0x2b, 0x10, 0x08, 0, 3, 0x20]), 0];
    default: return [];
  }
}
