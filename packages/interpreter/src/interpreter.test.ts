/** Proves the loop: results, faults that leave nothing half done, chunks of repeated strings, traps, shadows, self-modifying code. */
import { StepResult } from './interpreter';
import { layout, sel, TestMachine } from './testing';

const { code, data, stack } = layout;

test('arithmetic, memory operands and a loop', () => {
  const m = new TestMachine();
  // mov ecx,10; xor eax,eax; L: add eax,ecx; mov [data+ecx*4],eax; loop L; hlt
  expect(m.run('b90a000000 31c0 01c8 89048d00a00000 e2f5 f4')).toBe(StepResult.Halt);
  expect(m.state.gpr[0]).toBe(55);
  expect(m.get32(data + 4)).toBe(55);
  expect(m.state.eflags & 0x8d5).toBe(0);
});

test('division by zero is #DE at the instruction, registers untouched', () => {
  const m = new TestMachine();
  m.state.gpr[0] = 7;
  m.run('31c9 f7f1');
  expect(m.taken()).toBe(0);
  expect(m.stack(3)).toEqual([code + 2, sel.code, expect.any(Number)]);
  expect(m.state.gpr[0]).toBe(7);
});

test('a fault saves RF, the gate clears IF and TF', () => {
  const m = new TestMachine();
  m.state.eflags = 0x202;
  m.run('0f0b');
  expect(m.taken()).toBe(6);
  expect(m.stack(3)[2]).toBe(0x10202);
  expect(m.state.eflags & 0x10300).toBe(0);
});

test('a page fault gives cr2 and the error code; A and D follow accesses', () => {
  const m = new TestMachine();
  m.paging({ [0x0b]: 0, [0x0c]: 0xc005, [0x0d]: 0xd007 });
  m.user();
  m.state.gpr[4] = stack;
  // mov eax,[0xd000]; mov [0xd000],eax; mov [0xc004],eax
  m.run('a100d00000 a300d00000 a304c00000');
  expect(m.taken()).toBe(14);
  expect(m.state.cr2).toBe(0xc004);
  expect(m.stack(2)).toEqual([7, code + 10]);
  expect(m.pte(0x0d) & 0x60).toBe(0x60);
  expect(m.pte(0x0c) & 0x60).toBe(0);
});

test('supervisor writes to read-only pages need WP clear', () => {
  const m = new TestMachine();
  m.paging({ [0x0c]: 0xc005 });
  m.state.cr0 = 0x80000011;
  m.run('c60500c0000001 f4');
  expect(m.taken()).toBe(-1);
  m.state.halted = 0;
  // Now with WP: mov eax,cr0; bts eax,16; mov cr0,eax; then the write again.
  m.run('0f20c0 0fbae810 0f22c0 c60500c0000002 f4');
  expect(m.taken()).toBe(14);
  expect(m.stack(1)).toEqual([3]);
});

test('a write that crosses into an absent page writes nothing', () => {
  const m = new TestMachine();
  m.paging({ [0x0b]: 0 });
  m.put32(data + 0xffc, 0x11223344);
  m.run('c705fdaf000078563412');
  expect(m.taken()).toBe(14);
  expect(m.state.cr2).toBe(0xb000);
  expect(m.get32(data + 0xffc)).toBe(0x11223344);
});

test('code that crosses into an absent page faults on the second page', () => {
  const m = new TestMachine();
  m.paging({ [0x07]: 0 });
  m.state.gpr[4] = 0xe000; // the page below the usual stack is the absent one
  m.run('b8010203', 0x6ffc);
  expect(m.taken()).toBe(14);
  expect(m.state.cr2).toBe(0x7000);
});

test('rep movs faults in the middle with precise registers and resumes', () => {
  const m = new TestMachine();
  m.paging({ [0x0c]: 0 });
  Object.assign(m.state.gpr, { 1: 16, 6: data, 7: 0xbff0 });
  for (let n = 0; n < 16; n++) m.put32(data + n * 4, n + 1);
  m.run('f3a5 f4');
  expect(m.taken()).toBe(14);
  expect([m.state.gpr[1], m.state.gpr[6], m.state.gpr[7]]).toEqual([12, data + 16, 0xc000]);
  expect(m.stack(2)[1]).toBe(code);
  m.put32(0x81000 + 0x0c * 4, 0xc007);
  m.state.halted = 0;
  m.state.gpr[4] = stack;
  m.run('f3a5 f4');
  expect(m.taken()).toBe(-1);
  expect(m.get32(0xc000 + 11 * 4)).toBe(16);
});

test('an overlapping forward rep movsb repeats its own output', () => {
  const m = new TestMachine();
  m.memory.ram[data] = 7;
  Object.assign(m.state.gpr, { 1: 100, 6: data, 7: data + 1 });
  m.run('f3a4 f4');
  expect([...m.memory.ram.subarray(data, data + 101)].every(byte => byte === 7)).toBe(true);
});

test('repe cmpsb stops behind the difference', () => {
  const m = new TestMachine();
  m.load('0102030405', data);
  m.load('0102030905', data + 0x100);
  Object.assign(m.state.gpr, { 1: 5, 6: data, 7: data + 0x100 });
  m.run('f3a6 f4');
  expect([m.state.gpr[1], m.state.gpr[6] - data, m.state.eflags & 0x41]).toEqual([1, 4, 1]);
});

test('self-modifying code: the next instruction is the new one', () => {
  const m = new TestMachine();
  // mov byte [code+8],0x42 (inc edx); nop; [inc ecx]; hlt
  m.run('c6050850000042 90 41 f4');
  expect([m.state.gpr[1], m.state.gpr[2]]).toEqual([0, 1]);
});

test('bytes changed by others between two calls are seen', () => {
  const m = new TestMachine();
  m.run('41 f4');
  m.state.halted = 0;
  m.run('42 f4');
  expect([m.state.gpr[1], m.state.gpr[2]]).toEqual([1, 1]);
});

test('single step: a trap after each instruction, none for the one that sets TF', () => {
  const m = new TestMachine();
  // pushf; or byte [esp+1],1; popf; inc ecx; inc ecx
  m.run('9c 804c240101 9d 41 41 f4');
  expect(m.taken()).toBe(1);
  expect([m.state.gpr[1], m.stack(1)[0]]).toEqual([1, code + 8]);
  expect(m.state.u32[m.state.u32.length - 1]).toBe(0);
});

test('sti and mov ss hold interrupts off for one instruction', () => {
  const m = new TestMachine();
  m.load('fb 90 f4', code);
  m.interpreter.step();
  expect(m.state.interruptShadow).toBe(1);
  m.interpreter.step();
  expect(m.state.interruptShadow).toBe(0);
  m.load('8ed0 90', code);
  m.state.eip = code;
  m.state.gpr[0] = sel.data;
  m.interpreter.step();
  expect(m.state.interruptShadow).toBe(1);
});

test('hlt waits; an interrupt ends it behind the hlt', () => {
  const m = new TestMachine();
  expect(m.run('fb f4 90')).toBe(StepResult.Halt);
  expect(m.interpreter.step()).toBe(StepResult.Halt);
  expect(m.interpreter.deliverInterrupt(0x20)).toBe(StepResult.Ok);
  expect(m.stack(1)).toEqual([code + 2]);
});

test('a contributory fault on a contributory one is #DF, without a handler a triple fault', () => {
  const m = new TestMachine();
  m.gate(13, 0x40, 0, 0x8e00); // selector of an empty descriptor
  m.run('31c0 8ee0 b838000000 8ee0');
  expect(m.taken()).toBe(8);
  expect(m.stack(1)).toEqual([0]);
  const t = new TestMachine();
  t.state.set('idtrLimit', 0);
  expect(t.run('0f0b')).toBe(StepResult.TripleFault);
});

test('masked features are #UD, tzcnt falls back to bsf', () => {
  const m = new TestMachine({ featureAllowed: name => name !== 'popcnt' && name !== 'bmi1' });
  m.state.gpr[1] = 0x80;
  m.state.gpr[0] = 5;
  m.run('f30fbcc1 31c9 f30fbcd1 f30fb8c0');
  expect(m.taken()).toBe(6);
  expect([m.state.gpr[0], m.state.gpr[2]]).toEqual([7, 0]);
});

test('run stops after exactly n instructions', () => {
  const m = new TestMachine();
  m.load('41 41 41 41 ebfa', code);
  m.interpreter.run(7, () => false);
  expect([m.state.gpr[1], m.state.eip, m.interpreter.instructionsExecuted]).toEqual([6, code + 2, 7]);
});
