import { Callout, stateOffset } from '@godwit/cpu';
import { Seg } from '@godwit/isa';
import { type Handler, isUser } from './context';
import { HOST } from './emitter';
import { addressRex, emitModrm, hostAddress } from './memory-operand';
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

export const systemHandlers: Record<string, Handler> = { movfromcr, movtocr, invlpg, rdtsc };
