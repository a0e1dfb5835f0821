/**
 * x87, MMX, SSE, AVX and BMI: the host CPU executes them. The availability
 * rules (SDM 3A, 2.5, table 2-2; 14.3) are checked here, the memory operand is
 * staged in the state block's scratch area, and the re-encoded instruction
 * runs there. Both pages of a written operand are checked before, so nothing
 * can fault once the host has changed registers.
 */
import { SCRATCH_OFFSET, stateOffset } from '@godwit/cpu';
import { encodeForScratch, type Instruction, memoryOperand, memoryOperandSize, type Row, type Unit } from '@godwit/isa';
import { Cr0, Cr4, type Core } from '../core';
import { fault, generalProtection, Vector } from '../fault';
import { setArithmeticFlags } from '../flags';
import type { Handler, Op } from '../op';

const AVX_STATE = 6;

/** Throws #UD or #NM when the unit is not to be used now. */
export function checkUnit(c: Core, unit: Unit): void {
  if (unit === 'int') return;
  const { cr0, cr4 } = c.state;
  if (unit === 'x87') {
    if ((cr0 & (Cr0.EM | Cr0.TS)) !== 0) throw fault(Vector.NM);
    return;
  }
  const missing = unit === 'mmx' ? (cr0 & Cr0.EM) !== 0
    : unit === 'sse' ? (cr0 & Cr0.EM) !== 0 || (cr4 & Cr4.OSFXSR) === 0
    : !c.protectedMode || c.v86 || (cr4 & Cr4.OSXSAVE) === 0 || (c.state.get('xcr0') & AVX_STATE) !== AVX_STATE;
  if (missing) throw fault(Vector.UD);
  if ((cr0 & Cr0.TS) !== 0) throw fault(Vector.NM);
}

/** Runs encoded host code; arithmetic flags go in and come out. */
export function runOnHost(c: Core, code: Uint8Array, writesFlags: boolean): void {
  const at = stateOffset.eflags >> 2;
  c.r32[at] = c.flagsImage();
  const vector = c.ports.host.execute(code);
  if (vector >= 0) {
    if (vector === Vector.XM && (c.state.cr4 & Cr4.OSXMMEXCPT) === 0) throw fault(Vector.UD);
    throw fault(vector & 0xff);
  }
  if (writesFlags) setArithmeticFlags(c, c.r32[at]);
}

export function copyIn(c: Core, linear: number, size: number): void {
  let n = 0;
  for (; n + 4 <= size; n += 4) c.scratchView.setInt32(n, c.mem.read32((linear + n) | 0), true);
  for (; n < size; n++) c.scratch[n] = c.mem.read8((linear + n) | 0);
}

export function copyOut(c: Core, linear: number, size: number): void {
  let n = 0;
  for (; n + 4 <= size; n += 4) c.mem.write32((linear + n) | 0, c.scratchView.getInt32(n, true));
  for (; n < size; n++) c.mem.write8((linear + n) | 0, c.scratch[n]);
}

export function hostInstruction(ins: Instruction): Handler {
  const { row } = ins;
  const { unit } = row;
  const writesFlags = (row.flagsWritten | row.flagsUndefined) !== 0;
  const size = memoryOperandSize(ins);
  const operand = memoryOperand(ins);
  const write = operand?.write ?? false;
  let code: Uint8Array | null = null;
  const encoded = (op: Op): Uint8Array => {
    code ??= encodeForScratch(ins, op.bytes, 0, SCRATCH_OFFSET);
    if (code === null) throw new Error(`no host encoding for ${row.mnemonic}`);
    return code;
  };
  if (!ins.hasMemory || size === 0) return (c, op) => {
    checkUnit(c, unit);
    runOnHost(c, encoded(op), writesFlags);
  };
  // x87 stores leave their target as it was when an exception is unmasked.
  const stage = (operand?.read ?? true) || unit === 'x87';
  const alignment = row.aligned ? size - 1 : 0;
  const waits = (unit === 'mmx' && !row.mnemonic.startsWith('cvtpi2')) || (unit === 'x87' && !row.mnemonic.startsWith('fn'));
  return (c, op) => {
    checkUnit(c, unit);
    if (waits && x87ExceptionPending(c)) throw fault(Vector.MF);
    const linear = write ? c.linearWrite(op, size) : c.linearRead(op, size);
    if ((linear & alignment) !== 0 && !alignmentFree(row)) throw generalProtection();
    c.mem.probe(linear, size, write, c.mem.user);
    if (stage) copyIn(c, linear, size);
    runOnHost(c, encoded(op), writesFlags);
    if (write) copyOut(c, linear, size);
  };
}

/** An unmasked exception waits: it comes before any fault of the memory operand. */
function x87ExceptionPending({ state: { xsave } }: Core): boolean {
  return (xsave[2] & ~xsave[0] & 0x3f) !== 0 && (xsave[512] & 1) !== 0;
}

/** The SHA instructions are not aligned on AMD's processors, and are on Intel's; guests of either see the laxer rule. */
const alignmentFree = (row: Row): boolean => row.feature === 'sha_ni';

/** WAIT: #NM only with MP as well; then the host reports a pending x87 exception. */
export function waitInstruction(ins: Instruction): Handler {
  let code: Uint8Array | null = null;
  return (c, op) => {
    if ((c.state.cr0 & (Cr0.MP | Cr0.TS)) === (Cr0.MP | Cr0.TS)) throw fault(Vector.NM);
    code ??= encodeForScratch(ins, op.bytes, 0, SCRATCH_OFFSET) ?? Uint8Array.of(0x9b);
    if ((c.state.cr0 & Cr0.EM) === 0) runOnHost(c, code, false);
  };
}

