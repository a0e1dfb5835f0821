/**
 * From opcode bytes to a row, precomputed.
 *
 * The table is expanded once into flat arrays. A legacy opcode is looked up by
 * map and mandatory-prefix column (none, 66, F3, F2), a VEX one by map, pp, W
 * and L. A cell holds a row id, `INVALID`, or `GROUP - n`: a group whose row
 * also depends on ModR/M and is found in 256 cells of their own. So decoding
 * costs one or two array loads however much a group discriminates.
 */
import type { Row } from './instruction';
import { rows } from './table';

export const INVALID = -1;
export const GROUP = -2;

/** Columns of the legacy table: the mandatory prefix. VEX.pp counts in the same order. */
const columnOfPrefix = new Map([[0, 0], [0x66, 1], [0xf3, 2], [0xf2, 3]]);

/** Index: (map * 4 + column) * 256 + opcode. */
export const legacyCells = new Int16Array(4 * 4 * 256);
/** Index: (((map * 4 + pp) * 2 + W) * 2 + L) * 256 + opcode. */
export const vexCells = new Int16Array(4 * 4 * 4 * 256);

/** Registers that exist, by ModR/M.reg: six segments, CR0 2 3 4, DR0–DR7 (4 and 5 depend on CR4.DE). */
const validRegisters: Record<string, number> = { S: 0b0011_1111, C: 0b0001_1101, D: 0b1111_1111 };
const CS_BIT = 0b10;

const groups: Int16Array[] = [];
const groupNumbers = new Map<string, number>();

fill(legacyCells, legacyPlaces, rows.filter((row) => !row.vex));
fill(vexCells, vexPlaces, rows.filter((row) => row.vex));

/** Index: group * 256 + ModR/M. */
export const groupCells = new Int16Array(groups.length * 256);
groups.forEach((cells, n) => groupCells.set(cells, n * 256));

/** Less specific rows first: later ones overwrite cells. */
function specificity(row: Row): number {
  return (row.exactPrefix ? 16 : 0) + (row.rm >= 0 ? 8 : 0) + (row.digit >= 0 ? 4 : 0) + (row.mod !== 'any' ? 2 : 0) + (row.opcodeRegister ? 0 : 1);
}

function fill(cells: Int16Array, places: (row: Row) => number[], candidates: Row[]): void {
  cells.fill(INVALID);
  const byPlace = new Map<number, Row[]>();
  for (const row of [...candidates].sort((a, b) => specificity(a) - specificity(b) || a.id - b.id)) {
    for (const place of places(row)) {
      if (!byPlace.has(place)) byPlace.set(place, []);
      byPlace.get(place)!.push(row);
    }
  }
  for (const [place, sharing] of byPlace) {
    if (sharing.some(dependsOnModrm)) cells[place] = GROUP - makeGroup(sharing);
    else cells[place] = sharing[sharing.length - 1].id;
  }
}

/** Columns of one opcode often hold the same rows: they share a group. */
function makeGroup(sharing: Row[]): number {
  const cells = new Int16Array(256).fill(INVALID);
  for (const row of sharing) {
    for (let modrm = 0; modrm < 256; modrm++) if (accepts(row, modrm)) cells[modrm] = row.id;
  }
  const key = cells.join();
  const known = groupNumbers.get(key);
  if (known !== undefined) return known;
  groupNumbers.set(key, groups.length);
  return groups.push(cells) - 1;
}

function dependsOnModrm(row: Row): boolean {
  return row.digit >= 0 || row.rm >= 0 || row.mod !== 'any' || row.operands.some((o) => o.method in validRegisters);
}

function accepts(row: Row, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  if (row.digit >= 0 && row.digit !== reg) return false;
  if (row.rm >= 0 && row.rm !== (modrm & 7)) return false;
  if (row.mod === 'mem' && modrm >= 0xc0) return false;
  if (row.mod === 'reg' && modrm < 0xc0) return false;
  for (const operand of row.operands) {
    let valid = validRegisters[operand.method] ?? 0xff;
    if (operand.method === 'S' && operand.write) valid &= ~CS_BIT;
    if (operand.method in validRegisters && ((valid >> reg) & 1) === 0) return false;
  }
  return true;
}

function legacyPlaces(row: Row): number[] {
  const columns = row.exactPrefix ? [columnOfPrefix.get(row.mandatory)!] : [0, 1, 2, 3];
  const places: number[] = [];
  for (const column of columns) {
    for (let n = 0; n < (row.opcodeRegister ? 8 : 1); n++) places.push((row.map * 4 + column) * 256 + row.opcode + n);
  }
  return places;
}

function vexPlaces(row: Row): number[] {
  const places: number[] = [];
  for (const w of row.vexW < 0 ? [0, 1] : [row.vexW]) {
    for (const l of row.vexL < 0 ? [0, 1] : [row.vexL]) {
      places.push((((row.map * 4 + columnOfPrefix.get(row.mandatory)!) * 2 + w) * 2 + l) * 256 + row.opcode);
    }
  }
  return places;
}
