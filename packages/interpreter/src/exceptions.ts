/**
 * Delivery of interrupts and exceptions (SDM 3A, chapter 6; 2A, INT n).
 *
 *   deliverFault ── raise ──► vector handler
 *        │ another fault while delivering
 *        ├─ benign first, or benign second .......... deliver the second
 *        ├─ contributory or #PF on top of such ...... #DF(0)
 *        └─ on top of #DF ........................... triple fault
 *
 * A delivery changes registers only once all its memory writes are done; what
 * it may leave behind is a few words below the stack pointer.
 */
import { SegIndex, stateOffset } from '@godwit/cpu';
import type { Core } from './core';
import { faultCode, generalProtection, type PendingFault, pendingFault, Vector } from './fault';
import { taskOfGate } from './far-transfer';
import { Eflags } from './flags';
import { commitNull, commitSegment, type Descriptor, dplOf, innerStack, isCode, isConforming, isNull, isPresent, loadRealSegment, markAccessed, parseDescriptor, readDescriptor, selectorFault, StackCursor, systemType, SystemType } from './segmentation';
import { switchTask } from './task-switch';

/** What caused a delivery: decides privilege checks, the EXT bit and the saved RF. */
export type Source = 'fault' | 'trap' | 'external' | 'software';

const enum Class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT }

function classOf(vector: number): Class {
  if (vector === Vector.PF) return Class.PAGE_FAULT;
  if (vector === Vector.DF) return Class.DOUBLE_FAULT;
  return vector === Vector.DE || (vector >= Vector.TS && vector <= Vector.GP) ? Class.CONTRIBUTORY : Class.BENIGN;
}

/** Delivers the pending fault and whatever that raises; false for a triple fault. `core.eip` is the faulting instruction's. */
export function deliverFault(core: Core, first: PendingFault = pendingFault): boolean {
  let { vector, errorCode, hasErrorCode } = first;
  let firstClass = Class.BENIGN;
  if (vector === Vector.PF) core.state.cr2 = first.address;
  for (;;) {
    firstClass = classOf(vector);
    try {
      raise(core, vector, 'fault', hasErrorCode ? errorCode : null);
      return true;
    } catch (e) {
      if (e !== pendingFault) throw e;
    }
    const secondClass = classOf(pendingFault.vector);
    if (firstClass === Class.DOUBLE_FAULT && secondClass !== Class.BENIGN) return false;
    if (pendingFault.vector === Vector.PF) core.state.cr2 = pendingFault.address;
    const doubled = (firstClass === Class.CONTRIBUTORY && secondClass === Class.CONTRIBUTORY)
      || (firstClass === Class.PAGE_FAULT && secondClass !== Class.BENIGN);
    if (doubled) {
      vector = Vector.DF;
      errorCode = 0;
      hasErrorCode = true;
    } else ({ vector, errorCode, hasErrorCode } = pendingFault);
  }
}

/** One delivery; throws what it raises. */
export function raise(core: Core, vector: number, source: Source, errorCode: number | null, returnEip = core.eip): void {
  if (core.protectedMode) protectedDelivery(core, vector, source, errorCode, returnEip);
  else realDelivery(core, vector, returnEip);
  core.halted = false;
  core.refresh();
}

function realDelivery(core: Core, vector: number, returnEip: number): void {
  const { state, mem } = core;
  if (vector * 4 + 3 > state.get('idtrLimit')) throw generalProtection(vector * 8 + 2);
  const entry = (state.get('idtrBase') + vector * 4) | 0;
  const offset = mem.systemRead(entry, 2);
  const selector = mem.systemRead((entry + 2) | 0, 2);
  const stack = StackCursor.current(core, 0);
  stack.push(2, core.flagsImage());
  stack.push(2, state.selector(SegIndex.CS));
  stack.push(2, returnEip);
  core.r32[4] = stack.sp;
  core.flags &= ~(Eflags.IF | Eflags.TF | Eflags.AC | Eflags.RF);
  loadRealSegment(core, SegIndex.CS, selector);
  core.eip = offset;
}

function protectedDelivery(core: Core, vector: number, source: Source, errorCode: number | null, returnEip: number): void {
  const { state, mem } = core;
  const ext = source === 'software' ? 0 : 1;
  const gateError = (vector * 8 + 2) | ext;
  if (vector * 8 + 7 > state.get('idtrLimit')) throw generalProtection(gateError);
  const entry = (state.get('idtrBase') + vector * 8) | 0;
  const gate = parseDescriptor(gateError, entry, mem.systemRead(entry, 4), mem.systemRead((entry + 4) | 0, 4));
  const type = systemType(gate.access);
  const known = type === SystemType.TASK_GATE || type === SystemType.INTERRUPT_GATE16 || type === SystemType.TRAP_GATE16
    || type === SystemType.INTERRUPT_GATE32 || type === SystemType.TRAP_GATE32;
  if (!known || (source === 'software' && dplOf(gate.access) < core.cpl)) throw generalProtection(gateError);
  if (!isPresent(gate.access)) throw faultCode(Vector.NP, gateError);
  if (source === 'fault') core.flags |= Eflags.RF;
  try {
    if (type === SystemType.TASK_GATE) switchTask(core, taskOfGate(core, gate, ext), 'interrupt', returnEip, ext, errorCode);
    else throughInterruptGate(core, gate, type, ext, errorCode, returnEip);
  } catch (e) {
    if (source === 'fault') core.flags &= ~Eflags.RF;
    throw e;
  }
}

function throughInterruptGate(core: Core, gate: Descriptor, type: SystemType, ext: number, errorCode: number | null, returnEip: number): void {
  const { state } = core;
  const size = (type & 8) !== 0 ? 4 : 2;
  const selector = gate.low >>> 16;
  const offset = size === 4 ? (gate.low & 0xffff) | (gate.high & 0xffff0000) : gate.low & 0xffff;
  if (isNull(selector)) throw generalProtection(ext);
  const target = readDescriptor(core, selector, Vector.GP, ext);
  const dpl = dplOf(target.access);
  if (!isCode(target.access) || dpl > core.cpl) throw selectorFault(Vector.GP, selector, ext);
  if (!isPresent(target.access)) throw selectorFault(Vector.NP, selector, ext);
  const inner = !isConforming(target.access) && dpl < core.cpl;
  if (core.v86 && (!inner || dpl !== 0)) throw selectorFault(Vector.GP, selector, ext);

  let cursor: StackCursor;
  let stack: Descriptor | null = null;
  if (inner) {
    const found = innerStack(core, dpl, ext);
    stack = found.stack;
    cursor = new StackCursor(core, stack, found.sp, dpl, (stack.selector & 0xfffc) | ext);
    if (core.v86) for (const seg of [SegIndex.GS, SegIndex.FS, SegIndex.DS, SegIndex.ES]) cursor.push(size, state.selector(seg));
    cursor.push(size, state.selector(SegIndex.SS));
    cursor.push(size, core.r32[4]);
  } else cursor = StackCursor.current(core, ext);
  if ((offset >>> 0) > target.limit) throw generalProtection(ext);
  cursor.push(size, core.flagsImage());
  cursor.push(size, state.selector(SegIndex.CS));
  cursor.push(size, returnEip);
  if (errorCode !== null) cursor.push(size, errorCode);
  markAccessed(core, target);

  if (stack !== null) {
    if (core.v86) for (const seg of [SegIndex.GS, SegIndex.FS, SegIndex.DS, SegIndex.ES]) commitNull(core, seg, 0);
    commitSegment(core, SegIndex.SS, stack);
    core.setCpl(dpl);
  }
  core.r32[4] = cursor.sp;
  target.selector = (target.selector & 0xfffc) | core.cpl;
  commitSegment(core, SegIndex.CS, target);
  core.eip = offset;
  const interruptGate = type === SystemType.INTERRUPT_GATE16 || type === SystemType.INTERRUPT_GATE32;
  core.flags &= ~(Eflags.TF | Eflags.NT | Eflags.RF | Eflags.VM | (interruptGate ? Eflags.IF : 0));
}

/** int n, int3, into: a fault of the delivery is the instruction's own. */
export function softwareInterrupt(core: Core, vector: number, nextEip: number, checksIopl: boolean): void {
  if (checksIopl && core.v86 && core.iopl < 3) throw generalProtection();
  raise(core, vector, 'software', null, nextEip);
}

/** #DB after an instruction that ran with TF set (SDM 3B, 17.3.1.4): DR6.BS. */
export function singleStepTrap(core: Core): boolean {
  const dr6 = (stateOffset.dr >> 2) + 6;
  core.r32[dr6] = (core.r32[dr6] & ~15) | 0x4000;
  try {
    raise(core, Vector.DB, 'trap', null);
    return true;
  } catch (e) {
    if (e !== pendingFault) throw e;
    return deliverFault(core);
  }
}

