/**
 * A vCPU with flat RAM for tests: protected mode with the descriptors and the
 * interrupt table that most tests need. Every vector's handler is a `hlt`, so
 * after a run `taken()` tells which exception came.
 */
import { type PhysicalMemory, SegIndex, VcpuState } from '@godwit/cpu';
import { Interpreter, type StepResult } from './interpreter';
import type { InterpreterPorts } from './core';

export const layout = {
  gdt: 0x800, idt: 0x1000, tss: 0x2000, handlers: 0x3000, code: 0x5000, stack: 0x8000, innerStack: 0x9000, data: 0xa000,
} as const;

/** Selectors of the flat segments; user ones carry RPL 3. */
export const sel = { code: 0x08, data: 0x10, userCode: 0x1b, userData: 0x23, tss: 0x28, free: 0x30 } as const;

const RAM_BYTES = 1 << 20;

export class FlatRam implements PhysicalMemory {
  readonly ram = new Uint8Array(RAM_BYTES);
  readonly watched = new Uint8Array(RAM_BYTES >>> 12);
  readonly view = new DataView(this.ram.buffer);
  isRam(gpa: number): boolean { return gpa < RAM_BYTES; }
  beforeWrite(): void {}
  read8(gpa: number): number { return this.isRam(gpa) ? this.ram[gpa] : 0xff; }
  read16(gpa: number): number { return this.isRam(gpa) ? this.view.getUint16(gpa, true) : 0xffff; }
  read32(gpa: number): number { return this.isRam(gpa) ? this.view.getUint32(gpa, true) : 0xffffffff; }
  write8(): void {}
  write16(): void {}
  write32(): void {}
}

export class TestMachine {
  readonly memory = new FlatRam();
  readonly state = new VcpuState();
  readonly ports: { port: number; size: number; value: number }[] = [];
  readonly interpreter: Interpreter;

  constructor(change: Partial<InterpreterPorts> = {}) {
    this.interpreter = new Interpreter(this.state, {
      memory: this.memory,
      io: { in: () => 0x5a, out: (port, size, value) => { this.ports.push({ port, size, value }); } },
      host: { execute: () => -1 },
      cpuid: { query: () => [0, 0, 0, 0] },
      hooks: { flushTlb: () => undefined, flushPage: () => undefined },
      hostTsc: () => 1000n,
      featureAllowed: () => true,
      ...change,
    });
    this.reset();
  }

  private reset(): void {
    const { state } = this;
    this.descriptor(sel.code, 0, 0xfffff, 0xc09b00);
    this.descriptor(sel.data, 0, 0xfffff, 0xc09300);
    this.descriptor(sel.userCode, 0, 0xfffff, 0xc0fb00);
    this.descriptor(sel.userData, 0, 0xfffff, 0xc0f300);
    this.descriptor(sel.tss, layout.tss, 0x2067, 0x008b00);
    state.set('gdtrBase', layout.gdt);
    state.set('gdtrLimit', 0xff);
    state.set('idtrBase', layout.idt);
    state.set('idtrLimit', 0x7ff);
    for (let vector = 0; vector < 256; vector++) {
      this.gate(vector, sel.code, layout.handlers + vector * 16, 0xee00);
      this.memory.ram[layout.handlers + vector * 16] = 0xf4;
    }
    this.put32(layout.tss + 4, layout.innerStack, sel.data);
    this.put16(layout.tss + 0x66, 0x68);
    state.setSegment(SegIndex.TR, sel.tss, layout.tss, 0x2067, 0x8b00);
    state.setSegment(SegIndex.LDTR, 0, 0, 0, 0);
    state.cr0 = 0x11;
    this.kernel();
    state.eip = layout.code;
    state.eflags = 2;
    state.gpr[4] = layout.stack;
  }

  /** CPL 0, flat. */
  kernel(): void {
    this.flat(0, sel.code, sel.data);
  }

  /** CPL 3, flat. */
  user(): void {
    this.flat(3, sel.userCode, sel.userData);
  }

  private flat(cpl: number, code: number, data: number): void {
    const { state } = this;
    state.cpl = cpl;
    const dpl = cpl << 13;
    for (const seg of [SegIndex.ES, SegIndex.SS, SegIndex.DS, SegIndex.FS, SegIndex.GS]) state.setSegment(seg, data, 0, 0xffffffff, 0xc09300 | dpl);
    state.setSegment(SegIndex.CS, code, 0, 0xffffffff, 0xc09b00 | dpl);
  }

  real(): void {
    const { state } = this;
    state.cr0 = 0x10;
    state.cpl = 0;
    for (let seg = 0; seg < 6; seg++) state.setSegment(seg, 0, 0, 0xffff, 0x9300);
    state.set('idtrBase', 0);
    state.set('idtrLimit', 0x3ff);
  }

  /** `access` as in the state block; `limit` in the descriptor's own unit. */
  descriptor(selector: number, base: number, limit: number, access: number): void {
    this.put32(layout.gdt + (selector & 0xfff8), (limit & 0xffff) | (base << 16), (access & 0xf0ff00) | (limit & 0xf0000) | ((base >>> 16) & 0xff) | (base & 0xff000000));
  }

  gate(vector: number, selector: number, offset: number, access: number): void {
    this.put32(layout.idt + vector * 8, (selector << 16) | (offset & 0xffff), (offset & 0xffff0000) | access);
  }

  callGate(selector: number, target: number, offset: number, access: number): void {
    this.put32(layout.gdt + (selector & 0xfff8), (target << 16) | (offset & 0xffff), (offset & 0xffff0000) | access);
  }

  put32(gpa: number, ...values: number[]): void { values.forEach((value, n) => this.memory.view.setInt32(gpa + n * 4, value, true)); }
  put16(gpa: number, ...values: number[]): void { values.forEach((value, n) => this.memory.view.setInt16(gpa + n * 2, value, true)); }
  get32(gpa: number): number { return this.memory.view.getUint32(gpa, true); }

  /** 4 KiB pages, one table: linear page n maps to `entries[n]`, others one to one with 7 (present, writable, user). */
  paging(entries: Record<number, number> = {}): void {
    const directory = 0x80000;
    const table = 0x81000;
    this.put32(directory, table | 7);
    for (let page = 0; page < 256; page++) this.put32(table + page * 4, entries[page] ?? ((page << 12) | 7));
    this.state.set('cr3', directory);
    this.state.cr0 = 0x80010011;
  }

  pte(page: number): number { return this.get32(0x81000 + page * 4); }

  /** Loads code (spaces in hex are ignored) at `at`, and runs to a hlt. */
  run(hex: string, at: number = layout.code, limit = 10_000): StepResult {
    this.load(hex, at);
    this.state.eip = at - this.state.base(SegIndex.CS);
    return this.interpreter.run(limit, () => false);
  }

  load(hex: string, at: number): void {
    this.memory.ram.set(Buffer.from(hex.replace(/\s+/g, ''), 'hex'), at);
  }

  /** Vector whose handler halted, or -1 when it was the program's own hlt. */
  taken(): number {
    const at = this.state.eip - 1 - layout.handlers;
    return at >= 0 && at < 0x1000 && at % 16 === 0 ? at / 16 : -1;
  }

  /** Dwords from the stack pointer up. */
  stack(count: number): number[] {
    return Array.from({ length: count }, (_, n) => this.get32(this.state.gpr[4] + n * 4));
  }
}
