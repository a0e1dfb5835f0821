/** Loads and stores of segment registers, flags register, port instructions. */
import { SegIndex } from '@godwit/cpu';
import type { Core } from '../core';
import { fault, generalProtection, Vector } from '../fault';
import { Eflags } from '../flags';
import { checkPort } from '../io-permission';
import { getter, registerSetter, setter } from '../operands';
import { loadSegment } from '../segmentation';
import type { Builder, Builders } from './builder';

const movtoseg: Builder = ins => {
  const seg = ins.reg;
  const get = getter(ins, ins.row.operands[1]);
  if (seg === SegIndex.CS || seg > SegIndex.GS) return () => { throw fault(Vector.UD); };
  return (c, op) => {
    loadSegment(c, seg, get(c, op));
    if (seg === SegIndex.SS) c.shadow = true;
  };
};

/** To memory always a word; to a register zero-extended. */
const movfromseg: Builder = ins => {
  const seg = ins.reg;
  if (seg > SegIndex.GS) return () => { throw fault(Vector.UD); };
  if (ins.hasMemory) return (c, op) => c.mem.write16(c.linearWrite(op, 2), c.state.selector(seg));
  const set = registerSetter(ins.operandSize, ins.rm);
  return (c, op) => set(c, op, c.state.selector(seg));
};

const pushseg: Builder = ins => {
  const seg = ins.row.operands[0].reg;
  if (ins.operandSize === 2) return c => c.push16(c.state.selector(seg));
  // Zero-extended, as AMD's processors do it and as translated code does; some of Intel's leave the slot's upper half (SDM 2B, PUSH).
  return c => c.push32(c.state.selector(seg));
};

const popseg: Builder = ins => {
  const seg = ins.row.operands[0].reg;
  const size = ins.operandSize;
  return c => {
    const selector = c.peek(size, 0);
    const before = c.r32[4];
    const mask = c.stackMask;
    loadSegment(c, seg, selector);
    // ESP moves on the stack it was popped from.
    c.r32[4] = (before & ~mask) | ((before + size) & mask);
    if (seg === SegIndex.SS) c.shadow = true;
  };
};

function loadFar(seg: SegIndex): Builder {
  return ins => {
    const size = ins.operandSize;
    const set = registerSetter(size, ins.reg);
    return (c, op) => {
      const at = c.linearRead(op, size + 2);
      const offset = c.mem.read(at, size);
      loadSegment(c, seg, c.mem.read16((at + size) | 0));
      set(c, op, offset);
    };
  };
}

// --- EFLAGS ------------------------------------------------------------------------------------

function requireV86Iopl(c: Core): void {
  if (c.v86 && c.iopl < 3) throw generalProtection();
}

const pushf: Builder = ins => c => {
  requireV86Iopl(c);
  c.push(ins.operandSize, c.flagsImage() & ~(Eflags.VM | Eflags.RF));
};

const popf: Builder = ins => c => {
  requireV86Iopl(c);
  const size = ins.operandSize;
  const image = c.peek(size, 0);
  let mask = Eflags.ARITHMETIC | Eflags.TF | Eflags.DF | Eflags.NT | (size === 4 ? Eflags.AC | Eflags.ID : 0);
  if (!c.protectedMode || c.cpl <= c.iopl) mask |= Eflags.IF;
  if (!c.protectedMode || c.cpl === 0) mask |= Eflags.IOPL;
  c.sp = c.r32[4] + size;
  c.setFlagsImage((c.flagsImage() & ~(mask | Eflags.RF)) | (image & mask));
  c.refresh();
};

function requireInterruptRight(c: Core): void {
  if (c.protectedMode && c.cpl > c.iopl) throw generalProtection();
}

// --- ports -------------------------------------------------------------------------------------

const input: Builder = ins => {
  const [target, source] = ins.row.operands;
  const size = target.size === 'b' ? 1 : ins.operandSize;
  const set = setter(ins, target);
  const fixed = source.method === 'I' ? ins.immediate & 255 : -1;
  return (c, op) => {
    const port = fixed >= 0 ? fixed : c.r16[4];
    checkPort(c, port, size);
    set(c, op, c.ports.io.in(port, size) | 0);
    c.mem.newEpoch();
  };
};

const output: Builder = ins => {
  const [target, source] = ins.row.operands;
  const size = source.size === 'b' ? 1 : ins.operandSize;
  const get = getter(ins, source);
  const fixed = target.method === 'I' ? ins.immediate & 255 : -1;
  return (c, op) => {
    const port = fixed >= 0 ? fixed : c.r16[4];
    checkPort(c, port, size);
    c.ports.io.out(port, size, get(c, op) >>> 0);
    c.mem.newEpoch();
  };
};

export const segments: Builders = {
  movtoseg, movfromseg, pushseg, popseg,
  les: loadFar(SegIndex.ES), lds: loadFar(SegIndex.DS), lss: loadFar(SegIndex.SS), lfs: loadFar(SegIndex.FS), lgs: loadFar(SegIndex.GS),
  pushf, popf,
  cli: () => c => {
    requireInterruptRight(c);
    c.flags &= ~Eflags.IF;
  },
  sti: () => c => {
    requireInterruptRight(c);
    if ((c.flags & Eflags.IF) === 0) c.shadow = true;
    c.flags |= Eflags.IF;
  },
  in: input, out: output,
};
