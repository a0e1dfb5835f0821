/**
 * Descriptors and segment registers (SDM 3A, chapters 3 and 5).
 *
 * Everything that can fault is done before the first register changes; the
 * `Descriptor` handed around is what has been read and checked, `commit…`
 * cannot fail.
 */
import { SegIndex } from '@godwit/cpu';
import { Access, type Core } from './core';
import { faultCode, generalProtection, Vector } from './fault';

export interface Descriptor {
  selector: number;
  base: number;
  limit: number;
  /** The second dword under the mask 0x00F0FF00. */
  access: number;
  /** Linear address of the descriptor itself. */
  address: number;
  /** Both dwords as read: gates keep their target there. */
  low: number;
  high: number;
}

/** System descriptor types, bits 11-8 of the second dword (SDM 3A, table 3-2). */
export const enum SystemType {
  TSS16 = 1,
  LDT = 2,
  TSS16_BUSY = 3,
  CALL_GATE16 = 4,
  TASK_GATE = 5,
  INTERRUPT_GATE16 = 6,
  TRAP_GATE16 = 7,
  TSS32 = 9,
  TSS32_BUSY = 11,
  CALL_GATE32 = 12,
  INTERRUPT_GATE32 = 14,
  TRAP_GATE32 = 15,
}

export const V86_ACCESS = 0xf300;
const REAL_ACCESS = 0x9300;

export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
export const dplOf = (access: number): number => (access & Access.DPL) >> 13;
export const isCode = (access: number): boolean => (access & (Access.S | Access.CODE)) === (Access.S | Access.CODE);
export const isConforming = (access: number): boolean => (access & Access.EXPAND_DOWN) !== 0;
export const isWritableData = (access: number): boolean => (access & (Access.S | Access.CODE | Access.WRITABLE)) === (Access.S | Access.WRITABLE);
export const isPresent = (access: number): boolean => (access & Access.P) !== 0;
/** Type of a system descriptor, or -1 for code and data. */
export const systemType = (access: number): number => (access & Access.S) !== 0 ? -1 : (access >> 8) & 15;

/** Linear address of a descriptor, or -1 outside its table. */
function descriptorAddress(core: Core, selector: number): number {
  const { state } = core;
  const offset = selector & 0xfff8;
  if ((selector & 4) !== 0) {
    if (state.access(SegIndex.LDTR) === 0 || offset + 7 > state.limit(SegIndex.LDTR)) return -1;
    return state.base(SegIndex.LDTR) + offset;
  }
  if (offset + 7 > state.get('gdtrLimit')) return -1;
  return state.get('gdtrBase') + offset;
}

export function parseDescriptor(selector: number, address: number, low: number, high: number): Descriptor {
  const pages = (low & 0xffff) | (high & 0xf0000);
  const limit = (high & Access.GRANULARITY) !== 0 ? ((pages << 12) | 0xfff) >>> 0 : pages;
  return {
    selector, address, low, high, limit,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)) >>> 0,
    access: high & 0x00f0ff00,
  };
}

/** Null when the selector lies outside its table (for lar, lsl, verr, verw). */
export function tryReadDescriptor(core: Core, selector: number): Descriptor | null {
  const address = descriptorAddress(core, selector);
  if (address < 0) return null;
  return parseDescriptor(selector, address, core.mem.systemRead(address | 0, 4), core.mem.systemRead((address + 4) | 0, 4));
}

/** Outside its table: `vector` with the selector as error code. */
export function readDescriptor(core: Core, selector: number, vector: Vector, ext = 0): Descriptor {
  const descriptor = tryReadDescriptor(core, selector);
  if (descriptor === null) throw selectorFault(vector, selector, ext);
  return descriptor;
}

export function selectorFault(vector: Vector, selector: number, ext = 0): object {
  return faultCode(vector, (selector & 0xfffc) | ext);
}

export function markAccessed(core: Core, descriptor: Descriptor): void {
  if ((descriptor.high & Access.ACCESSED) !== 0) return;
  descriptor.high |= Access.ACCESSED;
  descriptor.access |= Access.ACCESSED;
  core.mem.systemWrite((descriptor.address + 5) | 0, 1, (descriptor.high >> 8) & 0xff);
}

/** Sets or clears bit 1 of a TSS descriptor's type. */
export function setBusy(core: Core, address: number, busy: boolean): void {
  const old = core.mem.systemRead((address + 5) | 0, 1);
  core.mem.systemWrite((address + 5) | 0, 1, busy ? old | 2 : old & ~2);
}

export function commitSegment(core: Core, seg: SegIndex, d: Descriptor): void {
  core.state.setSegment(seg, d.selector, d.base, d.limit, d.access);
}

export function commitNull(core: Core, seg: SegIndex, selector: number): void {
  core.state.setSegment(seg, selector, 0, 0, 0);
}

/** Real and virtual-8086 mode. Real mode keeps limit and attributes ("unreal mode"); virtual-8086 mode forces them. */
export function loadRealSegment(core: Core, seg: SegIndex, selector: number): void {
  const { state } = core;
  if (core.v86) state.setSegment(seg, selector, selector << 4, 0xffff, V86_ACCESS);
  else {
    const access = state.access(seg);
    const fresh = access === 0;
    state.setSegment(seg, selector, selector << 4, fresh ? 0xffff : state.limit(seg), fresh || seg === SegIndex.CS ? REAL_ACCESS | (access & Access.BIG) : access);
  }
}

/** mov/pop/lds…: any segment register but CS (SDM 2B, MOV; table 6-5 for SS). */
export function loadSegment(core: Core, seg: SegIndex, selector: number): void {
  selector &= 0xffff;
  if (!core.protectedMode || core.v86) loadRealSegment(core, seg, selector);
  else if (seg === SegIndex.SS) commitSegment(core, seg, checkStackSegment(core, selector, core.cpl, Vector.GP, 0));
  else if (isNull(selector)) commitNull(core, seg, selector);
  else commitSegment(core, seg, checkDataSegment(core, selector, core.cpl));
  core.refresh();
}

export function checkDataSegment(core: Core, selector: number, cpl: number, vector: Vector = Vector.GP): Descriptor {
  const d = readDescriptor(core, selector, vector);
  const { access } = d;
  const readable = (access & Access.S) !== 0 && ((access & Access.CODE) === 0 || (access & Access.WRITABLE) !== 0);
  const conforming = isCode(access) && isConforming(access);
  const dpl = dplOf(access);
  if (!readable || (!conforming && ((selector & 3) > dpl || cpl > dpl))) throw selectorFault(vector, selector);
  if (!isPresent(access)) throw selectorFault(Vector.NP, selector);
  markAccessed(core, d);
  return d;
}

/** SS for privilege level `cpl`: `vector` is #GP for loads and returns, #TS for stacks out of a TSS. */
export function checkStackSegment(core: Core, selector: number, cpl: number, vector: Vector, ext: number): Descriptor {
  if (isNull(selector)) throw faultCode(vector, ext);
  const d = readDescriptor(core, selector, vector, ext);
  if ((selector & 3) !== cpl || dplOf(d.access) !== cpl || !isWritableData(d.access)) throw selectorFault(vector, selector, ext);
  if (!isPresent(d.access)) throw selectorFault(Vector.SS, selector, ext);
  markAccessed(core, d);
  return d;
}

/** After a return to an outer level: segments that level may not use become null (SDM 3A, 5.8.6). */
export function dropInnerSegments(core: Core, cpl: number): void {
  for (const seg of [SegIndex.ES, SegIndex.DS, SegIndex.FS, SegIndex.GS]) {
    const access = core.state.access(seg);
    const conforming = isCode(access) && isConforming(access);
    if (access !== 0 && !conforming && dplOf(access) < cpl) commitNull(core, seg, 0);
  }
}

/** Stack pointer and segment for an inner level, out of the current TSS (SDM 3A, 5.8.5). */
export function innerStack(core: Core, level: number, ext: number): { stack: Descriptor; sp: number } {
  const { state } = core;
  const wide = (state.access(SegIndex.TR) & 0x800) !== 0;
  const offset = wide ? level * 8 + 4 : level * 4 + 2;
  if (offset + (wide ? 7 : 3) > state.limit(SegIndex.TR)) throw selectorFault(Vector.TS, state.selector(SegIndex.TR), ext);
  const at = (state.base(SegIndex.TR) + offset) | 0;
  const sp = core.mem.systemRead(at, wide ? 4 : 2);
  const selector = core.mem.systemRead((at + (wide ? 4 : 2)) | 0, 2);
  return { sp, stack: checkStackSegment(core, selector, level, Vector.TS, ext) };
}

/** Pushes on a stack that is not (yet) in SS:ESP; nothing but memory changes. */
export class StackCursor {
  constructor(private readonly core: Core, private readonly stack: Pick<Descriptor, 'base' | 'limit' | 'access'>, public sp: number, private readonly level: number, private readonly errorCode: number) {}

  static current(core: Core, errorCode: number): StackCursor {
    const { state } = core;
    const stack = { base: state.base(SegIndex.SS), limit: state.limit(SegIndex.SS), access: state.access(SegIndex.SS) };
    return new StackCursor(core, stack, core.r32[4], core.cpl, errorCode);
  }

  push(size: number, value: number): void {
    const mask = (this.stack.access & Access.BIG) !== 0 ? -1 : 0xffff;
    const at = ((this.sp - size) & mask) >>> 0;
    const { limit, access, base } = this.stack;
    const down = (access & Access.EXPAND_DOWN) !== 0 && this.core.protectedMode && !this.core.v86;
    const last = at + size - 1;
    if (down ? at <= limit || last > (mask === -1 ? 0xffffffff : 0xffff) : last > limit) throw faultCode(Vector.SS, this.errorCode);
    this.core.mem.writeAs((base + at) | 0, size, value, this.level === 3);
    this.sp = (this.sp & ~mask) | (at & mask);
  }
}
