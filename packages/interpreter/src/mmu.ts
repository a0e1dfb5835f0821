import type { PhysicalMemory, VcpuState } from '@godwit/cpu';
import { faultCode, pageFault, Vector } from './fault';
import { TLB_LIST } from './limits';
import { walk, type Walk } from './page-walk';

/**
 * Linear memory: a software TLB in front of the page walk.
 *
 * The TLB is one table with a word for each of the 2^20 linear pages, so that
 * a hit costs one load, one mask and no tag compare:
 *
 *   bits 31-9  physical page number
 *   bit 8      NEVER: always clear; demanded by accesses that must take the slow path (alignment checks)
 *   bits 7-0   what the fast path may do with the page
 *
 * The write bits are only set once the guest's D bit is, as the walk sets it.
 * A page that is not plain RAM lacks the RAM bit, which sends every access to
 * the memory port. Accesses that cross a page translate both pages before they
 * touch either, so a fault leaves nothing half done.
 *
 * Every write to RAM asks two byte maps: `watched` of the memory port (dirty
 * log, translated code) and `hasCode`, our own decode cache.
 */

export const enum Tlb {
  READ = 1,
  WRITE = 2,
  USER_READ = 4,
  USER_WRITE = 8,
  EXECUTE = 16,
  GLOBAL = 32,
  RAM = 64,
  LARGE = 128,
  NEVER = 256,
}

export const PPN_SHIFT = 9;
/** A dropped entry that is still on the list of filled ones: allows nothing, yet is not 0. */
const DROPPED = 0x80000000 | 0;
const MAX_CACHED_PPN = 1 << 23;

/** A write hit a page that holds decoded code. */
export type CodeWritten = (gpa: number, size: number) => void;

export class Mmu {
  readonly tlb = new Int32Array(1 << 20);
  private readonly filled = new Int32Array(TLB_LIST);
  private filledCount = 0;
  readonly hasCode: Uint8Array;
  readonly ramView: DataView;
  readonly ram: Uint8Array;
  private readonly watched: Uint8Array;
  /** Bits a TLB word must have for a read / write at the current privilege. */
  readMask = Tlb.RAM | Tlb.READ;
  writeMask = Tlb.RAM | Tlb.WRITE;
  executeMask = Tlb.EXECUTE | Tlb.READ;
  user = false;
  /** CR0.AM and EFLAGS.AC at CPL 3. */
  alignmentChecked = false;
  codeWritten: CodeWritten = () => undefined;
  physicalBits = 36;
  /** Bumped whenever others may have written memory unseen: see decode-cache.ts. */
  epoch = 1;
  readonly last: Walk = { gpa: 0, writable: false, user: false, executable: false, global: false, large: false, dirty: false, error: 0 };

  constructor(readonly state: VcpuState, readonly memory: PhysicalMemory) {
    this.ram = memory.ram;
    this.ramView = new DataView(this.ram.buffer, this.ram.byteOffset, this.ram.byteLength);
    this.watched = memory.watched;
    this.hasCode = new Uint8Array(Math.max(memory.watched.length, this.ram.byteLength >>> 12));
  }

  newEpoch(): void { this.epoch = (this.epoch + 1) | 0; }

  setPrivilege(user: boolean, alignmentChecked: boolean): void {
    this.user = user;
    this.alignmentChecked = alignmentChecked;
    const never = alignmentChecked ? Tlb.NEVER : 0;
    this.readMask = never | Tlb.RAM | (user ? Tlb.USER_READ : Tlb.READ);
    this.executeMask = Tlb.EXECUTE | (user ? Tlb.USER_READ : Tlb.READ);
    this.writeMask = never | Tlb.RAM | (user ? Tlb.USER_WRITE : Tlb.WRITE);
  }

  // --- current privilege ---------------------------------------------------------

  read8(linear: number): number {
    const entry = this.tlb[linear >>> 12];
    if ((entry & this.readMask) === this.readMask) return this.ram[((entry >>> PPN_SHIFT << 12) | (linear & 0xfff)) >>> 0];
    return this.readSlow(linear, 1, this.user);
  }

  /** 0…65535. */
  read16(linear: number): number {
    const entry = this.tlb[linear >>> 12];
    if ((entry & this.readMask) === this.readMask && (linear & 0xfff) <= 0xffe) return this.ramView.getUint16(((entry >>> PPN_SHIFT << 12) | (linear & 0xfff)) >>> 0, true);
    return this.readSlow(linear, 2, this.user);
  }

  /** Signed. */
  read32(linear: number): number {
    const entry = this.tlb[linear >>> 12];
    if ((entry & this.readMask) === this.readMask && (linear & 0xfff) <= 0xffc) return this.ramView.getInt32(((entry >>> PPN_SHIFT << 12) | (linear & 0xfff)) >>> 0, true);
    return this.readSlow(linear, 4, this.user);
  }

  write8(linear: number, value: number): void {
    const entry = this.tlb[linear >>> 12];
    if ((entry & this.writeMask) === this.writeMask) {
      const ppn = entry >>> PPN_SHIFT;
      const at = ((ppn << 12) | (linear & 0xfff)) >>> 0;
      if ((this.watched[ppn] | this.hasCode[ppn]) !== 0) this.touch(at, 1);
      this.ram[at] = value;
    } else this.writeSlow(linear, 1, value, this.user);
  }

  write16(linear: number, value: number): void {
    const entry = this.tlb[linear >>> 12];
    if ((entry & this.writeMask) === this.writeMask && (linear & 0xfff) <= 0xffe) {
      const ppn = entry >>> PPN_SHIFT;
      const at = ((ppn << 12) | (linear & 0xfff)) >>> 0;
      if ((this.watched[ppn] | this.hasCode[ppn]) !== 0) this.touch(at, 2);
      this.ramView.setInt16(at, value, true);
    } else this.writeSlow(linear, 2, value, this.user);
  }

  write32(linear: number, value: number): void {
    const entry = this.tlb[linear >>> 12];
    if ((entry & this.writeMask) === this.writeMask && (linear & 0xfff) <= 0xffc) {
      const ppn = entry >>> PPN_SHIFT;
      const at = ((ppn << 12) | (linear & 0xfff)) >>> 0;
      if ((this.watched[ppn] | this.hasCode[ppn]) !== 0) this.touch(at, 4);
      this.ramView.setInt32(at, value, true);
    } else this.writeSlow(linear, 4, value, this.user);
  }

  /** Raises what a write there would raise (also sets A and D): for read-modify-write and for checks before a first write. */
  checkWrite(linear: number, size: number): void {
    const entry = this.tlb[linear >>> 12];
    if ((entry & this.writeMask) === this.writeMask && (linear & 0xfff) <= 0x1000 - size) return;
    this.probe(linear, size, true, this.user);
  }

  read(linear: number, size: number): number {
    return size === 4 ? this.read32(linear) : size === 2 ? this.read16(linear) : this.read8(linear);
  }

  write(linear: number, size: number, value: number): void {
    if (size === 4) this.write32(linear, value);
    else if (size === 2) this.write16(linear, value);
    else this.write8(linear, value);
  }

  // --- explicit privilege --------------------------------------------------------

  /** Descriptor tables and task states: always a supervisor access (SDM 3A, 4.6.1). */
  systemRead(linear: number, size: number): number {
    const entry = this.tlb[linear >>> 12];
    const want = Tlb.RAM | Tlb.READ;
    if ((entry & want) === want && (linear & 0xfff) <= 0x1000 - size) return this.physicalRead(((entry >>> PPN_SHIFT) * 4096) + (linear & 0xfff), size);
    return this.readSlow(linear, size, false);
  }

  systemWrite(linear: number, size: number, value: number): void { this.writeSlow(linear, size, value, false); }

  /** Both pages of a possibly crossing access are translated; throws the page fault. */
  probe(linear: number, size: number, write: boolean, user: boolean): void {
    if (this.alignmentChecked && user) this.checkAlignment(linear, size);
    this.translate(linear, write, false, user);
    const last = (linear + size - 1) | 0;
    if ((last ^ linear) >>> 12 !== 0) this.translate(last & ~0xfff, write, false, user);
  }

  readAs(linear: number, size: number, user: boolean): number { return this.readSlow(linear, size, user); }
  writeAs(linear: number, size: number, value: number, user: boolean): void { this.writeSlow(linear, size, value, user); }

  private readSlow(linear: number, size: number, user: boolean): number {
    if (this.alignmentChecked && user) this.checkAlignment(linear, size);
    const first = this.translate(linear, false, false, user);
    const room = 0x1000 - (linear & 0xfff);
    if (room >= size) return this.physicalRead(first, size);
    const second = this.translate((linear + room) | 0, false, false, user);
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.physicalRead(i < room ? first + i : second + i - room, 1) << (8 * i);
    return value;
  }

  private writeSlow(linear: number, size: number, value: number, user: boolean): void {
    if (this.alignmentChecked && user) this.checkAlignment(linear, size);
    const first = this.translate(linear, true, false, user);
    const room = 0x1000 - (linear & 0xfff);
    if (room >= size) return this.physicalWrite(first, size, value);
    const second = this.translate((linear + room) | 0, true, false, user);
    for (let i = 0; i < size; i++) this.physicalWrite(i < room ? first + i : second + i - room, 1, (value >> (8 * i)) & 255);
  }

  private checkAlignment(linear: number, size: number): void {
    if ((linear & (size - 1)) !== 0 && size <= 4) throw faultCode(Vector.AC, 0);
  }

  // --- physical ------------------------------------------------------------------

  /** 32-bit reads are signed. */
  physicalRead(gpa: number, size: number): number {
    if (this.memory.isRam(gpa) && (gpa % 4096) + size <= 4096) {
      if (size === 4) return this.ramView.getInt32(gpa, true);
      return size === 2 ? this.ramView.getUint16(gpa, true) : this.ram[gpa];
    }
    return size === 4 ? this.memory.read32(gpa) | 0 : size === 2 ? this.memory.read16(gpa) : this.memory.read8(gpa);
  }

  physicalWrite(gpa: number, size: number, value: number): void {
    const ppn = Math.floor(gpa / 4096);
    if (this.memory.isRam(gpa)) {
      if ((this.watched[ppn] | this.hasCode[ppn]) !== 0) this.touch(gpa, size);
      if (size === 4) this.ramView.setInt32(gpa, value, true);
      else if (size === 2) this.ramView.setInt16(gpa, value, true);
      else this.ram[gpa] = value;
      return;
    }
    this.newEpoch();
    if (size === 4) this.memory.write32(gpa, value >>> 0);
    else if (size === 2) this.memory.write16(gpa, value & 0xffff);
    else this.memory.write8(gpa, value & 0xff);
  }

  /** To be called before RAM is written behind this class's back. */
  touch(gpa: number, size: number): void {
    const ppn = Math.floor(gpa / 4096);
    if (this.watched[ppn] !== 0) this.memory.beforeWrite(gpa);
    if (this.hasCode[ppn] !== 0) this.codeWritten(gpa, size);
  }

  /** Index into `ram` for `size` bytes within one page, readied for the access, or -1 where the page is not plain RAM. Throws page faults. */
  ramAt(linear: number, write: boolean, size: number): number {
    const gpa = this.translate(linear, write, false, this.user);
    if (!this.memory.isRam(gpa)) return -1;
    if (write) this.touch(gpa, size);
    return gpa;
  }

  // --- translation ---------------------------------------------------------------

  /** gpa for a linear address; throws #PF. */
  translate(linear: number, write: boolean, execute: boolean, user: boolean): number {
    const entry = this.tlb[linear >>> 12];
    const want = execute ? Tlb.EXECUTE | (user ? Tlb.USER_READ : Tlb.READ) : write ? (user ? Tlb.USER_WRITE : Tlb.WRITE) : user ? Tlb.USER_READ : Tlb.READ;
    if ((entry & want) === want) return (entry >>> PPN_SHIFT) * 4096 + (linear & 0xfff);
    if (!walk(this, this.last, linear, write, execute, user)) throw pageFault(linear, this.last.error);
    this.fill(linear);
    return this.last.gpa;
  }

  private fill(linear: number): void {
    const page = this.last;
    const ppn = Math.floor(page.gpa / 4096);
    if (ppn >= MAX_CACHED_PPN) return;
    let entry = (ppn << PPN_SHIFT) | Tlb.READ;
    const supervisorWrites = page.writable || (this.state.cr0 & 0x10000) === 0;
    if (page.dirty && supervisorWrites) entry |= Tlb.WRITE;
    if (page.user) entry |= Tlb.USER_READ;
    if (page.user && page.writable && page.dirty) entry |= Tlb.USER_WRITE;
    if (page.executable) entry |= Tlb.EXECUTE;
    if (page.global) entry |= Tlb.GLOBAL;
    if (page.large) entry |= Tlb.LARGE;
    if (this.memory.isRam(page.gpa)) entry |= Tlb.RAM;
    const vpn = linear >>> 12;
    if (this.tlb[vpn] === 0) {
      if (this.filledCount < TLB_LIST) this.filled[this.filledCount] = vpn;
      this.filledCount++;
    }
    this.tlb[vpn] = entry;
  }

  flush(keepGlobal: boolean): void {
    const { tlb, filled } = this;
    if (this.filledCount > TLB_LIST) {
      tlb.fill(0);
      this.filledCount = 0;
      return;
    }
    let kept = 0;
    for (let i = 0; i < this.filledCount; i++) {
      const vpn = filled[i];
      if (keepGlobal && (tlb[vpn] & Tlb.GLOBAL) !== 0) filled[kept++] = vpn;
      else tlb[vpn] = 0;
    }
    this.filledCount = kept;
  }

  flushPage(linear: number): void {
    const vpn = linear >>> 12;
    if ((this.tlb[vpn] & Tlb.LARGE) === 0) {
      this.clear(vpn);
      return;
    }
    // One instruction drops the whole large page, however many of its parts we hold.
    const pages = (this.state.cr4 & 0x20) !== 0 ? 512 : 1024;
    const first = vpn & -pages;
    for (let i = first; i < first + pages; i++) if ((this.tlb[i] & Tlb.LARGE) !== 0) this.clear(i);
  }

  private clear(vpn: number): void {
    if (this.tlb[vpn] !== 0) this.tlb[vpn] = DROPPED;
  }
}
