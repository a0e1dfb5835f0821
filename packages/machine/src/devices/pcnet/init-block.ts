/**
 * The initialization block (data sheet, "Initialization Block").
 *
 *   16-bit   0 mode   2 address ×6   8 filter ×8   10 receive ring | length << 29   14 transmit ring | length << 29
 *   32-bit   0 mode | receive length << 20 | transmit length << 28   4 address ×6   c filter ×8
 *            14 receive ring   18 transmit ring
 *
 * Lengths are powers of two by exponent: 128 at most in the first form, 512 in the second.
 */
import { Csr, Csr0 } from './bits';
import { get16, get32 } from './bytes';
import { type Chip, csr32, highAddress, is32Bit, setCsr32, viewOf } from './chip';
import type { PcnetState } from './state';

const BYTES_16 = 24;
const BYTES_32 = 28;
const MAX_EXPONENT = 9;

interface InitBlock {
  readonly address: number;
  readonly filter: number;
  readonly receiveBase: number;
  readonly receiveExponent: number;
  readonly transmitBase: number;
  readonly transmitExponent: number;
}

/** INIT: loads the registers. False when the block is not in RAM. */
export function initialize(chip: Chip): boolean {
  const state = chip.registers;
  const wide = is32Bit(state);
  const bytes = viewOf(chip, csr32(state, Csr.initAddress), wide ? BYTES_32 : BYTES_16);
  if (!bytes) return false;
  const block = wide ? block32(bytes) : block16(bytes, highAddress(state));
  const { csr } = state;
  csr[Csr.mode] = get16(bytes, 0);
  for (let word = 0; word < 3; word++) csr[Csr.physicalAddress + word] = get16(bytes, block.address + word * 2);
  for (let word = 0; word < 4; word++) csr[Csr.logicalFilter + word] = get16(bytes, block.filter + word * 2);
  setCsr32(state, Csr.receiveBase, block.receiveBase);
  setCsr32(state, Csr.transmitBase, block.transmitBase);
  csr[Csr.lengths] = (block.transmitExponent << 12) | (block.receiveExponent << 8);
  setLength(state, Csr.receiveLength, block.receiveExponent);
  setLength(state, Csr.transmitLength, block.transmitExponent);
  csr[Csr.status] |= Csr0.idon;
  return true;
}

function block16(bytes: Uint8Array, high: number): InitBlock {
  const [receive, transmit] = [get32(bytes, 0x10), get32(bytes, 0x14)];
  return {
    address: 2,
    filter: 8,
    receiveBase: ((receive & 0xffffff) | high) >>> 0,
    receiveExponent: receive >>> 29,
    transmitBase: ((transmit & 0xffffff) | high) >>> 0,
    transmitExponent: transmit >>> 29,
  };
}

function block32(bytes: Uint8Array): InitBlock {
  const first = get32(bytes, 0);
  return {
    address: 4,
    filter: 12,
    receiveBase: get32(bytes, 0x14),
    receiveExponent: (first >>> 20) & 15,
    transmitBase: get32(bytes, 0x18),
    transmitExponent: first >>> 28,
  };
}

function setLength({ csr }: PcnetState, register: number, exponent: number): void {
  csr[register] = 0x10000 - (1 << Math.min(exponent, MAX_EXPONENT));
}
