import { SegIndex } from '@godwit/cpu';
import type { Core } from './core';
import { generalProtection } from './fault';

/** IOPL, then the TSS bitmap (SDM 1, 19.5.2): every port of the access must have a clear bit. */
export function checkPort(core: Core, port: number, size: number): void {
  if (!core.protectedMode || (!core.v86 && core.cpl <= core.iopl)) return;
  const { state, mem } = core;
  const limit = state.limit(SegIndex.TR);
  if ((state.access(SegIndex.TR) & 0x900) !== 0x900 || limit < 0x67) throw generalProtection();
  const base = state.base(SegIndex.TR);
  const offset = mem.systemRead((base + 0x66) | 0, 2) + (port >> 3);
  // Two bytes are always read: the bitmap ends with a byte of ones.
  if (offset + 1 > limit) throw generalProtection();
  const bits = mem.systemRead((base + offset) | 0, 2) >> (port & 7);
  if ((bits & ((1 << size) - 1)) !== 0) throw generalProtection();
}
