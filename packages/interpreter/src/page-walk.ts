import type { Mmu } from './mmu';

/**
 * The page walk (SDM 3A, chapter 4): no paging, 32-bit paging with 4 MiB
 * pages and PSE-36, PAE with 2 MiB pages and NX. Sets A, and D on writes.
 *
 * Departures: the four PAE directory pointers are read from memory at each
 * walk, not loaded with CR3 (as AMD processors do under nested paging), so a
 * guest that changes one sees it sooner than on Intel.
 */

export interface Walk {
  gpa: number;
  writable: boolean;
  user: boolean;
  executable: boolean;
  global: boolean;
  large: boolean;
  /** D was or became set: writes may be cached. */
  dirty: boolean;
  /** Page-fault error code when the walk failed. */
  error: number;
}

const enum Pte {
  P = 1,
  W = 2,
  U = 4,
  A = 0x20,
  D = 0x40,
  PS = 0x80,
  G = 0x100,
}

const enum Error {
  PRESENT = 1,
  WRITE = 2,
  USER = 4,
  RESERVED = 8,
  FETCH = 16,
}

const CR0_PG = 0x80000000 | 0;
const CR0_WP = 0x10000;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
const CR4_PGE = 0x80;
const EFER_NX = 0x800;

/** Fills `out`; false with out.error on a fault. */
export function walk(mmu: Mmu, out: Walk, linear: number, write: boolean, execute: boolean, user: boolean): boolean {
  const { cr0, cr4 } = mmu.state;
  out.error = 0;
  if ((cr0 & CR0_PG) === 0) {
    out.gpa = linear >>> 0;
    out.writable = out.user = out.executable = out.dirty = true;
    out.global = out.large = false;
    return true;
  }
  const noExecute = (cr4 & CR4_PAE) !== 0 && (mmu.state.efer & EFER_NX) !== 0;
  const base = (write ? Error.WRITE : 0) | (user ? Error.USER : 0) | (execute && noExecute ? Error.FETCH : 0);
  out.executable = true;
  const ok = (cr4 & CR4_PAE) !== 0
    ? walkPae(mmu, out, linear, write, execute, user, noExecute)
    : walk32(mmu, out, linear, write, user);
  if (!ok) out.error |= base;
  return ok;
}

/** Page number and attribute bits are good; now the rights, and A and D of the last entry. */
function finish(mmu: Mmu, out: Walk, entryAt: number, entry: number, write: boolean, execute: boolean, user: boolean): boolean {
  const wp = (mmu.state.cr0 & CR0_WP) !== 0;
  const denied = (user && !out.user) || (write && !out.writable && (user || wp)) || (execute && !out.executable);
  if (denied) {
    out.error = Error.PRESENT;
    return false;
  }
  const wanted = entry | Pte.A | (write ? Pte.D : 0);
  if (wanted !== entry) mmu.physicalWrite(entryAt, 4, wanted);
  out.dirty = (wanted & Pte.D) !== 0;
  out.global = (entry & Pte.G) !== 0 && (mmu.state.cr4 & CR4_PGE) !== 0;
  return true;
}

function notPresent(out: Walk): boolean {
  out.error = 0;
  return false;
}

function reserved(out: Walk): boolean {
  out.error = Error.RESERVED | Error.PRESENT;
  return false;
}

function walk32(mmu: Mmu, out: Walk, linear: number, write: boolean, user: boolean): boolean {
  const directoryAt = ((mmu.state.cr3 & 0xfffff000) >>> 0) + (linear >>> 22) * 4;
  const directory = mmu.physicalRead(directoryAt, 4);
  if ((directory & Pte.P) === 0) return notPresent(out);
  if ((directory & Pte.PS) !== 0 && (mmu.state.cr4 & CR4_PSE) !== 0) {
    // PSE-36: bits 20-13 of the entry are address bits 39-32; above the width and bit 21 are reserved.
    const high = (directory >>> 13) & 0xff;
    if ((directory & 0x200000) !== 0 || high >>> (mmu.physicalBits - 32) !== 0) return reserved(out);
    out.writable = (directory & Pte.W) !== 0;
    out.user = (directory & Pte.U) !== 0;
    out.large = true;
    out.gpa = high * 0x100000000 + (((directory & 0xffc00000) | (linear & 0x3fffff)) >>> 0);
    return finish(mmu, out, directoryAt, directory, write, false, user);
  }
  const entryAt = ((directory & 0xfffff000) >>> 0) + ((linear >>> 12) & 0x3ff) * 4;
  const entry = mmu.physicalRead(entryAt, 4);
  if ((entry & Pte.P) === 0) return notPresent(out);
  const both = directory & entry;
  out.writable = (both & Pte.W) !== 0;
  out.user = (both & Pte.U) !== 0;
  out.large = false;
  out.gpa = ((entry & 0xfffff000) | (linear & 0xfff)) >>> 0;
  if (!finish(mmu, out, entryAt, entry, write, false, user)) return false;
  if ((directory & Pte.A) === 0) mmu.physicalWrite(directoryAt, 4, directory | Pte.A);
  return true;
}

/** Address in the entry, without the low twelve bits. */
function frame(low: number, high: number, mmu: Mmu): number {
  return (high & (2 ** (mmu.physicalBits - 32) - 1)) * 0x100000000 + ((low & 0xfffff000) >>> 0);
}

function highReserved(high: number, noExecute: boolean, mmu: Mmu): boolean {
  const allowed = (2 ** (mmu.physicalBits - 32) - 1) | (noExecute ? 0x80000000 : 0);
  return (high & ~allowed) !== 0;
}

function walkPae(mmu: Mmu, out: Walk, linear: number, write: boolean, execute: boolean, user: boolean, noExecute: boolean): boolean {
  const pointerAt = ((mmu.state.cr3 & 0xffffffe0) >>> 0) + (linear >>> 30) * 8;
  const pointer = mmu.physicalRead(pointerAt, 4);
  if ((pointer & Pte.P) === 0) return notPresent(out);
  const pointerHigh = mmu.physicalRead(pointerAt + 4, 4);
  if ((pointer & 0x1e6) !== 0 || highReserved(pointerHigh, false, mmu)) return reserved(out);

  const directoryAt = frame(pointer, pointerHigh, mmu) + ((linear >>> 21) & 0x1ff) * 8;
  const directory = mmu.physicalRead(directoryAt, 4);
  if ((directory & Pte.P) === 0) return notPresent(out);
  const directoryHigh = mmu.physicalRead(directoryAt + 4, 4);
  if (highReserved(directoryHigh, noExecute, mmu)) return reserved(out);
  if ((directory & Pte.PS) !== 0) {
    if ((directory & 0x1fe000) !== 0) return reserved(out);
    out.writable = (directory & Pte.W) !== 0;
    out.user = (directory & Pte.U) !== 0;
    out.executable = directoryHigh >= 0;
    out.large = true;
    out.gpa = frame(directory & 0xffe00000, directoryHigh, mmu) + (linear & 0x1fffff);
    return finish(mmu, out, directoryAt, directory, write, execute, user);
  }
  const entryAt = frame(directory, directoryHigh, mmu) + ((linear >>> 12) & 0x1ff) * 8;
  const entry = mmu.physicalRead(entryAt, 4);
  if ((entry & Pte.P) === 0) return notPresent(out);
  const entryHigh = mmu.physicalRead(entryAt + 4, 4);
  if (highReserved(entryHigh, noExecute, mmu)) return reserved(out);
  const both = directory & entry;
  out.writable = (both & Pte.W) !== 0;
  out.user = (both & Pte.U) !== 0;
  out.executable = (directoryHigh | entryHigh) >= 0;
  out.large = false;
  out.gpa = frame(entry, entryHigh, mmu) + (linear & 0xfff);
  if (!finish(mmu, out, entryAt, entry, write, execute, user)) return false;
  if ((directory & Pte.A) === 0) mmu.physicalWrite(directoryAt, 4, directory | Pte.A);
  return true;
}
