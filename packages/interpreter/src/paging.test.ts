/** Proves the page walk and the TLB: large pages, PAE, NX, reserved bits, accessed and dirty bits, flushes. */
import { layout, TestMachine } from './testing';

const { code, data } = layout;
const CR4_PSE = 0x10;
const CR4_PAE = 0x20;
const CR4_PGE = 0x80;

/** One directory, the first 2 MiB by a table of 4 KiB pages that the test may change. */
function pae(m: TestMachine, entries: Record<number, [low: number, high: number]> = {}, nx = true): void {
  const [pointers, directory, table] = [0x80000, 0x81000, 0x82000];
  m.put32(pointers, directory | 1, 0);
  m.put32(directory, table | 7, 0);
  for (let page = 0; page < 256; page++) m.put32(table + page * 8, ...(entries[page] ?? [(page << 12) | 7, 0]));
  m.state.set('cr3', pointers);
  m.state.cr4 = CR4_PAE;
  m.state.efer = nx ? 0x800 : 0;
  m.state.cr0 = 0x80010011;
}

test('PAE maps, sets A and D, and refuses execution of NX pages', () => {
  const m = new TestMachine();
  pae(m, { [0x0c]: [0xd007, 0], [0x06]: [0x6007, 0x80000000] });
  // mov dword [0xc000],5; jmp 0x6000
  m.run('c70500c0000005000000 e9f10f0000');
  expect(m.taken()).toBe(14);
  expect([m.state.cr2, m.stack(1)[0]]).toEqual([0x6000, 0x11]);
  expect(m.get32(0xd000)).toBe(5);
  expect(m.get32(0x82000 + 0x0c * 8) & 0x60).toBe(0x60);
});

test('PAE: address bits above the width and NX without EFER.NX are reserved', () => {
  for (const [high, nx] of [[0x100, true], [0x80000000, false]] as const) {
    const m = new TestMachine();
    pae(m, { [0x0c]: [0xd007, high] }, nx);
    m.run('a100c00000');
    expect(m.taken()).toBe(14);
    expect(m.stack(1)[0]).toBe(9);
  }
});

test('PAE 2 MiB and 32-bit 4 MiB pages', () => {
  const m = new TestMachine();
  pae(m);
  m.put32(0x81000 + 8, 0x87, 0);
  m.put32(data, 0x1234);
  m.run('a100a02000 f4');
  expect(m.state.gpr[0]).toBe(0x1234);
  const large = new TestMachine();
  large.put32(0x80000, 0x87, 0x87);
  large.state.set('cr3', 0x80000);
  large.state.cr4 = CR4_PSE;
  large.state.cr0 = 0x80010011;
  large.put32(data, 0x1234);
  large.run('a100a04000 a300b04000 f4');
  expect([large.state.gpr[0], large.get32(0xb000)]).toEqual([0x1234, 0x1234]);
  expect([large.get32(0x80004) & 0x60]).toEqual([0x60]);
});

test('D is set by the first write though reads have filled the TLB', () => {
  const m = new TestMachine();
  m.paging();
  m.run('a100a00000 f4');
  expect(m.pte(0x0a) & 0x60).toBe(0x20);
  m.state.halted = 0;
  m.run('a100a00000 a300a00000 f4');
  expect(m.pte(0x0a) & 0x60).toBe(0x60);
});

test('stale entries stay until invlpg; a CR3 load keeps global pages', () => {
  const m = new TestMachine();
  m.paging({ [0x0c]: 0xd107, [0x0d]: 0xd007 });
  m.state.cr4 = CR4_PGE;
  m.put32(0xd000, 1);
  m.put32(0xe000, 2);
  // read [0xc000]; repoint its entry to page e; read (stale); mov cr3,cr3; read (global: stale); invlpg; read
  m.run('a100c00000 c7053010080007e10000 a100c00000 89c1 0f20d8 0f22d8 8b1500c00000 0f013d00c00000 8b1d00c00000 f4');
  expect([m.state.gpr[1], m.state.gpr[2], m.state.gpr[3]]).toEqual([1, 1, 2]);
});

test('user accesses of supervisor pages: error code 5, write 7', () => {
  for (const [bytes, errorCode] of [['a100c00000', 5], ['a300c00000', 7]] as const) {
    const m = new TestMachine();
    m.paging({ [0x0c]: 0xc003 });
    m.user();
    m.run(bytes);
    expect(m.stack(2)).toEqual([errorCode, code]);
  }
});

test('translateLinear answers like an access', () => {
  const m = new TestMachine();
  m.paging({ [0x0c]: 0xd003, [0x0b]: 0 });
  expect(m.interpreter.translateLinear(0xc123, 'read', false)).toBe(0xd123);
  expect(m.interpreter.translateLinear(0xc123, 'read', true)).toEqual({ vector: 14, errorCode: 5, hasErrorCode: true });
  expect(m.interpreter.translateLinear(0xb000, 'write', false)).toEqual({ vector: 14, errorCode: 2, hasErrorCode: true });
});
