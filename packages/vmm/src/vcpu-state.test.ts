/** Proves: a reset leaves nothing of what the vCPU was doing, least of all that it slept. */
import { STATE_SIZE, VcpuState } from '@godwit/cpu';
import { resetVcpu, saveVcpu } from './vcpu-state';

test('after a reset the vCPU is as when it was new', () => {
  const fresh = new VcpuState(new ArrayBuffer(STATE_SIZE));
  resetVcpu(fresh);
  const used = new VcpuState(new ArrayBuffer(STATE_SIZE));
  used.gpr.fill(0xdeadbeef);
  used.segments.fill(0xffffffff);
  used.xsave.fill(0xa5);
  for (const name of ['eip', 'cr0', 'cr3', 'cr4', 'cpl', 'efer', 'sysenterEip', 'idtrBase', 'xcr0'] as const) used.set(name, 7);
  used.eflags = 0x246;
  used.halted = 1;
  used.interruptShadow = 1;
  resetVcpu(used);
  expect(saveVcpu(used)).toEqual(saveVcpu(fresh));
  expect(saveVcpu(used)).toMatchObject({ halted: false, interruptShadow: false });
});
