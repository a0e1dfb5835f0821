/**
 * Hardware task switches (SDM 3A, 7.3). Faults before the commit point belong
 * to the old task; those found while the new task's segments are loaded are
 * raised in the new one, as the manual has it.
 *
 * Not done: the debug trap of the T bit.
 */
import { SegIndex } from '@godwit/cpu';
import { Cr0, type Core } from './core';
import { Vector } from './fault';
import { Eflags } from './flags';
import { checkDataSegment, checkStackSegment, commitNull, commitSegment, type Descriptor, dplOf, isCode, isConforming, isNull, isPresent, loadRealSegment, markAccessed, readDescriptor, selectorFault, setBusy, StackCursor, SystemType, systemType } from './segmentation';

export type TaskSwitch = 'jump' | 'call' | 'interrupt' | 'iret';

interface Layout {
  size: 2 | 4;
  eip: number;
  eflags: number;
  registers: number;
  segments: number;
  segmentCount: number;
  segmentStride: number;
  ldt: number;
  /** Lowest limit that holds it. */
  limit: number;
}

const layout32: Layout = { size: 4, eip: 0x20, eflags: 0x24, registers: 0x28, segments: 0x48, segmentCount: 6, segmentStride: 4, ldt: 0x60, limit: 0x67 };
const layout16: Layout = { size: 2, eip: 0x0e, eflags: 0x10, registers: 0x12, segments: 0x22, segmentCount: 4, segmentStride: 2, ldt: 0x2a, limit: 0x2b };

const layoutOf = (access: number): Layout => (access & 0x800) !== 0 ? layout32 : layout16;

/** Switches to the (checked, available) task; `nextEip` is where the old one resumes. */
export function switchTask(core: Core, task: Descriptor, kind: TaskSwitch, nextEip: number, ext: number, errorCode: number | null = null): void {
  const { state, mem } = core;
  const layout = layoutOf(task.access);
  if (task.limit < layout.limit) throw selectorFault(Vector.TS, task.selector, ext);
  // All of the new and old TSS must be reachable before anything changes.
  mem.probe(task.base | 0, layout.limit + 1, true, false);
  const old = layoutOf(state.access(SegIndex.TR));
  const oldBase = state.base(SegIndex.TR) | 0;
  mem.probe(oldBase, old.limit + 1, true, false);
  const image = readTask(core, task.base | 0, layout);
  const cr3 = layout.size === 4 ? mem.systemRead((task.base + 0x1c) | 0, 4) : 0;

  const oldSelector = state.selector(SegIndex.TR);
  const oldDescriptor = readDescriptor(core, oldSelector, Vector.TS, ext).address;
  if (kind === 'jump' || kind === 'iret') setBusy(core, oldDescriptor, false);
  saveTask(core, oldBase, old, nextEip, kind === 'iret' ? core.flagsImage() & ~Eflags.NT : core.flagsImage());
  const nested = kind === 'call' || kind === 'interrupt';
  if (nested) mem.systemWrite(task.base | 0, 2, oldSelector);
  if (kind !== 'iret') setBusy(core, task.address, true);

  // Commit point.
  task.access |= 0x200;
  commitSegment(core, SegIndex.TR, task);
  state.cr0 = state.cr0 | Cr0.TS;
  if (layout.size === 4 && (state.cr0 & Cr0.PG) !== 0 && (cr3 >>> 0) !== state.cr3) {
    state.cr3 = cr3;
    core.flushTlb(true);
  }
  loadTask(core, image, layout, nested, ext);
  if (errorCode !== null) {
    const stack = StackCursor.current(core, ext);
    stack.push(layout.size, errorCode);
    core.r32[4] = stack.sp;
  }
}

interface TaskImage {
  eip: number;
  eflags: number;
  registers: number[];
  /** es cs ss ds fs gs */
  segments: number[];
  ldt: number;
}

function readTask(core: Core, base: number, layout: Layout): TaskImage {
  const read = (offset: number, size: number): number => core.mem.systemRead((base + offset) | 0, size);
  const registers: number[] = [];
  for (let n = 0; n < 8; n++) registers.push(read(layout.registers + n * layout.size, layout.size));
  const segments = [0, 0, 0, 0, 0, 0];
  for (let n = 0; n < layout.segmentCount; n++) segments[n] = read(layout.segments + n * layout.segmentStride, 2);
  return { eip: read(layout.eip, layout.size), eflags: read(layout.eflags, layout.size), registers, segments, ldt: read(layout.ldt, 2) };
}

function saveTask(core: Core, base: number, layout: Layout, eip: number, eflags: number): void {
  const write = (offset: number, size: number, value: number): void => core.mem.systemWrite((base + offset) | 0, size, value);
  write(layout.eip, layout.size, eip);
  write(layout.eflags, layout.size, eflags);
  for (let n = 0; n < 8; n++) write(layout.registers + n * layout.size, layout.size, core.r32[n]);
  for (let n = 0; n < layout.segmentCount; n++) write(layout.segments + n * layout.segmentStride, 2, core.state.selector(n));
}

function loadTask(core: Core, image: TaskImage, layout: Layout, nested: boolean, ext: number): void {
  const { state } = core;
  core.setFlagsImage(nested ? image.eflags | Eflags.NT : image.eflags);
  for (let n = 0; n < 8; n++) core.r32[n] = layout.size === 4 ? image.registers[n] : (core.r32[n] & ~0xffff) | image.registers[n];
  core.eip = image.eip;
  // Until they are checked, all segments hold their selectors and nothing else.
  for (let n = 0; n < 6; n++) commitNull(core, n, image.segments[n]);
  commitNull(core, SegIndex.LDTR, image.ldt);
  const v86 = (core.flags & Eflags.VM) !== 0;
  core.setCpl(v86 ? 3 : image.segments[SegIndex.CS] & 3);
  core.v86 = v86;
  loadLdt(core, image.ldt, ext);
  if (v86) for (let n = 0; n < 6; n++) loadRealSegment(core, n, image.segments[n]);
  else loadSegments(core, image.segments, ext);
  core.refresh();
  if ((image.eip >>> 0) > state.limit(SegIndex.CS)) throw selectorFault(Vector.GP, 0, ext);
}

function loadLdt(core: Core, selector: number, ext: number): void {
  if (isNull(selector)) return;
  if ((selector & 4) !== 0) throw selectorFault(Vector.TS, selector, ext);
  const ldt = readDescriptor(core, selector, Vector.TS, ext);
  if (systemType(ldt.access) !== SystemType.LDT || !isPresent(ldt.access)) throw selectorFault(Vector.TS, selector, ext);
  commitSegment(core, SegIndex.LDTR, ldt);
}

function loadSegments(core: Core, selectors: number[], ext: number): void {
  const codeSelector = selectors[SegIndex.CS];
  if (isNull(codeSelector)) throw selectorFault(Vector.TS, codeSelector, ext);
  const code = readDescriptor(core, codeSelector, Vector.TS, ext);
  const level = codeSelector & 3;
  const dpl = dplOf(code.access);
  if (!isCode(code.access) || (isConforming(code.access) ? dpl > level : dpl !== level)) throw selectorFault(Vector.TS, codeSelector, ext);
  if (!isPresent(code.access)) throw selectorFault(Vector.NP, codeSelector, ext);
  markAccessed(core, code);
  commitSegment(core, SegIndex.CS, code);
  commitSegment(core, SegIndex.SS, checkStackSegment(core, selectors[SegIndex.SS], level, Vector.TS, ext));
  for (const seg of [SegIndex.DS, SegIndex.ES, SegIndex.FS, SegIndex.GS]) {
    if (!isNull(selectors[seg])) commitSegment(core, seg, checkDataSegment(core, selectors[seg], level, Vector.TS));
  }
}
