/**
 * String instructions, plain and repeated.
 *
 * Registers advance with every element, so a fault or an interrupt between two
 * elements finds them precise, and the instruction is simply begun again. A
 * repetition hands back control after `core.stringBudget` elements, its eip
 * still on itself. Runs of movs and stos forward within one page of RAM on
 * either side are done in one go.
 */
import { SegIndex } from '@godwit/cpu';
import { type Instruction, Prefix, Reg } from '@godwit/isa';
import type { Core } from '../core';
import { Eflags, sub } from '../flags';
import { checkPort } from '../io-permission';
import { sizeIndex, type Size } from '../operands';
import type { Handler, Op } from '../op';
import type { Builder, Builders } from './builder';

interface Form {
  size: Size;
  mask: number;
  /** Segment of ds:[esi] after overrides. */
  source: number;
}

/** One element; advances the index registers. */
type Element = (c: Core, form: Form) => void;
/** Does up to `limit` elements at once; returns how many (0: not possible here). */
type Bulk = (c: Core, form: Form, limit: number) => number;

function formOf(ins: Instruction): Form {
  const byte = ins.row.mnemonic.endsWith('b');
  return {

    size: byte ? 1 : ins.operandSize,
    mask: ins.addressSize === 4 ? -1 : 0xffff,
    source: ins.segment >= 0 ? ins.segment : SegIndex.DS,
  };
}

function advance(c: Core, register: number, form: Form, elements: number): void {
  const by = (c.flags & Eflags.DF) !== 0 ? -form.size : form.size;
  c.r32[register] = (c.r32[register] & ~form.mask) | ((c.r32[register] + by * elements) & form.mask);
}

function sourceAddress(c: Core, form: Form): number { return c.linear(form.source, c.r32[Reg.ESI] & form.mask, form.size, false); }
function targetAddress(c: Core, form: Form, write: boolean): number { return c.linear(SegIndex.ES, c.r32[Reg.EDI] & form.mask, form.size, write); }
function accumulator(c: Core, size: Size): number { return size === 4 ? c.r32[0] : size === 2 ? c.r16[0] : c.r8[0]; }

const movs: Element = (c, form) => {
  const value = c.mem.read(sourceAddress(c, form), form.size);
  c.mem.write(targetAddress(c, form, true), form.size, value);
  advance(c, Reg.ESI, form, 1);
  advance(c, Reg.EDI, form, 1);
};

const stos: Element = (c, form) => {
  c.mem.write(targetAddress(c, form, true), form.size, accumulator(c, form.size));
  advance(c, Reg.EDI, form, 1);
};

const lods: Element = (c, form) => {
  const value = c.mem.read(sourceAddress(c, form), form.size);
  if (form.size === 4) c.r32[0] = value;
  else if (form.size === 2) c.r16[0] = value;
  else c.r8[0] = value;
  advance(c, Reg.ESI, form, 1);
};

const cmps: Element = (c, form) => {
  // Which is read first is the CPU's own affair: where both are missing, CR2 may name either.
  const right = c.mem.read(targetAddress(c, form, false), form.size);
  const left = c.mem.read(sourceAddress(c, form), form.size);
  sub[sizeIndex(form.size)](c, left, right);
  advance(c, Reg.ESI, form, 1);
  advance(c, Reg.EDI, form, 1);
};

const scas: Element = (c, form) => {
  const right = c.mem.read(targetAddress(c, form, false), form.size);
  sub[sizeIndex(form.size)](c, accumulator(c, form.size), right);
  advance(c, Reg.EDI, form, 1);
};

const inputs: Element = (c, form) => {
  const port = c.r16[4];
  checkPort(c, port, form.size);
  // A port read cannot be taken back: the target must be writable first.
  const at = targetAddress(c, form, true);
  c.mem.checkWrite(at, form.size);
  c.mem.write(at, form.size, c.ports.io.in(port, form.size) | 0);
  c.mem.newEpoch();
  advance(c, Reg.EDI, form, 1);
};

const outputs: Element = (c, form) => {
  const port = c.r16[4];
  checkPort(c, port, form.size);
  const value = c.mem.read(sourceAddress(c, form), form.size);
  c.ports.io.out(port, form.size, value >>> 0);
  c.mem.newEpoch();
  advance(c, Reg.ESI, form, 1);
};

/** Elements left in the page from a linear address on. */
function room(linear: number, size: number): number { return Math.floor((0x1000 - (linear & 0xfff)) / size); }

function forwardAndFlat(c: Core, form: Form): boolean {
  return (c.flags & Eflags.DF) === 0 && form.mask === -1 && !c.mem.alignmentChecked && (c.flatWrite & (1 << SegIndex.ES)) !== 0;
}

const bulkMovs: Bulk = (c, form, limit) => {
  if (!forwardAndFlat(c, form) || (c.flatRead & (1 << form.source)) === 0) return 0;
  const from = sourceAddress(c, form);
  const to = targetAddress(c, form, true);
  const elements = Math.min(limit, room(from, form.size), room(to, form.size));
  if (elements < 4) return 0;
  const bytes = elements * form.size;
  const source = c.mem.ramAt(from, false, bytes);
  const target = c.mem.ramAt(to, true, bytes);
  // An overlapping forward copy repeats its own output: element by element.
  if (source < 0 || target < 0 || (target > source && target < source + bytes)) return 0;
  c.mem.ram.copyWithin(target, source, source + bytes);
  advance(c, Reg.ESI, form, elements);
  advance(c, Reg.EDI, form, elements);
  return elements;
};

const bulkStos: Bulk = (c, form, limit) => {
  if (!forwardAndFlat(c, form)) return 0;
  const to = targetAddress(c, form, true);
  const elements = Math.min(limit, room(to, form.size));
  if (elements < 4) return 0;
  const target = c.mem.ramAt(to, true, elements * form.size);
  if (target < 0) return 0;
  const value = c.r32[0];
  if (form.size === 1) c.mem.ram.fill(value & 255, target, target + elements);
  else if (form.size === 2) for (let n = 0; n < elements; n++) c.mem.ramView.setInt16(target + n * 2, value, true);
  else for (let n = 0; n < elements; n++) c.mem.ramView.setInt32(target + n * 4, value, true);
  advance(c, Reg.EDI, form, elements);
  return elements;
};

/** ins and outs: the right to use the port is checked even where ecx asks for no element. */
function ports(element: Element): Builder {
  const build = string(element);
  return ins => {
    const form = formOf(ins);
    const run = build(ins);
    return (c, op) => {
      checkPort(c, c.r16[4], form.size);
      run(c, op);
    };
  };
}

function string(element: Element, bulk: Bulk | null = null, conditional = false): Builder {
  return ins => {
    const form = formOf(ins);
    if ((ins.prefixes & (Prefix.REP | Prefix.REPNE)) === 0) return c => element(c, form);
    // F3 goes on while equal, F2 while unequal; without a comparison both just repeat.
    const goOnWhileZero = (ins.prefixes & Prefix.REP) !== 0;
    const finished = conditional ? (c: Core): boolean => (c.res === 0) !== goOnWhileZero : null;
    return repeated(element, bulk, form, finished);
  };
}

function repeated(element: Element, bulk: Bulk | null, form: Form, finished: ((c: Core) => boolean) | null): Handler {
  const wide = form.mask === -1;
  return (c: Core, op: Op) => {
    let budget = c.stringBudget;
    let count = wide ? c.r32[Reg.ECX] >>> 0 : c.r16[Reg.ECX * 2];
    while (count !== 0) {
      if (budget <= 0) {
        c.eip = (c.blockEip + op.start) | 0;
        return;
      }
      let done = bulk === null ? 0 : bulk(c, form, Math.min(count, budget));
      if (done === 0) {
        element(c, form);
        done = 1;
      }
      count -= done;
      budget -= done;
      if (wide) c.r32[Reg.ECX] = count;
      else c.r16[Reg.ECX * 2] = count;
      if (finished !== null && finished(c)) return;
    }
  };
}

export const strings: Builders = {};
for (const width of ['b', 'v']) {
  strings[`movs${width}`] = string(movs, bulkMovs);
  strings[`stos${width}`] = string(stos, bulkStos);
  strings[`lods${width}`] = string(lods);
  strings[`cmps${width}`] = string(cmps, null, true);
  strings[`scas${width}`] = string(scas, null, true);
  strings[`ins${width}`] = ports(inputs);
  strings[`outs${width}`] = ports(outputs);
}
