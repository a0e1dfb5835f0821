import { Callout, stateOffset } from '@godwit/cpu';
import { Seg } from '@godwit/isa';
import { type Context, type Handler, isUser, Mode } from './context';
import { HOST } from './emitter';
import { addressRex, emitAccess, emitModrm } from './host-address';
import { hostAddress } from './memory-operand';
import { emitCallout } from './stubs';

/** The system instructions frequent enough in a kernel to be worth a callout or a few host instructions. */

const hostOf = (guest: number): number => (guest === 4 ? HOST.ESP : guest);
const controlRegisters: Record<number, string> = { 0: 'cr0', 2: 'cr2', 3: 'cr3', 4: 'cr4' };

const movfromcr: Handler = (c) => {
  const name = controlRegisters[c.ins.reg];
  if (isUser(c) || name === undefined) return 'interpret';
  c.e.loadState(hostOf(c.ins.rm), stateOffset[name]);
  return 'next';
};

const movtocr: Handler = (c) => {
  if (isUser(c) || c.ins.reg !== 3) return 'interpret';
  c.e.storeState(stateOffset.exitArg0, hostOf(c.ins.rm));
  emitCallout(c.e, Callout.WriteCr3, c.eip, c.nextEip);
  return 'end';
};

const invlpg: Handler = (c) => {
  const { e, ins } = c;
  if (isUser(c) || ins.memorySegment === Seg.FS || ins.memorySegment === Seg.GS) return 'interpret';
  const address = hostAddress(e, ins, 0, true);
  e.u8(0x67, 0x44 | addressRex(address), 0x8d); // lea r8d, [...]
  emitModrm(e, HOST.R8, address);
  e.storeState(stateOffset.exitArg0, HOST.R8);
  emitCallout(e, Callout.Invlpg, c.eip, c.nextEip);
  return 'end';
};

const rdtsc: Handler = (c) => {
  emitCallout(c.e, Callout.Rdtsc, c.eip, c.nextEip);
  return 'end';
};

/** fxsave and fxrstor: the image is the guest's own, but that xmm8–15 appear in its reserved part. */
const fx: Handler = (c) => {
  emitAccess(c.e, [0x0f, 0xae], c.ins.row.digit, hostAddress(c.e, c.ins));
  return 'next';
};

/**
 * xsave, xsaveopt, xrstor: with edx:eax cut down to the components that the
 * guest's XCR0 has, or the host's wider state would be written past the end of
 * the guest's area. eax & xcr0 without flags: pext, then pdep. The fault
 * handler puts eax and edx back from r10 and r11 (native/fault.cc).
 */
const xsaveFamily: Handler = (c: Context) => {
  const { e, ins } = c;
  if (c.mode & Mode.NoAvx || !c.hostBmi2) return 'interpret';
  if (ins.memorySegment === Seg.FS || ins.memorySegment === Seg.GS) return 'interpret';
  const address = hostAddress(e, ins);
  // The address may be in eax or edx: settle it first.
  if (address.absolute)
    e.u8(0x4f, 0x8d, 0x04, 0x08); // lea r8, [r8 + r9]
  else {
    e.u8(0x67, 0x44 | addressRex(address), 0x8d); // lea r8d, [...]
    emitModrm(e, HOST.R8, address);
  }
  e.move(HOST.R10, 0);
  e.move(11, 2);
  e.u8(0xc4, 0x42, 0x7a, 0xf5, 0x8f); // pext r9d, eax, [r15 + xcr0]
  e.u32(stateOffset.xcr0);
  e.u8(0xc4, 0xc2, 0x33, 0xf5, 0x87); // pdep eax, r9d, [r15 + xcr0]
  e.u32(stateOffset.xcr0);
  e.moveImm(2, 0);
  emitAccess(e, [0x0f, 0xae], ins.row.digit, {
    base: HOST.R8,
    index: -1,
    scale: 1,
    displacement: 0,
    window: true,
    absolute: address.absolute,
  });
  e.move(0, HOST.R10);
  e.move(2, 11);
  return 'next';
};

const verify =
  (write: number): Handler =>
  (c) => {
    const { e, ins } = c;
    if (ins.hasMemory) emitAccess(e, [0x0f, 0xb7], HOST.R8, hostAddress(e, ins));
    else {
      const rm = hostOf(ins.rm);
      e.u8(0x44 | (rm >> 3), 0x0f, 0xb7, 0xc0 | (rm & 7)); // movzx r8d, reg16
    }
    if (write) e.add(HOST.R8, HOST.R8, 1 << 16);
    e.storeState(stateOffset.exitArg0, HOST.R8);
    emitCallout(e, Callout.Verify, c.eip, c.nextEip);
    return 'end';
  };

export const systemHandlers: Record<string, Handler> = {
  movfromcr,
  movtocr,
  invlpg,
  rdtsc,
  verr: verify(0),
  verw: verify(1),
  fxsave: fx,
  fxrstor: fx,
  xsave: xsaveFamily,
  xsaveopt: xsaveFamily,
  xrstor: xsaveFamily,
};
