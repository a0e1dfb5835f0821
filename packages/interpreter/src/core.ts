import { type ApicMsrs, type CpuHooks, type CpuidSource, type HostUnit, type PhysicalMemory, type PortIo, SCRATCH_OFFSET, STATE_SIZE, SegIndex, stateOffset, type VcpuState } from '@godwit/cpu';
import type { FeatureName, Row } from '@godwit/isa';
import { fault, faultCode, generalProtection, Vector } from './fault';
import { arithmeticFlags, Eflags, type LazyFlags, setArithmeticFlags } from './flags';
import { PHYSICAL_BITS } from './limits';
import { Mmu } from './mmu';
import type { Op } from './op';

/** What the interpreter needs from the world. */
export interface InterpreterPorts {
  memory: PhysicalMemory;
  io: PortIo;
  host: HostUnit;
  cpuid: CpuidSource;
  hooks: CpuHooks;
  hostTsc(): bigint;
  /** Left out: the CPU has no local APIC, and the MSRs that belong to it do not exist. */
  apic?: ApicMsrs;
  featureAllowed(name: FeatureName): boolean;
  onFeature?(row: Row): void;
}

export const enum Cr0 {
  PE = 1,
  MP = 2,
  EM = 4,
  TS = 8,
  ET = 0x10,
  NE = 0x20,
  WP = 0x10000,
  AM = 0x40000,
  NW = 0x20000000,
  CD = 0x40000000,
  PG = 0x80000000,
}

export const enum Cr4 {
  VME = 1,
  PVI = 2,
  TSD = 4,
  DE = 8,
  PSE = 0x10,
  PAE = 0x20,
  MCE = 0x40,
  PGE = 0x80,
  PCE = 0x100,
  OSFXSR = 0x200,
  OSXMMEXCPT = 0x400,
  OSXSAVE = 0x40000,
}

/** Descriptor access bits as they stand in the second dword (SDM 3A, 3.4.5). */
export const enum Access {
  ACCESSED = 0x100,
  WRITABLE = 0x200, // data: writable; code: readable
  EXPAND_DOWN = 0x400, // data: expand-down; code: conforming
  CODE = 0x800,
  S = 0x1000,
  DPL = 0x6000,
  P = 0x8000,
  BIG = 0x400000,
  GRANULARITY = 0x800000,
}

/** A dword of the state block that is always 0: stands for "no register" in address sums. */
export const ZERO_CELL = STATE_SIZE / 4 - 1;

const SEGMENT = stateOffset.segments >> 2;
const GPR = stateOffset.gpr >> 2;
const ESP = GPR + 4;
const EIP = stateOffset.eip >> 2;
const EFLAGS = stateOffset.eflags >> 2;
const TLB_GENERATION = stateOffset.tlbGeneration >> 2;

/**
 * What the handlers work on: the state block, what is cached from it while
 * the interpreter runs, and the accesses through segments.
 *
 * Cached here and written back by `leave`: eip, eflags (lazily, see flags.ts).
 * Derived by `refresh` whenever mode, privilege or a segment changes: sizes,
 * masks, and the bit sets `flatRead`/`flatWrite` of segments through which any
 * offset may be used without a check.
 */
export class Core implements LazyFlags {
  res = 1;
  aux = 0;
  /** EFLAGS without the six arithmetic flags. */
  flags: number = Eflags.FIXED;
  /** Offset in CS of the next instruction; while a block runs: where the block goes on. */
  eip = 0;
  /** Offset in CS of the running block's first instruction. */
  blockEip = 0;
  /** Word view of the whole block; the general registers are its first eight. */
  readonly r32: Int32Array;
  readonly r16: Uint16Array;
  readonly r8: Uint8Array;
  readonly scratch: Uint8Array;
  readonly scratchView: DataView;
  readonly mem: Mmu;
  protectedMode = false;
  v86 = false;
  cpl = 0;
  /** 2 or 4. */
  codeSize: 2 | 4 = 2;
  stackMask = 0xffff;
  flatRead = 0;
  flatWrite = 0;
  /** CS may hold any eip. */
  codeFlat = false;
  codeBase = 0;
  /** Iterations that a string instruction may do before it must let the loop look at interrupts. */
  stringBudget = 1;
  /** The running instruction made an interrupt shadow. */
  shadow = false;
  halted = false;
  tripleFault = false;
  /** Single-step trap wanted after this instruction though TF was clear before it, or the reverse. */
  debugTrap = 0;

  constructor(readonly state: VcpuState, readonly ports: InterpreterPorts) {
    if (GPR !== 0) throw new Error('state layout: general registers must come first');
    this.r32 = state.i32;
    this.r16 = state.gpr16;
    this.r8 = state.gpr8;
    this.scratch = state.bytes.subarray(SCRATCH_OFFSET, SCRATCH_OFFSET + 4096);
    this.scratchView = new DataView(state.bytes.buffer, state.bytes.byteOffset + SCRATCH_OFFSET, 4096);
    this.mem = new Mmu(state, ports.memory);
    const width = ports.cpuid.query(0x80000000, 0)[0] >= 0x80000008 ? ports.cpuid.query(0x80000008, 0)[0] & 0xff : 0;
    this.mem.physicalBits = width >= 32 && width <= 40 ? width : PHYSICAL_BITS;
  }

  /** Loads the caches from the state block. */
  enter(): void {
    this.mem.newEpoch();
    this.eip = this.r32[EIP];
    this.setFlagsImage(this.r32[EFLAGS]);
    this.shadow = this.state.interruptShadow !== 0;
    this.halted = this.state.halted !== 0;
    this.refresh();
  }

  /** Writes them back. */
  leave(): void {
    this.r32[EIP] = this.eip;
    this.r32[EFLAGS] = this.flagsImage();
    this.state.interruptShadow = this.shadow ? 1 : 0;
    this.state.halted = this.halted ? 1 : 0;
  }

  flagsImage(): number { return this.flags | arithmeticFlags(this); }

  /** All of EFLAGS; the caller has applied the privilege rules and calls `refresh` if VM or AC may have changed. */
  setFlagsImage(image: number): void {
    this.flags = (image & Eflags.ALL & ~Eflags.ARITHMETIC) | Eflags.FIXED;
    setArithmeticFlags(this, image);
  }

  /** Recomputes what is derived from CR0, CPL, EFLAGS.VM/AC and the segments. */
  refresh(): void {
    const { state } = this;
    this.protectedMode = (state.cr0 & Cr0.PE) !== 0;
    this.v86 = (this.flags & Eflags.VM) !== 0;
    this.cpl = state.cpl;
    this.codeSize = (state.access(SegIndex.CS) & Access.BIG) !== 0 ? 4 : 2;
    this.stackMask = (state.access(SegIndex.SS) & Access.BIG) !== 0 ? -1 : 0xffff;
    this.codeFlat = state.limit(SegIndex.CS) === 0xffffffff;
    this.codeBase = this.r32[SEGMENT + SegIndex.CS * 4 + 1];
    const user = this.cpl === 3;
    this.mem.setPrivilege(user, user && (this.flags & Eflags.AC) !== 0 && (state.cr0 & Cr0.AM) !== 0);
    let flatRead = 0;
    let flatWrite = 0;
    for (let seg = 0; seg < 6; seg++) {
      if (state.limit(seg) !== 0xffffffff) continue;
      const access = state.access(seg);
      if (!this.protectedMode || this.v86) {
        flatRead |= 1 << seg;
        flatWrite |= 1 << seg;
      } else if ((access & Access.CODE) !== 0) {
        if ((access & Access.WRITABLE) !== 0) flatRead |= 1 << seg;
      } else if ((access & Access.S) !== 0 && (access & Access.EXPAND_DOWN) === 0) {
        flatRead |= 1 << seg;
        if ((access & Access.WRITABLE) !== 0) flatWrite |= 1 << seg;
      }
    }
    this.flatRead = flatRead;
    this.flatWrite = flatWrite;
  }

  setCpl(cpl: number): void {
    this.state.cpl = cpl;
    this.cpl = cpl;
  }

  get iopl(): number { return (this.flags & Eflags.IOPL) >> 12; }

  /** Next instruction's offset. */
  next(op: Op): number { return (this.blockEip + op.end) | 0; }

  // --- memory operands -----------------------------------------------------------

  /** Offset of the ModR/M operand within its segment. */
  offset(op: Op): number {
    const r = this.r32;
    return (r[op.base] + (r[op.index] << op.shift) + op.displacement) & op.addressMask;
  }

  /** Linear address of the ModR/M operand, checked for a read of `size` bytes. */
  linearRead(op: Op, size: number): number {
    const offset = this.offset(op);
    if ((this.flatRead & op.segmentBit) === 0) this.checkSegment(op.segment, offset, size, false);
    return (offset + this.r32[op.segmentBase]) | 0;
  }

  linearWrite(op: Op, size: number): number {
    const offset = this.offset(op);
    if ((this.flatWrite & op.segmentBit) === 0) this.checkSegment(op.segment, offset, size, true);
    return (offset + this.r32[op.segmentBase]) | 0;
  }

  /** Checked for a write and known to be writable: what follows cannot fault. */
  linearModify(op: Op, size: number): number {
    const linear = this.linearWrite(op, size);
    this.mem.checkWrite(linear, size);
    return linear;
  }

  /** Linear address of an offset in any segment. */
  linear(seg: number, offset: number, size: number, write: boolean): number {
    if (((write ? this.flatWrite : this.flatRead) & (1 << seg)) === 0) this.checkSegment(seg, offset, size, write);
    return (offset + this.r32[SEGMENT + seg * 4 + 1]) | 0;
  }

  /** Limit and type of a segment (SDM 3A, 5.3 and 5.5); throws #GP(0) or #SS(0). */
  checkSegment(seg: number, offset: number, size: number, write: boolean): void {
    const access = this.state.access(seg);
    const limit = this.state.limit(seg);
    const first = offset >>> 0;
    const last = first + size - 1;
    let ok: boolean;
    if (this.protectedMode && !this.v86) {
      const code = (access & Access.CODE) !== 0;
      const typeOk = (access & Access.S) !== 0 && (code ? !write && (access & Access.WRITABLE) !== 0 : !write || (access & Access.WRITABLE) !== 0);
      const down = !code && (access & Access.EXPAND_DOWN) !== 0;
      ok = typeOk && (down ? first > limit && last <= ((access & Access.BIG) !== 0 ? 0xffffffff : 0xffff) : last <= limit);
    } else ok = last <= limit;
    if (!ok) throw faultCode(seg === SegIndex.SS ? Vector.SS : Vector.GP, 0);
  }

  // --- stack -----------------------------------------------------------------------

  get sp(): number { return this.r32[ESP] & this.stackMask; }
  /** Keeps the upper half of ESP when the stack is a 16-bit one. */
  set sp(value: number) { this.r32[ESP] = (this.r32[ESP] & ~this.stackMask) | (value & this.stackMask); }

  /** Memory first, then ESP: a fault leaves it as it was. */
  push32(value: number): void {
    const at = (this.r32[ESP] - 4) & this.stackMask;
    this.mem.write32(this.linear(SegIndex.SS, at, 4, true), value);
    this.sp = at;
  }

  push16(value: number): void {
    const at = (this.r32[ESP] - 2) & this.stackMask;
    this.mem.write16(this.linear(SegIndex.SS, at, 2, true), value);
    this.sp = at;
  }

  push(size: number, value: number): void {
    if (size === 4) this.push32(value);
    else this.push16(value);
  }

  /** The value `distance` bytes above the stack pointer; ESP is not moved. */
  peek(size: number, distance: number): number {
    return this.mem.read(this.linear(SegIndex.SS, (this.r32[ESP] + distance) & this.stackMask, size, false), size);
  }

  pop32(): number {
    const value = this.peek(4, 0);
    this.sp = this.r32[ESP] + 4;
    return value;
  }

  pop(size: number): number {
    const value = this.peek(size, 0);
    this.sp = this.r32[ESP] + size;
    return value;
  }

  /** Raises what `size` bytes of pushes below the stack pointer would raise. */
  checkPushes(size: number): void {
    const low = (this.r32[ESP] - size) & this.stackMask;
    // A 16-bit stack may wrap between two pushes.
    if ((low >>> 0) > (this.sp >>> 0)) return;
    const linear = this.linear(SegIndex.SS, low, size, true);
    this.mem.checkWrite(linear, size);
  }

  // --- flow ------------------------------------------------------------------------

  /** A near jump; the target must lie within CS. */
  jump(target: number): void {
    if (!this.codeFlat && (target >>> 0) > this.state.limit(SegIndex.CS)) throw generalProtection();
    this.eip = target;
  }

  // --- privilege -------------------------------------------------------------------

  requireCpl0(): void {
    if (this.cpl !== 0) throw generalProtection();
  }

  requireProtected(): void {
    if (!this.protectedMode || this.v86) throw fault(Vector.UD);
  }

  flushTlb(keepGlobal: boolean): void {
    this.mem.flush(keepGlobal);
    this.ports.hooks.flushTlb(keepGlobal ? 'non-global' : 'all');
    this.noteTlbGeneration();
  }

  flushPage(linear: number): void {
    this.mem.flushPage(linear);
    this.ports.hooks.flushPage(linear >>> 0);
    this.noteTlbGeneration();
  }

  seenGeneration = 0;
  /** Our own flush may have bumped it through the hooks; that is not news. */
  noteTlbGeneration(): void { this.seenGeneration = this.r32[TLB_GENERATION]; }
}
