import { SegIndex, stateOffset, type VcpuState } from '@godwit/cpu';
import { flag, list, StateFormat, StateFormatError, text, u32 } from '@godwit/machine';

/**
 * One vCPU's registers as a section of a saved machine. What comes in may come
 * from anywhere, so whatever the host CPU or the native layer would choke on is
 * checked or cut here: the rest a guest could have set itself.
 */

/** x87 and SSE (512), header (64), AVX (256): SDM 1, 13.4. */
const XSAVE_BYTES = 832;
const MXCSR_AT = 24, XSTATE_BV_AT = 512, XSAVE_HEADER_BYTES = 64;
const XCR0_KNOWN = 7;
const MXCSR_KNOWN = 0xffff;

/** Registers of one u32 each, by their names in the state block. */
const WORDS = [
  'eip', 'eflags', 'gdtrBase', 'gdtrLimit', 'idtrBase', 'idtrLimit', 'cr0', 'cr2', 'cr3', 'cr4', 'cpl', 'efer',
  'sysenterCs', 'sysenterEsp', 'sysenterEip', 'patLow', 'patHigh', 'miscEnable', 'apicBase', 'xcr0',
] as const;

const FORMAT = new StateFormat('vcpu', 1, {
  registers: list(u32(WORDS.join(' ')), { length: WORDS.length }),
  gpr: list(u32('eax ecx edx ebx esp ebp esi edi'), { length: 8 }),
  segments: list(u32('es cs ss ds fs gs ldtr tr: selector, base, limit, access each'), { length: 32 }),
  debug: list(u32('dr0 to dr7'), { length: 8 }),
  interruptShadow: flag('interrupts are held off for one instruction'),
  halted: flag('after hlt, until an interrupt'),
  xsave: text('x87, SSE and AVX state: standard XSAVE format, base64', 4 * Math.ceil(XSAVE_BYTES / 3)),
});

export const saveVcpu = (s: VcpuState) =>
  FORMAT.save({
    registers: WORDS.map((name) => s.get(name)),
    gpr: [...s.gpr],
    segments: [...s.segments],
    debug: [...s.u32.subarray(stateOffset.dr >> 2, (stateOffset.dr >> 2) + 8)],
    interruptShadow: s.interruptShadow !== 0,
    halted: s.halted !== 0,
    xsave: Buffer.from(s.xsave.subarray(0, XSAVE_BYTES)).toString('base64'),
  });

/**
 * @param hostXcr0 the state components this host has.
 * @throws StateFormatError for a state that no vCPU can be in, or not on this host.
 */
export function restoreVcpu(s: VcpuState, saved: unknown, hostXcr0: number): void {
  const state = FORMAT.parse(saved);
  const value = (name: (typeof WORDS)[number]): number => state.registers[WORDS.indexOf(name)];
  if (value('cpl') > 3) throw new StateFormatError(`vcpu: privilege level ${value('cpl')}`);
  if (value('xcr0') & ~(XCR0_KNOWN & hostXcr0) || !(value('xcr0') & 1)) {
    throw new StateFormatError(`vcpu: state components ${value('xcr0').toString(16)} are not there on this host (${hostXcr0.toString(16)})`);
  }
  const xsave = Buffer.from(state.xsave, 'base64');
  if (xsave.length !== XSAVE_BYTES) throw new StateFormatError(`vcpu: ${xsave.length} bytes of vector state instead of ${XSAVE_BYTES}`);
  WORDS.forEach((name, index) => s.set(name, state.registers[index]));
  s.eflags = (s.eflags & 0x3f7fd7) | 2;
  s.gpr.set(state.gpr);
  s.segments.set(state.segments);
  s.u32.set(state.debug, stateOffset.dr >> 2);
  s.interruptShadow = state.interruptShadow ? 1 : 0;
  s.halted = state.halted ? 1 : 0;
  s.xsave.fill(0);
  s.xsave.set(xsave);
  cleanXsave(s, hostXcr0);
}

/** xrstor faults on a header or an MXCSR with unknown bits; that would be the host's fault, not the guest's. */
function cleanXsave(s: VcpuState, hostXcr0: number): void {
  const view = new DataView(s.xsave.buffer, s.xsave.byteOffset);
  const components = view.getUint32(XSTATE_BV_AT, true) & XCR0_KNOWN & hostXcr0;
  s.xsave.fill(0, XSTATE_BV_AT, XSTATE_BV_AT + XSAVE_HEADER_BYTES);
  view.setUint32(XSTATE_BV_AT, components, true);
  view.setUint32(MXCSR_AT, view.getUint32(MXCSR_AT, true) & MXCSR_KNOWN, true);
}

/**
 * As after a hardware reset (SDM 3A, table 9-1), whatever it was doing: what a boot protocol sets comes on top. Its
 * TSC goes on, as that of a machine that keeps its power does.
 */
export function resetVcpu(s: VcpuState): void {
  for (const name of WORDS) s.set(name, 0);
  s.eflags = 2;
  s.gpr.fill(0);
  s.segments.fill(0);
  // One that slept when the line was pulled would never wake: nothing would interrupt it.
  s.halted = 0;
  s.interruptShadow = 0;
  s.set('xcr0', 1);
  s.u32.fill(0, stateOffset.dr >> 2, (stateOffset.dr >> 2) + 6);
  s.u32[(stateOffset.dr >> 2) + 6] = 0xffff0ff0;
  s.u32[(stateOffset.dr >> 2) + 7] = 0x400;
  s.set('patLow', 0x00070406);
  s.set('patHigh', 0x00070406);
  s.xsave.fill(0, 0, XSAVE_BYTES);
  const view = new DataView(s.xsave.buffer, s.xsave.byteOffset);
  view.setUint16(0, 0x37f, true); // FCW
  view.setUint32(MXCSR_AT, 0x1f80, true);
  s.setSegment(SegIndex.LDTR, 0, 0, 0xffff, 0x8200);
  s.setSegment(SegIndex.TR, 0, 0, 0xffff, 0x8b00);
}
