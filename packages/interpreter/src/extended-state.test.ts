/** Proves saved vector state, the availability rules of the units, and the stores and loads with many addresses. The host CPU is not asked. */
import { XSAVE_OFFSET } from '@godwit/cpu';
import { layout, TestMachine } from './testing';

const { data, code } = layout;
const xmm = (register: number): number => 160 + register * 16;

function machine(): TestMachine {
  const m = new TestMachine();
  m.state.cr4 = 0x40600;
  m.state.set('xcr0', 7);
  m.state.view.setUint32(XSAVE_OFFSET + 24, 0x1f80, true);
  return m;
}

test('fxsave writes initial values for components in their initial state', () => {
  const m = machine();
  m.state.xsave.fill(0xee, xmm(0), xmm(8));
  m.run('0fae0500a00000 f4');
  expect(m.taken()).toBe(-1);
  expect(m.memory.read16(data)).toBe(0x37f);
  expect(m.memory.read32(data + 24)).toBe(0x1f80);
  expect(m.memory.read32(data + xmm(0))).toBe(0);
});

test('fxrstor takes an image; reserved MXCSR bits are #GP, so is a crooked address', () => {
  const m = machine();
  m.put32(data + xmm(3), 0x12345678);
  m.put32(data + 24, 0x1fa0);
  m.run('0fae0d00a00000 f4');
  expect(m.state.view.getUint32(XSAVE_OFFSET + xmm(3), true)).toBe(0x12345678);
  expect(m.state.xsave[512] & 3).toBe(3);
  m.state.halted = 0;
  m.put32(data + 24, 0x11fa0);
  m.run('0fae0d00a00000 f4');
  expect(m.taken()).toBe(13);
  const crooked = machine();
  crooked.run('0fae0d08a00000 f4');
  expect(crooked.taken()).toBe(13);
});

test('xrstor initialises what the image leaves out, xsave writes only what is asked for', () => {
  const m = machine();
  m.state.xsave[512] = 7;
  m.state.xsave.fill(0xee, xmm(0), xmm(8));
  m.state.gpr[0] = 2;
  m.memory.ram.fill(0x55, data, data + 576);
  m.memory.ram.fill(0, data + 512, data + 576);
  m.put32(data + 24, 0x1f80);
  // xrstor (SSE, header empty: initial); then xsave of SSE alone
  m.run('0fae2d00a00000 0fae2540a20000 f4');
  expect(m.taken()).toBe(-1);
  expect(m.state.xsave[xmm(0)]).toBe(0);
  expect([m.memory.ram[0xa240 + 512], m.memory.ram[0xa240 + 40]]).toEqual([2, 0]);
});

test.each([
  ['SSE without OSFXSR', 0x40000, 0x11, '0f58c1', 6],
  ['SSE with EM', 0x40600, 0x15, '0f58c1', 6],
  ['SSE with TS', 0x40600, 0x19, '0f58c1', 7],
  ['x87 with TS', 0x40600, 0x19, 'd9e8', 7],
  ['x87 with EM', 0x40600, 0x15, 'd9e8', 7],
  ['MMX with EM', 0x40600, 0x15, '0ffcc1', 6],
  ['AVX without OSXSAVE', 0x600, 0x11, 'c5f058c2', 6],
  ['fwait with TS and MP', 0x600, 0x1b, '9b', 7],
  ['movaps from a crooked address', 0x600, 0x11, '0f280501a00000', 13],
])('%s', (_what, cr4, cr0, bytes, vector) => {
  const m = machine();
  m.state.cr4 = cr4;
  m.state.cr0 = cr0;
  m.run(bytes);
  expect(m.taken()).toBe(vector);
});

test('xsetbv refuses AVX without SSE and unknown components', () => {
  for (const value of [5, 0, 0xf]) {
    const m = machine();
    m.state.gpr[0] = value;
    m.run('0f01d1');
    expect(m.taken()).toBe(13);
  }
});

test('maskmovdqu stores the chosen bytes; nothing when a page is absent', () => {
  const m = machine();
  m.paging({ [0x0b]: 0 });
  m.state.xsave[512] = 7;
  for (let n = 0; n < 16; n++) m.state.xsave[xmm(1) + n] = n + 1;
  m.state.xsave[xmm(2)] = 0x80;
  m.state.xsave[xmm(2) + 4] = 0xff;
  m.state.gpr[7] = 0xaffc;
  m.run('660ff7ca');
  expect(m.taken()).toBe(14);
  expect(m.memory.ram[0xaffc]).toBe(0);
  m.state.halted = 0;
  m.state.gpr[7] = data;
  m.run('660ff7ca f4');
  expect([...m.memory.ram.subarray(data, data + 6)]).toEqual([1, 0, 0, 0, 5, 0]);
});

test('a gather that faults keeps what it has done', () => {
  const m = machine();
  m.paging({ [0x0b]: 0 });
  m.state.xsave[512] = 7;
  m.put32(data + 0xff8, 11, 22);
  const view = m.state.view;
  [0, 1, 2, 3].forEach((index, n) => {
    view.setInt32(XSAVE_OFFSET + xmm(2) + n * 4, index, true);
    view.setInt32(XSAVE_OFFSET + xmm(3) + n * 4, -1, true);
  });
  m.state.gpr[0] = 0xaff8;
  m.run('c4e261900c90'); // vpgatherdd xmm1, [eax + xmm2 * 4], xmm3
  expect(m.taken()).toBe(14);
  expect([m.state.cr2, m.stack(2)[1]]).toEqual([0xb000, code]);
  const words = (register: number): number[] => [0, 1, 2, 3].map(n => view.getInt32(XSAVE_OFFSET + xmm(register) + n * 4, true));
  expect([words(1), words(3)]).toEqual([[11, 22, 0, 0], [0, 0, -1, -1]]);
});
