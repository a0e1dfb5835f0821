/**
 * AVX2 gathers (SDM 2C, VPGATHERDD …): one address per element. A fault leaves
 * the elements done so far in the target and their mask cleared, so that the
 * instruction can simply be begun again.
 */
import type { Core } from '../core';
import type { Builder, Builders } from './builder';
import { materialise } from './extended-state';
import { checkUnit } from './host';

/** Where byte `n` of a vector register lies in the XSAVE area. */
function place(register: number, n: number): number {
  return n < 16 ? 160 + register * 16 + n : 576 + register * 16 + (n - 16);
}

/** `indexBytes` and `dataBytes` per element. */
function gather(indexBytes: 4 | 8, dataBytes: 4 | 8): Builder {
  return ins => {
    const width = ins.vexL === 1 ? 32 : 16;
    const elements = width / Math.max(indexBytes, dataBytes);
    const { reg: target, vvvv: mask, index } = ins;
    return (c, op) => {
      checkUnit(c, 'avx');
      const area = materialise(c);
      const view = new DataView(area.buffer, area.byteOffset, area.byteLength);
      for (let n = 0; n < elements; n++) {
        const maskAt = place(mask, n * dataBytes);
        if ((area[maskAt + dataBytes - 1] & 0x80) !== 0) {
          const distance = view.getInt32(place(index, n * indexBytes), true) << op.shift;
          const base = ins.base < 0 ? 0 : c.r32[ins.base];
          const offset = (base + distance + op.displacement) | 0;
          const linear = c.linear(op.segment, offset, dataBytes, false);
          c.mem.probe(linear, dataBytes, false, c.mem.user);
          const to = place(target, n * dataBytes);
          for (let at = 0; at < dataBytes; at += 4) view.setInt32(to + at, c.mem.read32((linear + at) | 0), true);
        }
        area.fill(0, maskAt, maskAt + dataBytes);
      }
      clearAbove(c, target, elements * dataBytes);
      clearAbove(c, mask, 0);
    };
  };
}

function clearAbove(c: Core, register: number, from: number): void {
  for (let n = from; n < 32; n++) c.state.xsave[place(register, n)] = 0;
}

export const gathers: Builders = {
  vpgatherdd: gather(4, 4), vgatherdps: gather(4, 4),
  vpgatherdq: gather(4, 8), vgatherdpd: gather(4, 8),
  vpgatherqd: gather(8, 4), vgatherqps: gather(8, 4),
  vpgatherqq: gather(8, 8), vgatherqpd: gather(8, 8),
};
