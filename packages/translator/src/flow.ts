import { Callout, stateOffset } from '@godwit/cpu';
import { conditions } from '@godwit/isa';
import { type Context, type Handler, isUser, type Outcome } from './context';
import { HOST } from './emitter';
import { emitAccess, stackAddress } from './host-address';
import { hostAddress } from './memory-operand';
import { emitCallout } from './stubs';

/** Jumps, calls, returns, and the ways between privilege levels. */

const hostOf = (guest: number): number => (guest === 4 ? HOST.ESP : guest);

function linkable(c: Context, target: number): boolean {
  return !isUser(c) || target >>> 12 === c.page;
}

/** jmp rel32 (or the conditional form) to `target`, by way of a stub. */
function jumpTo(c: Context, target: number, condition = -1): void {
  c.e.settleStackPointer();
  if (condition < 0) c.e.u8(0xe9);
  else c.e.u8(0x0f, 0x80 | condition);
  c.stubs.push({ site: c.e.pos, targetEip: target >>> 0, linkable: linkable(c, target >>> 0) });
  c.e.u32(0);
}

export function endWithJump(c: Context, target: number): void {
  if (linkable(c, target >>> 0)) jumpTo(c, target);
  else jumpThroughTable(c, target);
}

export function jumpThroughTable(c: Context, target: number): void {
  c.e.moveImm(HOST.R8, target);
  jumpToLoaded(c);
}

/** To the block for the eip in r8d. */
function jumpToLoaded(c: Context): void {
  c.e.settleStackPointer();
  c.e.jumpTable();
}

const target = (c: Context): number => (c.nextEip + c.ins.immediate) >>> 0;

function pushReturn(c: Context): void {
  emitAccess(c.e, [0xc7], 0, stackAddress(c.e, -4));
  c.e.u32(c.nextEip);
  c.e.moveStackPointer(-4);
}

/** r8d = the E operand of an indirect jump or call. */
function loadTarget(c: Context): void {
  if (c.ins.hasMemory) emitAccess(c.e, [0x8b], HOST.R8, hostAddress(c.e, c.ins));
  else c.e.move(HOST.R8, hostOf(c.ins.rm));
}

const isRelative = (c: Context): boolean => c.ins.row.immediate === 'Jb' || c.ins.row.immediate === 'Jz';

function jmp(c: Context): Outcome {
  if (isRelative(c)) {
    endWithJump(c, target(c));
  } else {
    loadTarget(c);
    jumpToLoaded(c);
  }
  return 'end';
}

function call(c: Context): Outcome {
  if (isRelative(c)) {
    pushReturn(c);
    endWithJump(c, target(c));
  } else {
    loadTarget(c);
    pushReturn(c);
    jumpToLoaded(c);
  }
  return 'end';
}

function ret(c: Context): Outcome {
  emitAccess(c.e, [0x8b], HOST.R8, stackAddress(c.e, 0));
  c.e.moveStackPointer(4 + (c.ins.row.immediate === 'w' ? c.ins.immediate & 0xffff : 0));
  jumpToLoaded(c);
  return 'end';
}

function jcc(condition: number): Handler {
  return (c) => {
    jumpTo(c, target(c), condition);
    return 'next';
  };
}

/** loop, loope, loopne, jecxz: the host's own short form over a jump; none changes flags. */
function countedJump(c: Context): Outcome {
  if (c.ins.addressSize === 2) return 'interpret';
  const { e } = c;
  e.u8(0x67, c.ins.row.opcode, 2, 0xeb, 5);
  jumpTo(c, target(c));
  return 'next';
}

function int(c: Context): Outcome {
  c.e.storeStateImm(stateOffset.exitArg0, c.ins.immediate & 255);
  emitCallout(c.e, Callout.Int, c.eip, c.nextEip);
  return 'end';
}

const supervisorCallout =
  (slot: Callout): Handler =>
  (c) => {
    if (isUser(c)) return 'interpret';
    emitCallout(c.e, slot, c.eip, c.nextEip);
    return 'end';
  };

function sysenter(c: Context): Outcome {
  emitCallout(c.e, Callout.Sysenter, c.eip, c.nextEip);
  return 'end';
}

export const flowHandlers: Record<string, Handler> = {
  jmp,
  call,
  ret,
  int,
  sysenter,
  loop: countedJump,
  loope: countedJump,
  loopne: countedJump,
  jcxz: countedJump,
  iret: supervisorCallout(Callout.Iret),
  sysexit: supervisorCallout(Callout.Sysexit),
};
conditions.forEach(([suffix], n) => {
  flowHandlers[`j${suffix}`] = jcc(n);
});
