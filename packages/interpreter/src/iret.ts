/** iret in all its forms (SDM 2A, IRET/IRETD): real, from and to virtual-8086 mode, same level, outer level, nested task. */
import { SegIndex } from '@godwit/cpu';
import type { Core } from './core';
import { generalProtection, Vector } from './fault';
import { checkReturnTarget, returnOuter, returnSameLevel } from './far-transfer';
import { Eflags } from './flags';
import { isPresent, loadRealSegment, readDescriptor, selectorFault, systemType, SystemType } from './segmentation';
import { switchTask } from './task-switch';

const ALWAYS = Eflags.ARITHMETIC | Eflags.TF | Eflags.DF | Eflags.NT;
const WIDE = Eflags.RF | Eflags.AC | Eflags.ID;

/** EFLAGS bits that an iret at this privilege may change. */
function changeable(core: Core, size: number): number {
  let mask = ALWAYS | (size === 4 ? WIDE : 0);
  if (core.cpl <= core.iopl) mask |= Eflags.IF;
  if (core.cpl === 0) mask |= Eflags.IOPL | (size === 4 ? Eflags.VIF | Eflags.VIP : 0);
  return mask;
}

function setFlags(core: Core, image: number, mask: number): void {
  core.setFlagsImage((core.flagsImage() & ~mask) | (image & mask));
}

export function iret(core: Core, size: 2 | 4, nextEip: number): void {
  if (!core.protectedMode) realReturn(core, size, Eflags.IF | Eflags.IOPL | ALWAYS | (size === 4 ? WIDE : 0));
  else if (core.v86) {
    if (core.iopl < 3) throw generalProtection();
    realReturn(core, size, Eflags.IF | ALWAYS | (size === 4 ? WIDE : 0));
  } else if ((core.flags & Eflags.NT) !== 0) taskReturn(core, nextEip);
  else protectedReturn(core, size);
  core.refresh();
}

function realReturn(core: Core, size: 2 | 4, mask: number): void {
  const eip = core.peek(size, 0);
  const selector = core.peek(size, size) & 0xffff;
  const flags = core.peek(size, 2 * size);
  if ((eip >>> 0) > core.state.limit(SegIndex.CS)) throw generalProtection();
  core.sp = core.r32[4] + 3 * size;
  loadRealSegment(core, SegIndex.CS, selector);
  core.eip = eip;
  setFlags(core, flags, mask);
}

function taskReturn(core: Core, nextEip: number): void {
  const link = core.mem.systemRead(core.state.base(SegIndex.TR) | 0, 2);
  if ((link & 4) !== 0) throw selectorFault(Vector.TS, link);
  const task = readDescriptor(core, link, Vector.TS);
  const type = systemType(task.access);
  if (type !== SystemType.TSS16_BUSY && type !== SystemType.TSS32_BUSY) throw selectorFault(Vector.TS, link);
  if (!isPresent(task.access)) throw selectorFault(Vector.NP, link);
  switchTask(core, task, 'iret', nextEip, 0);
}

function protectedReturn(core: Core, size: 2 | 4): void {
  const eip = core.peek(size, 0);
  const selector = core.peek(size, size) & 0xffff;
  const flags = core.peek(size, 2 * size);
  if (size === 4 && (flags & Eflags.VM) !== 0 && core.cpl === 0) {
    returnToV86(core, eip, selector, flags);
    return;
  }
  const target = checkReturnTarget(core, selector);
  const mask = changeable(core, size);
  if ((selector & 3) === core.cpl) returnSameLevel(core, target, eip, 3 * size);
  else {
    const sp = core.peek(size, 3 * size);
    const stack = core.peek(size, 4 * size) & 0xffff;
    returnOuter(core, target, eip, sp, stack, 0);
  }
  setFlags(core, flags, mask);
}

function returnToV86(core: Core, eip: number, selector: number, flags: number): void {
  const words: number[] = [];
  for (let n = 3; n < 9; n++) words.push(core.peek(4, n * 4));
  const [esp, ss, es, ds, fs, gs] = words;
  if ((eip >>> 0) > 0xffff) throw generalProtection();
  setFlags(core, flags, Eflags.ALL);
  core.v86 = true;
  core.setCpl(3);
  const selectors = [es, selector, ss, ds, fs, gs];
  for (let seg = 0; seg < 6; seg++) loadRealSegment(core, seg, selectors[seg] & 0xffff);
  core.r32[4] = esp;
  core.eip = eip;
}
