/** Control registers, descriptor tables, identification, time, fast system calls. Privilege 0 and mode rules of the row are checked before the handler (see index.ts). */
import { SegIndex, stateOffset } from '@godwit/cpu';
import { Cr0, Cr4, type Core } from '../core';
import { fault, generalProtection, Vector } from '../fault';
import { Eflags, setZero } from '../flags';
import { readMsr, timeStamp, writeMsr } from '../msr';
import { getter, registerSetter, setter } from '../operands';
import { writeCr0, writeCr3, writeCr4 } from '../control-registers';
import { commitNull, commitSegment, type Descriptor, dplOf, isCode, isConforming, isNull, isPresent, readDescriptor, selectorFault, setBusy, systemType, SystemType, tryReadDescriptor } from '../segmentation';
import { Access } from '../core';
import type { Builder, Builders } from './builder';

const undefinedHandler = (): never => { throw fault(Vector.UD); };

// --- control and debug registers -------------------------------------------------------------

const movfromcr: Builder = ins => {
  const field = { 0: 'cr0', 2: 'cr2', 3: 'cr3', 4: 'cr4' }[ins.reg];
  if (field === undefined) return undefinedHandler;
  const at = stateOffset[field] >> 2;
  return c => { c.r32[ins.rm] = c.r32[at]; };
};

const movtocr: Builder = ins => {
  const { rm } = ins;
  switch (ins.reg) {
    case 0: return c => writeCr0(c, c.r32[rm]);
    case 2: return c => { c.state.cr2 = c.r32[rm]; };
    case 3: return c => writeCr3(c, c.r32[rm]);
    case 4: return c => writeCr4(c, c.r32[rm]);
    default: return undefinedHandler;
  }
};

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE. Breakpoints are kept, not matched. */
function debugIndex(c: Core, register: number): number {
  if ((register === 4 || register === 5) && (c.state.cr4 & Cr4.DE) !== 0) throw fault(Vector.UD);
  return (stateOffset.dr >> 2) + (register === 4 || register === 5 ? register + 2 : register);
}

const movfromdr: Builder = ins => c => { c.r32[ins.rm] = c.r32[debugIndex(c, ins.reg)]; };
const movtodr: Builder = ins => c => {
  const at = debugIndex(c, ins.reg);
  const value = c.r32[ins.rm];
  if (ins.reg === 6 || ins.reg === 4) c.r32[at] = (value & 0xe00f) | 0xffff0ff0;
  else if (ins.reg === 7 || ins.reg === 5) c.r32[at] = (value & 0xffff2bff) | 0x400;
  else c.r32[at] = value;
};

const lmsw: Builder = ins => {
  const get = getter(ins, ins.row.operands[0]);
  // PE can be set this way but not cleared.
  return (c, op) => {
    const value = get(c, op) & 15;
    writeCr0(c, (c.state.cr0 & ~14) | value);
  };
};

const smsw: Builder = ins => {
  const set = setter(ins, ins.row.operands[0]);
  return (c, op) => set(c, op, c.state.cr0 | 0);
};

// --- descriptor tables -------------------------------------------------------------------------

function storeTable(base: string, limit: string): Builder {
  return () => (c, op) => {
    const at = c.linearWrite(op, 6);
    c.mem.checkWrite(at, 6);
    c.mem.write16(at, c.state.get(limit));
    c.mem.write32((at + 2) | 0, c.state.get(base) | 0);
  };
}

function loadTable(base: string, limit: string): Builder {
  return ins => (c, op) => {
    const at = c.linearRead(op, 6);
    const newLimit = c.mem.read16(at);
    const newBase = c.mem.read32((at + 2) | 0);
    c.state.set(limit, newLimit);
    c.state.set(base, ins.operandSize === 4 ? newBase : newBase & 0xffffff);
  };
}

/** Register targets get the zero-extended selector, memory a word. */
function storeSelector(seg: SegIndex): Builder {
  return ins => {
    const set = setter(ins, ins.row.operands[0]);
    return (c, op) => set(c, op, c.state.selector(seg));
  };
}

const lldt: Builder = ins => {
  const get = getter(ins, ins.row.operands[0]);
  return (c, op) => {
    c.requireCpl0();
    const selector = get(c, op) & 0xffff;
    if (isNull(selector)) {
      commitNull(c, SegIndex.LDTR, selector);
      return;
    }
    if ((selector & 4) !== 0) throw selectorFault(Vector.GP, selector);
    const d = readDescriptor(c, selector, Vector.GP);
    if (systemType(d.access) !== SystemType.LDT) throw selectorFault(Vector.GP, selector);
    if (!isPresent(d.access)) throw selectorFault(Vector.NP, selector);
    commitSegment(c, SegIndex.LDTR, d);
  };
};

const ltr: Builder = ins => {
  const get = getter(ins, ins.row.operands[0]);
  return (c, op) => {
    c.requireCpl0();
    const selector = get(c, op) & 0xffff;
    if (isNull(selector)) throw generalProtection();
    if ((selector & 4) !== 0) throw selectorFault(Vector.GP, selector);
    const d = readDescriptor(c, selector, Vector.GP);
    const type = systemType(d.access);
    if (type !== SystemType.TSS16 && type !== SystemType.TSS32) throw selectorFault(Vector.GP, selector);
    if (!isPresent(d.access)) throw selectorFault(Vector.NP, selector);
    setBusy(c, d.address, true);
    d.access |= 0x200;
    commitSegment(c, SegIndex.TR, d);
  };
};

/** The descriptor if the current level may see it (LAR, LSL, VERR, VERW), else null. */
function visible(c: Core, selector: number, types: number): Descriptor | null {
  selector &= 0xffff;
  if (isNull(selector)) return null;
  const d = tryReadDescriptor(c, selector);
  if (d === null) return null;
  const type = systemType(d.access);
  if (type >= 0 && (types & (1 << type)) === 0) return null;
  if (isCode(d.access) && isConforming(d.access)) return d;
  return dplOf(d.access) >= Math.max(c.cpl, selector & 3) ? d : null;
}

const LAR_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 9) | (1 << 11) | (1 << 12);
const LSL_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 9) | (1 << 11);

function query(types: number, answer: (d: Descriptor) => number): Builder {
  return ins => {
    const get = getter(ins, { ...ins.row.operands[1], size: 'w' });
    const set = registerSetter(ins.operandSize, ins.reg);
    return (c, op) => {
      const d = visible(c, get(c, op), types);
      if (d !== null) set(c, op, answer(d));
      setZero(c, d !== null);
    };
  };
}

function verify(usable: (access: number) => boolean): Builder {
  return ins => {
    const get = getter(ins, ins.row.operands[0]);
    return (c, op) => {
      const d = visible(c, get(c, op), 0);
      setZero(c, d !== null && usable(d.access));
    };
  };
}

const arpl: Builder = ins => {
  const [target, source] = ins.row.operands;
  const get = getter(ins, target);
  const set = setter(ins, target);
  const wanted = getter(ins, source);
  return (c, op) => {
    // Written only if changed: a read-only page does no harm otherwise.
    const selector = get(c, op);
    const level = wanted(c, op) & 3;
    const raise = (selector & 3) < level;
    if (raise) set(c, op, (selector & ~3) | level);
    setZero(c, raise);
  };
};

// --- identification and time ---------------------------------------------------------------

const cpuid: Builder = () => c => {
  const leaf = c.r32[0] >>> 0;
  const [eax, ebx, ecx, edx] = c.ports.cpuid.query(leaf, c.r32[1] >>> 0);
  c.r32[0] = eax;
  c.r32[3] = ebx;
  c.r32[1] = ecx;
  c.r32[2] = edx;
  // OSXSAVE shows CR4, if there is XSAVE at all.
  if (leaf === 1) c.r32[1] = (c.state.cr4 & Cr4.OSXSAVE) !== 0 ? ecx | (1 << 27) : ecx & ~(1 << 27);
};

function requireTimeStamp(c: Core): void {
  if (c.cpl !== 0 && (c.state.cr4 & Cr4.TSD) !== 0) throw generalProtection();
}

const rdtsc: Builder = () => c => {
  requireTimeStamp(c);
  const now = timeStamp(c);
  c.r32[0] = Number(now & 0xffffffffn);
  c.r32[2] = Number(now >> 32n);
};

const rdtscp: Builder = ins => {
  const read = rdtsc(ins);
  return (c, op) => {
    read(c, op);
    c.r32[1] = 0;
  };
};

const rdmsr: Builder = () => c => {
  const value = readMsr(c, c.r32[1] >>> 0);
  c.r32[0] = Number(value & 0xffffffffn);
  c.r32[2] = Number(value >> 32n);
};

const wrmsr: Builder = () => c => writeMsr(c, c.r32[1] >>> 0, (BigInt(c.r32[2] >>> 0) << 32n) | BigInt(c.r32[0] >>> 0));

// --- fast system calls (SDM 2B, SYSENTER, SYSEXIT) -----------------------------------------

const FLAT_CODE = 0xc09b00;
const FLAT_DATA = 0xc09300;
const DPL3 = 0x6000;

const sysenter: Builder = () => c => {
  const selector = c.state.get('sysenterCs') & 0xfffc;
  if (!c.protectedMode || selector === 0) throw generalProtection();
  c.flags &= ~(Eflags.VM | Eflags.IF | Eflags.RF);
  c.state.setSegment(SegIndex.CS, selector, 0, 0xffffffff, FLAT_CODE);
  c.state.setSegment(SegIndex.SS, selector + 8, 0, 0xffffffff, FLAT_DATA);
  c.r32[4] = c.state.get('sysenterEsp');
  c.eip = c.state.get('sysenterEip') | 0;
  c.setCpl(0);
  c.refresh();
};

const sysexit: Builder = () => c => {
  const selector = c.state.get('sysenterCs') & 0xfffc;
  if (!c.protectedMode || selector === 0) throw generalProtection();
  c.state.setSegment(SegIndex.CS, (selector + 16) | 3, 0, 0xffffffff, FLAT_CODE | DPL3);
  c.state.setSegment(SegIndex.SS, (selector + 24) | 3, 0, 0xffffffff, FLAT_DATA | DPL3);
  c.r32[4] = c.r32[1];
  c.eip = c.r32[2];
  c.setCpl(3);
  c.refresh();
};

export const system: Builders = {
  movfromcr, movtocr, movfromdr, movtodr, lmsw, smsw,
  clts: () => c => { c.state.cr0 = c.state.cr0 & ~Cr0.TS; },
  sgdt: storeTable('gdtrBase', 'gdtrLimit'), sidt: storeTable('idtrBase', 'idtrLimit'),
  lgdt: loadTable('gdtrBase', 'gdtrLimit'), lidt: loadTable('idtrBase', 'idtrLimit'),
  sldt: storeSelector(SegIndex.LDTR), str: storeSelector(SegIndex.TR), lldt, ltr,
  lar: query(LAR_TYPES, d => d.high & 0x00f0ff00),
  lsl: query(LSL_TYPES, d => d.limit | 0),
  verr: verify(access => (access & Access.CODE) === 0 || (access & Access.WRITABLE) !== 0),
  verw: verify(access => (access & (Access.CODE | Access.WRITABLE)) === Access.WRITABLE),
  arpl,
  invlpg: () => (c, op) => c.flushPage((c.offset(op) + c.r32[op.segmentBase]) | 0),
  // Caches are coherent and one is all there is.
  invd: () => () => undefined, wbinvd: () => () => undefined,
  hlt: () => c => { c.halted = true; },
  cpuid, rdtsc, rdtscp, rdmsr, wrmsr,
  rdpmc: () => () => { throw generalProtection(); },
  sysenter, sysexit,
  // IA32_TSC_AUX is not offered and reads as zero.
  rdpid: ins => c => { c.r32[ins.rm] = 0; },
  monitor: () => (c) => { c.mem.read8(c.linear(SegIndex.DS, c.r32[0], 1, false)); },
  mwait: () => () => undefined,
};
