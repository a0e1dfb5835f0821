/**
 * Proves that no guest code makes the interpreter itself fail: random bytes
 * with telling registers and stacks in every mode end in a step, a halt or a
 * triple fault, and leave a state that holds together. Seeded: a failure names
 * its round.
 */
import { SegIndex } from '@godwit/cpu';
import { StepResult } from './interpreter';
import { layout, sel, TestMachine } from './testing';

const ROUNDS = 3000;
const STEPS = 30;
const V86_IOPL3 = 0x23002;

/** Prefixes, far transfers, segment loads, strings: what random bytes seldom hit. */
const telling = [0x8e, 0x0f, 0xcf, 0xcb, 0xea, 0x9a, 0xff, 0xcd, 0x9d, 0xc8, 0xc4, 0xc5, 0x66, 0x67, 0xf3, 0xf2, 0xa5, 0xab, 0x62, 0x63, 0xf7, 0xf6];
const values = [layout.code, layout.stack, layout.data, 0xaffe, 0xb000, 8, sel.data, sel.free, 0x38, 3, sel.userCode];

function random(seed: number): (below: number) => number {
  let state = seed | 0;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % below;
  };
}

const modes: ((m: TestMachine) => void)[] = [
  m => m.real(),
  m => m.user(),
  m => m.kernel(),
  m => m.paging({ [0x0b]: 0, [0x0c]: 0xc005 }),
  m => {
    m.paging({ [0x0b]: 0, [0x0c]: 0xc005 });
    m.user();
  },
  m => {
    m.state.cpl = 3;
    m.state.eflags = V86_IOPL3;
    for (let seg = 0; seg < 6; seg++) m.state.setSegment(seg, 0, 0, 0xffff, 0xf300);
  },
];

function prepare(m: TestMachine, pick: (below: number) => number): void {
  m.state.cr4 = 0x40600;
  m.state.set('xcr0', 7);
  m.callGate(sel.free, sel.code, 0x6000, 0xec02);
  m.descriptor(0x38, 0x4000, 0x67, 0x8900);
  m.put32(0x4020, 0x6000, 2, 1, 2, 3, 4, 0x7000, 6, 7, 8, sel.data, sel.code, sel.data, sel.data, 0, 0, 0);
  for (let n = 0; n < 64; n++) {
    m.memory.ram[layout.code + n] = pick(3) ? pick(256) : telling[pick(telling.length)];
    m.memory.ram[0x6000 + n] = pick(256);
  }
  for (let n = 0; n < 8; n++) m.state.gpr[n] = pick(4) ? values[pick(values.length)] : pick(65536) * 65536 + pick(65536);
  for (let n = 0; n < 16; n++) m.put32(layout.stack + n * 4, pick(4) ? values[pick(values.length)] : V86_IOPL3);
  if (pick(2)) m.state.gpr[4] = layout.stack;
}

function coherent(m: TestMachine): boolean {
  const { state } = m;
  const inProtectedMode = (state.cr0 & 1) !== 0;
  if (!inProtectedMode) return state.cpl === 0;
  if ((state.eflags & 0x20000) !== 0) return state.cpl === 3;
  return state.selector(SegIndex.CS) === 0 || (state.selector(SegIndex.CS) & 3) === state.cpl;
}

test('random code in every mode', () => {
  const machine = new TestMachine();
  const { state, memory } = machine;
  const freshState = state.bytes.slice();
  const freshRam = memory.ram.slice(0, 0x10000);
  for (let round = 0; round < ROUNDS; round++) {
    const pick = random(round);
    state.bytes.set(freshState);
    memory.ram.set(freshRam);
    machine.interpreter.flushTlb();
    modes[round % modes.length](machine);
    prepare(machine, pick);
    for (let n = 0; n < STEPS; n++) {
      const result = pick(2) ? machine.interpreter.step() : machine.interpreter.run(1 + pick(5), () => pick(3) === 0);
      if (!coherent(machine)) throw new Error(`round ${round}: incoherent state at step ${n}`);
      if (result === StepResult.TripleFault) break;
      if (result === StepResult.Halt) machine.interpreter.deliverInterrupt(0x20);
    }
  }
});
