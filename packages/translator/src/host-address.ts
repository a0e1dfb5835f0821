import { type Emitter, HOST } from './emitter';

/**
 * A guest memory operand as the host will address it: always through gs (the
 * window) with a 32-bit effective address, which wraps as IA-32 does.
 */
export interface HostAddress {
  base: number; // host register or -1
  index: number;
  scale: number;
  displacement: number;
  /** False for lea: no gs prefix. */
  window: boolean;
  /** base + index is a full host address already. */
  absolute?: boolean;
}

export function emitLea(e: Emitter, reg: number, address: HostAddress): void {
  const plain = { ...address, window: false };
  emitAddressPrefixes(e, plain);
  const rex = 0x40 | ((reg >> 3) << 2) | addressRex(plain);
  if (rex !== 0x40) e.u8(rex);
  e.u8(0x8d);
  emitModrm(e, reg, plain);
}

export function emitAddressPrefixes(e: Emitter, address: HostAddress): void {
  if (address.absolute) return;
  if (address.window) e.u8(0x65);
  e.u8(0x67);
}

/** REX.X and REX.B (bits 1 and 0) that the address needs. */
export function addressRex(address: HostAddress): number {
  return (address.index > 7 ? 2 : 0) | (address.base > 7 ? 1 : 0);
}

/** ModR/M, SIB and displacement. rip-relative is never formed: absolute addresses take the SIB form. */
export function emitModrm(e: Emitter, reg: number, address: HostAddress): void {
  const r = (reg & 7) << 3;
  const { base, index, displacement } = address;
  const scaleBits = address.scale === 8 ? 0xc0 : address.scale === 4 ? 0x80 : address.scale === 2 ? 0x40 : 0;
  if (base < 0) {
    e.u8(0x04 | r, index < 0 ? 0x25 : scaleBits | ((index & 7) << 3) | 5);
    e.u32(displacement);
    return;
  }
  const small = displacement >= -128 && displacement <= 127;
  const mod = displacement === 0 && (base & 7) !== 5 ? 0 : small ? 0x40 : 0x80;
  if (index >= 0) e.u8(mod | r | 4, scaleBits | ((index & 7) << 3) | (base & 7));
  else if ((base & 7) === 4) e.u8(mod | r | 4, 0x24);
  else e.u8(mod | r | (base & 7));
  if (mod === 0x40) e.u8(displacement & 255);
  else if (mod === 0x80) e.u32(displacement);
}

/** An access with host registers: [66] [REX] opcode ModR/M. `opcode` is one byte or several. */
export function emitAccess(e: Emitter, opcode: readonly number[], reg: number, address: HostAddress, wide16 = false): void {
  emitAddressPrefixes(e, address);
  if (wide16) e.u8(0x66);
  const rex = 0x40 | ((reg >> 3) << 2) | addressRex(address);
  if (rex !== 0x40) e.u8(rex);
  e.u8(...opcode);
  emitModrm(e, reg, address);
}

/** [esp + displacement] of the guest. */
export function stackAddress(e: Emitter, displacement: number): HostAddress {
  return { base: HOST.ESP, index: -1, scale: 1, displacement: e.stackOffset + displacement, window: true };
}
