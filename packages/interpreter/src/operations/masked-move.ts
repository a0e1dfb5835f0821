/**
 * vmaskmovps and its kin (SDM 2C): only the elements whose mask has its top bit
 * set are touched, and only they can fault. The host moves between the
 * registers and the staged copy; here the elements are moved one by one.
 */
import { SCRATCH_OFFSET } from '@godwit/cpu';
import { encodeForScratch, memoryOperand, memoryOperandSize } from '@godwit/isa';
import type { Builder, Builders } from './builder';
import { materialise } from './extended-state';
import { checkUnit, runOnHost } from './host';

const XMM = 160;
const YMM_HIGH = 576;

function maskedMove(elementBytes: 4 | 8): Builder {
  return ins => {
    const size = memoryOperandSize(ins);
    const store = memoryOperand(ins)!.write;
    const last = elementBytes - 1;
    let code: Uint8Array | null = null;
    return (c, op) => {
      checkUnit(c, 'avx');
      const area = materialise(c);
      const offset = c.offset(op);
      const chosen: [at: number, linear: number][] = [];
      for (let n = 0; n < size; n += elementBytes) {
        const sign = n < 16 ? XMM + n + last : YMM_HIGH + n - 16 + last;
        if ((area[ins.vvvv * 16 + sign] & 0x80) === 0) continue;
        const linear = c.linear(op.segment, (offset + n) & op.addressMask, elementBytes, store);
        c.mem.probe(linear, elementBytes, store, c.mem.user);
        chosen.push([n, linear]);
      }
      if (!store) {
        c.scratch.fill(0, 0, size);
        for (const [at, linear] of chosen) {
          for (let n = 0; n < elementBytes; n += 4) c.scratchView.setInt32(at + n, c.mem.read32((linear + n) | 0), true);
        }
      }
      code ??= encodeForScratch(ins, op.bytes, 0, SCRATCH_OFFSET)!;
      runOnHost(c, code, false);
      if (!store) return;
      for (const [at, linear] of chosen) {
        for (let n = 0; n < elementBytes; n += 4) c.mem.write32((linear + n) | 0, c.scratchView.getInt32(at + n, true));
      }
    };
  };
}

export const maskedMoves: Builders = {
  vmaskmovps: maskedMove(4), vmaskmovpd: maskedMove(8), vpmaskmovd: maskedMove(4), vpmaskmovq: maskedMove(8),
};
