/**
 * Says where two outcomes differ. What the architecture leaves open is masked
 * here and nowhere else.
 */
import { type Instruction, memoryOperandSize, Seg } from '@godwit/isa';
import type { Generated } from './generate';
import { ORACLE_TEXT } from './oracle';
import { type Case, DATA, GS_BASE, type Outcome, toPhysical, WRITABLE_GPA } from './layout';

/** CF PF AF ZF SF DF OF, and what popf and iret may set besides. */
const FLAGS = 0x240cd5;
const names = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const segmentNames = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const AF = 0x10;
const INT3 = 3, GP = 13, PF = 14, DE = 0;
/** P is not comparable where one side has a kernel. */
const PRESENT = 1;
/** Bytes of the legacy region that hold the last x87 instruction's opcode and pointers. */
const pointerBytes = { from: 6, to: 24 };

export interface Differences {
  text: string[];
  /** Differences in what the manual leaves undefined; told, not counted. */
  undefinedFlags: number;
}

/** `strict`: both sides ran on the same CPU, undefined flags are equal too. */
export function compare(c: Generated, a: Outcome, b: Outcome, strict: boolean): Differences {
  const text: string[] = [];
  const order = orderIsOpen(c, a, b);
  const hex = (n: number): string => (n >>> 0).toString(16);
  const check = (name: string, x: number, y: number): void => {
    if (x >>> 0 !== y >>> 0) text.push(`${name} ${hex(x)}/${hex(y)}`);
  };
  if (!order) check('vector', a.vector, b.vector);
  check('eip', a.eip, b.eip);
  for (let i = 0; i < 8; i++) check(names[i], a.gpr[i], b.gpr[i]);
  for (let i = 0; i < 6; i++) check(segmentNames[i], a.selectors[i], b.selectors[i]);
  const open = strict ? 0 : openFlags(c, a);
  const flags = FLAGS & ~open;
  check('eflags', a.eflags & flags, b.eflags & flags);
  if (a.vector === b.vector && a.vector !== INT3 && !order) {
    // In what order the parts of a large image are touched is the CPU's own affair.
    const pageOnly = manyParts(c.ins) ? ~0xfff : -1;
    const kernel = a.vector === PF && inKernel(a.cr2);
    if (a.vector === PF) check('cr2', a.cr2 & pageOnly, b.cr2 & pageOnly);
    const mask = kernel ? ~PRESENT : -1;
    if ([10, 11, 12, 13, 14].includes(a.vector)) check('error', a.errorCode & mask, b.errorCode & mask);
  }
  vectors(a.xsave, b.xsave, text);
  if (a.memory && b.memory) memory(c, a.memory, b.memory, text);
  return { text, undefinedFlags: (a.eflags ^ b.eflags) & open };
}

/** Blocks whose outcome hangs on flags that the manual leaves undefined: the interpreter may differ. */
export function hangsOnUndefined(c: Generated): boolean {
  if (c.before.length === 0) return false;
  const all = [...c.before, c.ins].map((ins) => ins.row);
  return all.some((row) => (row.flagsUndefined & ~AF) !== 0 || (row.flagsRead & AF) !== 0);
}

/** popa that faults midway: host CPU and translated code leave the registers loaded so far, the interpreter none; it is restarted either way. */
export function halfDone(c: Generated, a: Outcome): boolean {
  return a.vector !== INT3 && [...c.before, c.ins].some((ins) => ins.row.mnemonic === 'popa');
}

/**
 * cmps reads two places, in an order that the manual leaves to the CPU (AMD's newer ones begin with the
 * source, others with the target): where both are out of reach, either may be the one that is reported.
 */
function orderIsOpen({ ins }: Generated, a: Outcome, b: Outcome): boolean {
  if (!ins.row.mnemonic.startsWith('cmps')) return false;
  const mask = ins.addressSize === 2 ? 0xffff : -1;
  const within = ({ vector, cr2 }: Outcome, at: number): boolean => vector === PF && ((cr2 - at) >>> 0) < 4;
  const source = (o: Outcome): boolean => o.vector === GP || within(o, (o.gpr[6] & mask) + (ins.memorySegment === Seg.GS ? GS_BASE : 0));
  const target = (o: Outcome): boolean => within(o, o.gpr[7] & mask);
  return (source(a) && target(b)) || (target(a) && source(b));
}

function manyParts(ins: Instruction): boolean {
  const size = ins.hasMemory ? memoryOperandSize(ins) : 0;
  return size > 32 || (ins.row.unit === 'x87' && size > 10) || ['retf', 'iret'].includes(ins.row.mnemonic);
}

/** Where the host process has pages of its own, or the guest its kernel. */
function inKernel(linear: number): boolean {
  return linear >= ORACLE_TEXT;
}

/** Flags without a defined value after this case. */
function openFlags(c: Generated, a: Outcome): number {
  const { row } = c.ins;
  if (c.before.length > 0) return [row, ...c.before.map((ins) => ins.row)].reduce((all, r) => all | r.flagsUndefined, 0);
  if (a.vector !== INT3) return a.vector === DE ? row.flagsUndefined : 0;
  if (row.flagsConditional !== 0 && keptCount(c)) return 0;
  return row.flagsUndefined;
}

/** A shift by nothing keeps every flag. */
function keptCount(c: Generated): boolean {
  const count = c.ins.row.operands.at(-1);
  if (!count) return false;
  if (count.method === 'reg') return (c.gpr[1] & 31) === 0;
  return count.method === 'I' && (c.bytes[c.length - 1] & 31) === 0;
}

function vectors(a: Uint8Array, b: Uint8Array, text: string[]): void {
  const viewA = new DataView(a.buffer, a.byteOffset), viewB = new DataView(b.buffer, b.byteOffset);
  const range = (name: string, from: number, bytes: number, component: number): void => {
    // A component in its initial state may be left out of the image: zeros, but for the x87 control word.
    const presentA = viewA.getUint32(512, true) & component, presentB = viewB.getUint32(512, true) & component;
    for (let i = from; i < from + bytes; i++) {
      const x = presentA ? a[i] : 0, y = presentB ? b[i] : 0;
      if (x === y) continue;
      text.push(`${name} ${dump(a, from, bytes)}/${dump(b, from, bytes)}`);
      return;
    }
  };
  const word = (view: DataView, at: number, initial: number): number => (view.getUint32(512, true) & 1 ? view.getUint16(at, true) : initial);
  const check = (name: string, x: number, y: number): void => {
    if (x !== y) text.push(`${name} ${x.toString(16)}/${y.toString(16)}`);
  };
  check('fcw', control(viewA), control(viewB));
  check('fsw', status(viewA), status(viewB));
  check('ftw', word(viewA, 4, 0) & 255, word(viewB, 4, 0) & 255);
  check('mxcsr', viewA.getUint32(24, true), viewB.getUint32(24, true));
  for (let i = 0; i < 8; i++) {
    range(`st${i}`, 32 + i * 16, 10, 1);
    range(`xmm${i}`, 160 + i * 16, 16, 2);
    range(`ymm${i}h`, 576 + i * 16, 16, 4);
  }
}

const FCW_DEFINED = 0xf3f;

/** The control word without its reserved bits. */
function control(view: DataView): number {
  return (view.getUint32(512, true) & 1 ? view.getUint16(0, true) : 0x37f) & FCW_DEFINED;
}

/** The status word with ES and B as the CPU derives them when it loads the image (SDM 1, 8.1.3.3). */
function status(view: DataView): number {
  const word = view.getUint32(512, true) & 1 ? view.getUint16(2, true) : 0;
  return (word & 0x7f7f) | (word & ~control(view) & 0x3f ? 0x8080 : 0);
}

function dump(bytes: Uint8Array, from: number, count: number): string {
  return Buffer.from(bytes.subarray(from, from + count)).reverse().toString('hex');
}

function memory(c: Generated, a: Uint8Array, b: Uint8Array, text: string[]): void {
  if (Buffer.compare(a, b) === 0) return;
  const open = openBytes(c);
  const found: string[] = [];
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i] || open.some(([from, to]) => i >= from && i < to)) continue;
    found.push(`[${(DATA + i).toString(16)}] ${a[i].toString(16)}/${b[i].toString(16)}`);
  }
  if (found.length > 0) text.push(`memory ${found.slice(0, 8).join(' ')}${found.length > 8 ? ` and ${found.length - 8} more` : ''}`);
}

/** Parts of stored images that show where code lies in the host, as offsets into the writable regions. */
function openBytes(c: Generated): [number, number][] {
  const ins = c.now;
  if (!ins.hasMemory) return [];
  const physical = toPhysical(linearAddress(c, ins));
  if (physical < 0) return [];
  const at = physical - WRITABLE_GPA;
  switch (ins.row.mnemonic) {
    case 'fnstenv':
    case 'fnsave': return [ins.operandSize === 4 ? [at + 12, at + 28] : [at + 6, at + 14]];
    // Beyond xmm7 and ymm7 the image is reserved outside 64-bit mode.
    case 'fxsave':
    case 'xsave':
    case 'xsaveopt': return [[at + pointerBytes.from, at + pointerBytes.to], [at + 288, at + 416], [at + 704, at + 832]];
    default: return [];
  }
}

/** The operand's address in its segment. */
export function offsetOf({ gpr }: Case, ins: Instruction): number {
  const index = ins.index >= 0 ? Math.imul(gpr[ins.index], ins.scale) : 0;
  return (((ins.base >= 0 ? gpr[ins.base] : 0) + index + ins.displacement) & (ins.addressSize === 2 ? 0xffff : -1)) >>> 0;
}

function linearAddress(c: Case, ins: Instruction): number {
  return (offsetOf(c, ins) + (ins.memorySegment === Seg.GS ? GS_BASE : 0)) >>> 0;
}
