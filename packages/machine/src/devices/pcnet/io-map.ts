/**
 * The 32 bytes of I/O or memory space (data sheet, "I/O Resources").
 *
 *              0        10   12   14     16     18     1c
 *   word       APROM    RDP  RAP  reset  BDP
 *   dword      APROM    RDP       RAP           reset  BDP
 *
 * The chip starts in word mode; a dword written to RDP switches it over until
 * the next hardware reset. Accesses of the other width are not decoded, except
 * bytes, which old programs use on the address PROM and to read registers.
 */
import { Bcr, BCR18_DWIO, BCR2_APROMWE } from './bits';
import type { PcnetState } from './state';

export const REGISTER_BYTES = 32;

export interface IoTarget {
  readonly registers: PcnetState;
  readCsr(number: number): number;
  writeCsr(number: number, value: number): void;
  readBcr(number: number): number;
  writeBcr(number: number, value: number): void;
  /** S_RESET. */
  softReset(): void;
}

type Size = 1 | 2 | 4;

const APROM_BYTES = 16;
const WORD = { rdp: 0x10, rap: 0x12, reset: 0x14, bdp: 0x16 } as const;
const DWORD = { rdp: 0x10, rap: 0x14, reset: 0x18, bdp: 0x1c } as const;
const RAP_BITS = 0x7f;
const ALL_ONES = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;

const usesDwords = ({ registers }: IoTarget): boolean => (registers.bcr[Bcr.busSize] & BCR18_DWIO) !== 0;

export function readIo(target: IoTarget, offset: number, size: Size): number {
  if (offset + size <= APROM_BYTES) return readAprom(target, offset, size);
  const dwords = usesDwords(target);
  if (size === 4 && dwords) return readRegister(target, DWORD, offset) ?? ALL_ONES[size];
  if (size === 2 && !dwords) return readRegister(target, WORD, offset) ?? ALL_ONES[size];
  if (size !== 1) return ALL_ONES[size];
  const width = dwords ? 4 : 2;
  const value = readRegister(target, dwords ? DWORD : WORD, offset & ~(width - 1));
  return value === undefined ? ALL_ONES[size] : (value >>> (8 * (offset & (width - 1)))) & 0xff;
}

export function writeIo(target: IoTarget, offset: number, size: Size, value: number): void {
  if (offset + size <= APROM_BYTES) return writeAprom(target, offset, size, value);
  if (usesDwords(target)) {
    if (size === 4) writeRegister(target, DWORD, offset, value & 0xffff);
  } else if (size === 2) writeRegister(target, WORD, offset, value);
  else if (size === 4 && offset === WORD.rdp) target.registers.bcr[Bcr.busSize] |= BCR18_DWIO;
}

type Places = typeof WORD | typeof DWORD;

/** 16 bits; undefined where there is no register. Reading the reset register resets. */
function readRegister(target: IoTarget, places: Places, offset: number): number | undefined {
  const { rap } = target.registers;
  switch (offset) {
    case places.rdp:
      return target.readCsr(rap);
    case places.rap:
      return rap;
    case places.reset:
      target.softReset();
      return 0;
    case places.bdp:
      return target.readBcr(rap);
    default:
      return undefined;
  }
}

function writeRegister(target: IoTarget, places: Places, offset: number, value: number): void {
  const { registers } = target;
  if (offset === places.rdp) target.writeCsr(registers.rap, value);
  else if (offset === places.rap) registers.rap = value & RAP_BITS;
  else if (offset === places.bdp) target.writeBcr(registers.rap, value);
}

function readAprom({ registers: { aprom } }: IoTarget, offset: number, size: Size): number {
  let value = 0;
  for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + aprom[offset + byte];
  return value;
}

/** Only where BCR2 allows it. */
function writeAprom({ registers: { aprom, bcr } }: IoTarget, offset: number, size: Size, value: number): void {
  if (!(bcr[Bcr.misc] & BCR2_APROMWE)) return;
  for (let byte = 0; byte < size; byte++) aprom[offset + byte] = (value >>> (8 * byte)) & 0xff;
}
