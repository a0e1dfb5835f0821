/**
 * Far jumps, calls and returns (SDM 2A CALL, JMP, RET; 3A 5.8): direct, through
 * call gates with a stack switch, and into tasks.
 */
import { SegIndex } from '@godwit/cpu';
import type { Core } from './core';
import { faultCode, generalProtection, Vector } from './fault';
import { checkStackSegment, commitSegment, type Descriptor, dplOf, dropInnerSegments, innerStack, isCode, isConforming, isNull, isPresent, loadRealSegment, markAccessed, readDescriptor, selectorFault, StackCursor, SystemType, systemType } from './segmentation';
import { switchTask } from './task-switch';

export type Transfer = 'jump' | 'call';

export function farTransfer(core: Core, kind: Transfer, selector: number, offset: number, size: 2 | 4, nextEip: number): void {
  selector &= 0xffff;
  if (size === 2) offset &= 0xffff;
  if (!core.protectedMode || core.v86) realTransfer(core, kind, selector, offset, size, nextEip);
  else protectedTransfer(core, kind, selector, offset, size, nextEip);
  core.refresh();
}

function realTransfer(core: Core, kind: Transfer, selector: number, offset: number, size: 2 | 4, nextEip: number): void {
  if ((offset >>> 0) > core.state.limit(SegIndex.CS)) throw generalProtection();
  if (kind === 'call') {
    const stack = StackCursor.current(core, 0);
    stack.push(size, core.state.selector(SegIndex.CS));
    stack.push(size, nextEip);
    core.r32[4] = stack.sp;
  }
  loadRealSegment(core, SegIndex.CS, selector);
  core.eip = offset;
}

function protectedTransfer(core: Core, kind: Transfer, selector: number, offset: number, size: 2 | 4, nextEip: number): void {
  if (isNull(selector)) throw generalProtection();
  const target = readDescriptor(core, selector, Vector.GP);
  const { access } = target;
  if (isCode(access)) {
    const dpl = dplOf(access);
    if (isConforming(access) ? dpl > core.cpl : (selector & 3) > core.cpl || dpl !== core.cpl) throw selectorFault(Vector.GP, selector);
    if (!isPresent(access)) throw selectorFault(Vector.NP, selector);
    transferSameLevel(core, kind, target, offset, size, nextEip);
    return;
  }
  const type = systemType(access);
  const reachable = dplOf(access) >= core.cpl && (selector & 3) <= dplOf(access);
  switch (type) {
    case SystemType.CALL_GATE16: case SystemType.CALL_GATE32:
      if (!reachable) throw selectorFault(Vector.GP, selector);
      if (!isPresent(access)) throw selectorFault(Vector.NP, selector);
      throughGate(core, kind, target, type === SystemType.CALL_GATE32 ? 4 : 2, nextEip);
      return;
    case SystemType.TASK_GATE: {
      if (!reachable) throw selectorFault(Vector.GP, selector);
      if (!isPresent(access)) throw selectorFault(Vector.NP, selector);
      switchTask(core, taskOfGate(core, target, 0), kind, nextEip, 0);
      return;
    }
    case SystemType.TSS16: case SystemType.TSS32:
      if (!reachable) throw selectorFault(Vector.GP, selector);
      if (!isPresent(access)) throw selectorFault(Vector.NP, selector);
      switchTask(core, target, kind, nextEip, 0);
      return;
    default: throw selectorFault(Vector.GP, selector);
  }
}

/** The available TSS that a task gate names. */
export function taskOfGate(core: Core, gate: Descriptor, ext: number): Descriptor {
  const selector = gate.low >>> 16;
  if ((selector & 4) !== 0 || isNull(selector)) throw selectorFault(Vector.GP, selector, ext);
  const task = readDescriptor(core, selector, Vector.GP, ext);
  const type = systemType(task.access);
  if (type !== SystemType.TSS16 && type !== SystemType.TSS32) throw selectorFault(Vector.GP, selector, ext);
  if (!isPresent(task.access)) throw selectorFault(Vector.NP, selector, ext);
  return task;
}

function checkLimit(target: Descriptor, offset: number): void {
  if ((offset >>> 0) > target.limit) throw generalProtection();
}

function commitCode(core: Core, target: Descriptor, cpl: number, eip: number): void {
  target.selector = (target.selector & 0xfffc) | cpl;
  commitSegment(core, SegIndex.CS, target);
  core.setCpl(cpl);
  core.eip = eip;
}

function transferSameLevel(core: Core, kind: Transfer, target: Descriptor, offset: number, size: number, nextEip: number): void {
  checkLimit(target, offset);
  markAccessed(core, target);
  if (kind === 'call') {
    const stack = StackCursor.current(core, 0);
    stack.push(size, core.state.selector(SegIndex.CS));
    stack.push(size, nextEip);
    core.r32[4] = stack.sp;
  }
  commitCode(core, target, core.cpl, offset);
}

function throughGate(core: Core, kind: Transfer, gate: Descriptor, size: 2 | 4, nextEip: number): void {
  const selector = gate.low >>> 16;
  const offset = size === 4 ? (gate.low & 0xffff) | (gate.high & 0xffff0000) : gate.low & 0xffff;
  if (isNull(selector)) throw generalProtection();
  const target = readDescriptor(core, selector, Vector.GP);
  const dpl = dplOf(target.access);
  if (!isCode(target.access) || dpl > core.cpl) throw selectorFault(Vector.GP, selector);
  const inner = !isConforming(target.access) && dpl < core.cpl;
  if (inner && kind === 'jump') throw selectorFault(Vector.GP, selector);
  if (!isPresent(target.access)) throw selectorFault(Vector.NP, selector);
  if (!inner) {
    transferSameLevel(core, kind, target, offset, size, nextEip);
    return;
  }
  callInner(core, gate, target, dpl, offset, size, nextEip);
}

function callInner(core: Core, gate: Descriptor, target: Descriptor, level: number, offset: number, size: 2 | 4, nextEip: number): void {
  const { state } = core;
  const { stack, sp } = innerStack(core, level, 0);
  checkLimit(target, offset);
  const parameters: number[] = [];
  for (let n = (gate.high & 31) - 1; n >= 0; n--) parameters.push(core.peek(size, n * size));
  const cursor = new StackCursor(core, stack, sp, level, stack.selector & 0xfffc);
  cursor.push(size, state.selector(SegIndex.SS));
  cursor.push(size, core.r32[4]);
  for (const parameter of parameters) cursor.push(size, parameter);
  cursor.push(size, state.selector(SegIndex.CS));
  cursor.push(size, nextEip);
  markAccessed(core, target);
  commitSegment(core, SegIndex.SS, stack);
  core.r32[4] = cursor.sp;
  commitCode(core, target, level, offset);
}

/** retf; `extra` bytes of parameters are dropped from both stacks. */
export function farReturn(core: Core, size: 2 | 4, extra: number): void {
  const eip = core.peek(size, 0);
  const selector = core.peek(size, size) & 0xffff;
  if (!core.protectedMode || core.v86) {
    if ((eip >>> 0) > core.state.limit(SegIndex.CS)) throw generalProtection();
    core.sp = core.r32[4] + 2 * size + extra;
    loadRealSegment(core, SegIndex.CS, selector);
    core.eip = eip;
  } else {
    const target = checkReturnTarget(core, selector);
    const level = selector & 3;
    if (level === core.cpl) {
      checkLimit(target, eip);
      markAccessed(core, target);
      core.sp = core.r32[4] + 2 * size + extra;
      commitCode(core, target, level, eip);
    } else {
      const sp = core.peek(size, 2 * size + extra);
      const stack = core.peek(size, 3 * size + extra) & 0xffff;
      returnOuter(core, target, eip, sp, stack, extra);
    }
  }
  core.refresh();
}

/** CS of a far return or iret (SDM 2B, RET: "return-code-segment-selector"). */
export function checkReturnTarget(core: Core, selector: number): Descriptor {
  if (isNull(selector)) throw generalProtection();
  const target = readDescriptor(core, selector, Vector.GP);
  const level = selector & 3;
  const dpl = dplOf(target.access);
  if (!isCode(target.access) || level < core.cpl || (isConforming(target.access) ? dpl > level : dpl !== level)) throw selectorFault(Vector.GP, selector);
  if (!isPresent(target.access)) throw selectorFault(Vector.NP, selector);
  return target;
}

export function returnOuter(core: Core, target: Descriptor, eip: number, sp: number, stackSelector: number, extra: number): void {
  const level = target.selector & 3;
  if (isNull(stackSelector)) throw faultCode(Vector.GP, 0);
  const stack = checkStackSegment(core, stackSelector, level, Vector.GP, 0);
  checkLimit(target, eip);
  markAccessed(core, target);
  commitSegment(core, SegIndex.SS, stack);
  commitCode(core, target, level, eip);
  dropInnerSegments(core, level);
  core.refresh();
  core.sp = sp + extra;
}

export function returnSameLevel(core: Core, target: Descriptor, eip: number, popped: number): void {
  checkLimit(target, eip);
  markAccessed(core, target);
  core.sp = core.r32[4] + popped;
  commitCode(core, target, core.cpl, eip);
}
