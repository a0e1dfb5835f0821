/** Changes of eip: jumps, calls, returns, software interrupts. */
import { conditions, overflowFlag } from '../flags';
import { fault, Vector } from '../fault';
import { raise, softwareInterrupt } from '../exceptions';
import { farReturn, farTransfer } from '../far-transfer';
import { iret } from '../iret';
import { getter, registerOf } from '../operands';
import type { Builder, Builders } from './builder';
import { conditionSuffixes } from './conditions';

const targetMask = (size: number): number => size === 4 ? -1 : 0xffff;

const jmp: Builder = ins => {
  const mask = targetMask(ins.operandSize);
  if (ins.row.immediate !== '') {
    const distance = ins.immediate | 0;
    return (c, op) => c.jump((c.next(op) + distance) & mask);
  }
  const get = getter(ins, ins.row.operands[0]);
  return (c, op) => c.jump(get(c, op));
};

const call: Builder = ins => {
  const size = ins.operandSize;
  const mask = targetMask(size);
  const distance = ins.immediate | 0;
  const get = ins.row.immediate !== '' ? null : getter(ins, ins.row.operands[0]);
  return (c, op) => {
    const next = c.next(op);
    const target = get === null ? (next + distance) & mask : get(c, op);
    const before = c.eip;
    c.jump(target);
    c.eip = before;
    c.push(size, next);
    c.eip = target;
  };
};

const ret: Builder = ins => {
  const size = ins.operandSize;
  const extra = ins.immediate & 0xffff;
  return c => {
    c.jump(c.peek(size, 0));
    c.sp = c.r32[4] + size + extra;
  };
};

const flow: Builders = { jmp, call, ret };

conditionSuffixes.forEach((suffix, n) => {
  const test = conditions[n];
  flow[`j${suffix}`] = ins => {
    const mask = targetMask(ins.operandSize);
    const distance = ins.immediate | 0;
    return (c, op) => { if (test(c)) c.jump((c.next(op) + distance) & mask); };
  };
});

/** The counter is cx or ecx by address size. */
function loop(condition: ((zero: boolean) => boolean) | null): Builder {
  return ins => {
    const mask = targetMask(ins.operandSize);
    const distance = ins.immediate | 0;
    const wide = ins.addressSize === 4;
    return (c, op) => {
      const count = wide ? (c.r32[1] - 1) | 0 : (c.r16[2] - 1) & 0xffff;
      if (count !== 0 && (condition === null || condition(c.res === 0))) c.jump((c.next(op) + distance) & mask);
      if (wide) c.r32[1] = count;
      else c.r16[2] = count;
    };
  };
}

flow.loop = loop(null);
flow.loope = loop(zero => zero);
flow.loopne = loop(zero => !zero);
flow.jcxz = ins => {
  const mask = targetMask(ins.operandSize);
  const distance = ins.immediate | 0;
  return (c, op) => {
    if ((ins.addressSize === 4 ? c.r32[1] : c.r16[2]) === 0) c.jump((c.next(op) + distance) & mask);
  };
};

function far(kind: 'jump' | 'call'): Builder {
  return ins => {
    const size = ins.operandSize;
    if (ins.row.immediate === 'p') return (c, op) => farTransfer(c, kind, ins.immediate2, ins.immediate, size, c.next(op));
    return (c, op) => {
      const at = c.linearRead(op, size + 2);
      const offset = c.mem.read(at, size);
      const selector = c.mem.read16((at + size) | 0);
      farTransfer(c, kind, selector, offset, size, c.next(op));
    };
  };
}
flow.jmpf = far('jump');
flow.callf = far('call');
flow.retf = ins => c => farReturn(c, ins.operandSize, ins.immediate & 0xffff);
flow.iret = ins => (c, op) => iret(c, ins.operandSize, c.next(op));
flow.int = ins => (c, op) => softwareInterrupt(c, ins.immediate & 255, c.next(op), true);
flow.int3 = () => (c, op) => softwareInterrupt(c, Vector.BP, c.next(op), false);
flow.into = () => (c, op) => { if (overflowFlag(c) !== 0) softwareInterrupt(c, Vector.OF, c.next(op), false); };
/** ICEBP: a trap without privilege checks. */
flow.int1 = () => (c, op) => raise(c, Vector.DB, 'trap', null, c.next(op));

/** Signed bounds, both inclusive. */
flow.bound = ins => {
  const size = ins.operandSize;
  const shift = size === 2 ? 16 : 0;
  const register = registerOf(ins, ins.row.operands[0]);
  return (c, op) => {
    const at = c.linearRead(op, size * 2);
    const value = (c.r32[register] << shift) >> shift;
    const lower = (c.mem.read(at, size) << shift) >> shift;
    const upper = (c.mem.read((at + size) | 0, size) << shift) >> shift;
    if (value < lower || value > upper) throw fault(Vector.BR);
  };
};
for (const name of ['ud0', 'ud1', 'ud2', 'syscall', 'sysret']) flow[name] = () => () => { throw fault(Vector.UD); };

export { flow };
