/** Proves segmentation and its transfers: loads, limits, gates, returns, tasks, virtual-8086 mode, port permissions, real mode. */
import { SegIndex } from '@godwit/cpu';
import { StepResult } from './interpreter';
import { layout, sel, TestMachine } from './testing';

const { code, data, stack, innerStack, tss } = layout;

test.each([
  // mov eax,selector; mov ds,ax
  ['a selector beyond the table', 0x100, 13, 0x100],
  ['a system segment', sel.tss, 13, sel.tss],
  ['an absent segment', sel.free, 11, sel.free],
])('loading ds with %s', (_what, selector, vector, errorCode) => {
  const m = new TestMachine();
  m.descriptor(sel.free, 0, 0xfffff, 0xc01300);
  m.state.gpr[0] = selector;
  m.run('8ed8');
  expect(m.taken()).toBe(vector);
  expect(m.stack(2)).toEqual([errorCode, code]);
});

test('a null ds loads, and its use is #GP(0); a load sets the accessed bit', () => {
  const m = new TestMachine();
  m.descriptor(sel.free, data, 0xfff, 0x409200);
  m.state.gpr[0] = sel.free;
  m.run('8ed8 8b0d00000000 31c0 8ed8 a100000000');
  expect(m.taken()).toBe(13);
  expect(m.get32(layout.gdt + sel.free + 4) & 0x100).toBe(0x100);
  expect(m.stack(2)).toEqual([0, code + 12]);
});

test('limits: last byte inside passes, one beyond faults; expand-down is the reverse', () => {
  const m = new TestMachine();
  m.descriptor(sel.free, data, 0xf, 0x409300);
  m.state.gpr[0] = sel.free;
  m.run('8ed8 a10c000000 a10d000000');
  expect(m.taken()).toBe(13);
  expect(m.stack(2)[1]).toBe(code + 7);
  const d = new TestMachine();
  d.descriptor(sel.free, 0, 0xfff, 0x409700);
  d.state.gpr[0] = sel.free;
  d.run('8ed8 a100100000 a1ff0f0000');
  expect(d.taken()).toBe(13);
  expect(d.stack(2)[1]).toBe(code + 7);
});

test('int n from user switches the stack, iret comes back', () => {
  const m = new TestMachine();
  m.user();
  m.state.eflags = 0x202;
  m.load('cf', layout.handlers + 0x80 * 16);
  // int 0x80; inc ecx; hlt (#GP at CPL 3)
  m.run('cd80 41 f4');
  expect(m.taken()).toBe(13);
  expect(m.state.gpr[1]).toBe(1);
  expect(m.stack(6)).toEqual([0, code + 3, sel.userCode, expect.any(Number), stack, sel.userData]);
  expect(m.state.gpr[4]).toBe(innerStack - 24);
});

test('int n through a gate of a lower DPL is #GP(vector * 8 + 2)', () => {
  const m = new TestMachine();
  m.user();
  m.gate(0x80, sel.code, layout.handlers + 0x800, 0x8e00);
  m.run('cd80');
  expect(m.taken()).toBe(13);
  expect(m.stack(2)).toEqual([0x402, code]);
});

test('a call gate copies parameters to the inner stack; retf drops them from both', () => {
  const m = new TestMachine();
  m.user();
  m.callGate(sel.free, sel.code, 0x6000, 0xec02);
  // inner: mov eax,[esp+8]; retf 8
  m.load('8b442408 ca0800', 0x6000);
  // push 0x11; push 0x22; callf free|3:0; mov ecx,esp; int 0x81
  m.run('6a11 6a22 9a00000000 3300 89e1 cd81');
  expect(m.taken()).toBe(0x81);
  expect([m.state.gpr[0], m.state.gpr[1]]).toEqual([0x22, stack]);
});

test('a far return to an outer level clears segments it may not use', () => {
  const m = new TestMachine();
  // push userData; push 0x7000; push userCode; push 0x6000; retf
  m.load('8cd8 8ccb cd81', 0x6000);
  m.run('6a23 6800700000 6a1b 6800600000 cb');
  expect(m.taken()).toBe(0x81);
  expect([m.state.gpr[0], m.state.gpr[3]]).toEqual([0, sel.userCode]);
});

test('a task switch by far jump, and back by iret after a call', () => {
  const m = new TestMachine();
  const other = 0x4000;
  m.descriptor(sel.free, other, 0x67, 0x8900);
  m.put32(other + 0x20, 0x6000, 2, 1, 2, 3, 4, stack - 0x100, 6, 7, 8);
  m.put32(other + 0x48, sel.data, sel.code, sel.data, sel.data, 0, 0, 0);
  m.load('40 cf', 0x6000); // inc eax; iret
  m.state.gpr[1] = 0x77;
  m.run('9a00000000 3000 f4');
  expect(m.taken()).toBe(-1);
  expect([m.state.gpr[1], m.state.eip, m.state.selector(SegIndex.TR)]).toEqual([0x77, code + 8, sel.tss]);
  expect(m.get32(other + 0x28)).toBe(2);
  expect(m.state.cr0 & 8).toBe(8);
  expect(m.get32(layout.gdt + sel.free + 4) & 0x200).toBe(0);
});

test('a task gate takes an exception into another task with its error code', () => {
  const m = new TestMachine();
  const other = 0x4000;
  m.descriptor(sel.free, other, 0x67, 0x8900);
  m.put32(other + 0x20, 0x6000, 2, 0, 0, 0, 0, stack - 0x100, 0, 0, 0);
  m.put32(other + 0x48, sel.data, sel.code, sel.data, sel.data, 0, 0, 0);
  m.gate(13, sel.free, 0, 0x8500);
  m.load('58 f4', 0x6000); // pop eax; hlt
  m.state.gpr[0] = 0x100;
  expect(m.run('8ed8')).toBe(StepResult.Halt);
  expect([m.state.gpr[0], m.state.eip]).toEqual([0x100, 0x6002]);
  expect(m.state.eflags & 0x4000).toBe(0x4000);
  expect(m.get32(other) & 0xffff).toBe(sel.tss);
});

test('virtual-8086 mode: entry by iret, real addressing, int n leaves it with all segments saved', () => {
  const m = new TestMachine();
  m.memory.ram.set([0x8c, 0xd8, 0xa3, 0x10, 0x00, 0xcd, 0x81], 0x7000); // mov ax,ds; mov [0x10],ax; int 0x81
  const words = [0, 0x700, 0x23002, 0x100, 0x600, 0x111, 0xa00, 0x222, 0x333];
  m.put32(stack - words.length * 4, ...words);
  m.state.gpr[4] = stack - words.length * 4;
  m.run('cf');
  expect(m.taken()).toBe(0x81);
  expect(m.get32(0xa010) & 0xffff).toBe(0xa00);
  expect(m.stack(9)).toEqual([7, 0x700, 0x23002, 0x100, 0x600, 0x111, 0xa00, 0x222, 0x333]);
  expect(m.state.selector(SegIndex.DS)).toBe(0);
  expect([m.state.cpl, m.state.eflags & 0x20000]).toEqual([0, 0]);
});

test('virtual-8086 mode below IOPL 3: cli and int n are #GP(0)', () => {
  const m = new TestMachine();
  m.memory.ram.set([0xfa], 0x7000);
  const words = [0, 0x700, 0x20002, 0x100, 0x600, 0, 0, 0, 0];
  m.put32(stack - 36, ...words);
  m.state.gpr[4] = stack - 36;
  m.run('cf');
  expect(m.taken()).toBe(13);
  expect(m.stack(2)).toEqual([0, 0]);
});

test('ports: IOPL, then the bitmap, word by word', () => {
  const m = new TestMachine();
  m.user();
  m.memory.ram.fill(0xff, tss + 0x68, tss + 0x68 + 0x100);
  m.memory.ram[tss + 0x68 + 0x10] = 0xfc; // ports 80h and 81h
  m.run('e680 66e780 66e781');
  expect(m.taken()).toBe(13);
  expect(m.stack(2)[1]).toBe(code + 5);
  expect(m.ports.map(({ port, size }) => [port, size])).toEqual([[0x80, 1], [0x80, 2]]);
});

test('sysenter and sysexit', () => {
  const m = new TestMachine();
  m.user();
  m.state.set('sysenterCs', sel.code);
  m.state.set('sysenterEsp', innerStack);
  m.state.set('sysenterEip', 0x6000);
  m.load('8ccb 0f35', 0x6000); // mov ebx,cs; sysexit
  Object.assign(m.state.gpr, { 1: stack - 0x40, 2: code + 2 });
  m.run('0f34 8cc8 cd81');
  expect(m.taken()).toBe(0x81);
  expect([m.state.gpr[3], m.state.gpr[0], m.stack(4)[3]]).toEqual([sel.code, sel.code + 16 | 3, stack - 0x40]);
});

test('real mode: interrupts through the vector table, 64 KiB limits', () => {
  const m = new TestMachine();
  m.real();
  m.put16(0x20 * 4, 0x10, 0x700);
  m.memory.ram.set([0xcf], 0x7010);
  m.put16(13 * 4, 0x20, 0x700);
  m.memory.ram.set([0xf4], 0x7020);
  m.state.gpr[4] = 0x4000;
  // int 0x20; inc cx; mov eax,[0xfffe] crosses the limit
  m.run('cd20 41 66a1feff');
  expect([m.state.gpr[1], m.state.eip, m.state.selector(SegIndex.CS)]).toEqual([1, 0x21, 0x700]);
  expect(m.memory.view.getUint16(0x4000 - 6, true)).toBe(code + 3);
});

test('into protected mode and out of it', () => {
  const m = new TestMachine();
  m.real();
  // mov eax,cr0; or al,1; mov cr0,eax; jmp far 8:0x6000
  m.load('b810000000 8ed8 8ed0 f4', 0x6000);
  m.run('0f20c0 0c01 0f22c0 ea00600800');
  expect([m.state.eip, m.state.cr0 & 1, m.state.selector(SegIndex.SS)]).toEqual([0x600a, 1, sel.data]);
});
