/**
 * One guest in which the cases run, at CPL 3 in a flat 32-bit segment under PAE
 * paging with NX: by the translator as the vCPU's loop would, and by the
 * interpreter alone.
 *
 * Faults go through a real IDT: every vector has a handler address of its own
 * in the kernel's page, and its frame on the kernel stack tells the outcome.
 * Nothing is executed at CPL 0.
 */
import { featureAllowed, GuestCpuid, hostFeatures, SegIndex, stateOffset, VcpuState, XSAVE_OFFSET } from '@godwit/cpu';
import { Interpreter, StepResult } from '@godwit/interpreter';
import { type Buffers, loadNative, type Native } from '@godwit/metal';
import { Translator } from '@godwit/translator';
import { hostCpuidQuery } from '@godwit/vmm';
import { GuestMemory } from '@godwit/vmm/dist/guest-memory';
import { BlockTranslator } from '@godwit/vmm/dist/translate-block';
import {
  type Case, GS_BASE, type Outcome, Protection, regions, toPhysical, WRITABLE_BYTES, WRITABLE_GPA, XSAVE_BYTES,
} from './layout';

const RAM_BYTES = 16 << 20;
const CODE_CACHE_BYTES = 32 << 20;
/** Linear and physical place of the kernel's tables; the user may not touch them. */
const KERNEL = 0xc0000000;
const KERNEL_GPA = 0x200000;
export const KERNEL_BYTES = 0x8000;
const GDT = 0, IDT = 0x1000, TSS = 0x2000, STACK_TOP = 0x5000, HANDLERS = 0x6000;
const PAGE_TABLES = 0x1000;
/** Selectors as Linux gives them to a 32-bit process. */
export const selectors = { kernelCode: 0x08, kernelData: 0x10, code: 0x23, data: 0x2b, tls: 0x63, tss: 0x80 };
/** The architectural part of the state block: what a case starts from. */
const ARCHITECTURAL_BYTES = stateOffset.tlbGeneration;
const MAX_STEPS = 400;
const INT3 = 0xcc;

const enum Exit { Miss = 1, Interpret = 2, Exception = 3, UserAccess = 6 }

export class Godwit {
  readonly ram: Uint8Array;
  /** Set when the case's own instruction was left to the interpreter. */
  interpreted = false;
  /** Set when any instruction of the case was. */
  interpretedAny = false;
  readonly allowed: Set<string>;
  private readonly native: Native;
  private readonly state: VcpuState;
  private readonly interpreter: Interpreter;
  private readonly blocks: BlockTranslator;
  /** Every other case goes through the software TLB instead of the window. */
  private softTlb = false;
  private readonly memory: GuestMemory;
  private readonly template: Uint8Array;
  private readonly view: DataView;
  private pageTableCursor = PAGE_TABLES;

  constructor() {
    this.native = loadNative();
    const { native } = this;
    const buffers: Buffers = native.create(RAM_BYTES, CODE_CACHE_BYTES);
    native.attach();
    this.state = new VcpuState(buffers.state);
    this.ram = new Uint8Array(buffers.ram);
    this.view = new DataView(buffers.ram);
    this.allowed = hostFeatures(hostCpuidQuery(native));
    const isAllowed = (f: Parameters<typeof featureAllowed>[1]): boolean => featureAllowed(this.allowed, f);
    this.memory = new GuestMemory(native, buffers, { read: () => 0xffffffff, write: () => {} });
    this.interpreter = new Interpreter(this.state, {
      memory: this.memory,
      io: { in: () => 0xffffffff, out: () => {} },
      host: { execute: (code) => native.executeHost(code) },
      cpuid: new GuestCpuid(hostCpuidQuery(native), this.allowed, this.state),
      hooks: { flushTlb: (kind) => native.flushTlb(kind === 'all' ? 1 : 0), flushPage: (linear) => native.flushPage(linear) },
      hostTsc: () => native.hostTsc(),
      featureAllowed: isAllowed,
    });
    const translator = new Translator({
      code: new Uint8Array(buffers.code), meta: new Uint16Array(buffers.meta), featureAllowed: isAllowed, onFeature: () => {},
      hostBmi2: (hostCpuidQuery(native)(7, 0)[1] & 0x100) !== 0,
    });
    this.blocks = new BlockTranslator(native, buffers, this.state, this.memory, translator, (linear) => {
      const found = this.interpreter.translateLinear(linear, 'execute', this.state.cpl === 3);
      return typeof found === 'number' && this.memory.isRam(found) ? found : -1;
    }, { has: () => this.softTlb, change: () => {} });
    this.powerOn();
    this.template = Uint8Array.from(this.state.bytes.subarray(0, ARCHITECTURAL_BYTES));
    native.flushTlb(2);
  }

  /** New code and data have been put into `ram`. `lowMapped`: the host offers the region for 16-bit addresses. */
  memoryChanged(lowMapped: boolean): void {
    this.buildPageTables(lowMapped);
    this.native.flushCode();
    this.native.flushTlb(2);
    this.interpreter.invalidateAll();
  }

  translated(c: Case, image: Uint8Array): Outcome {
    this.load(c, image);
    this.interpreted = false;
    this.interpretedAny = false;
    this.softTlb = !this.softTlb;
    const s = this.state;
    for (let steps = 0; s.cpl === 3 && steps < MAX_STEPS; steps++) {
      const exit = this.native.run();
      if (exit === Exit.Miss) {
        if (s.cpl !== 3) break;
        if (!this.blocks.translateAt(s.eip)) this.interpreter.step();
      } else if (exit === Exit.Interpret) {
        if (s.eip === c.eip) this.interpreted = true;
        if (this.ram[toPhysical(s.eip)] !== INT3) this.interpretedAny = true;
        this.interpreter.step();
      } else if (exit === Exit.Exception) {
        const vector = s.get('exitVector');
        this.interpreter.deliverException(vector, s.get('exitHasErrorCode') ? s.get('exitErrorCode') : null, vector === 14 ? s.cr2 : undefined);
      } else if (exit !== Exit.UserAccess) throw new Error(`unexpected exit ${exit}`);
    }
    return this.outcome();
  }

  interpretedAlone(c: Case, image: Uint8Array): Outcome {
    this.load(c, image);
    const s = this.state;
    for (let steps = 0; s.cpl === 3 && steps < MAX_STEPS; steps++) {
      if (this.interpreter.step() === StepResult.TripleFault) throw new Error('triple fault');
    }
    return this.outcome();
  }

  private load(c: Case, image: Uint8Array): void {
    const s = this.state;
    s.bytes.set(this.template);
    s.gpr.set(c.gpr);
    s.eip = c.eip;
    s.eflags = c.eflags;
    // The host has put MXCSR_MASK there, once it has saved the state for the first time.
    const mask = s.view.getUint32(XSAVE_OFFSET + 28, true);
    s.bytes.set(c.xsave, XSAVE_OFFSET);
    s.view.setUint32(XSAVE_OFFSET + 28, mask, true);
    this.ram.set(image.subarray(WRITABLE_GPA, WRITABLE_GPA + WRITABLE_BYTES), WRITABLE_GPA);
    for (const [address, value] of c.patches) this.view.setUint32(toPhysical(address), value, true);
  }

  /** Reads the exception frame that ended the case. */
  private outcome(): Outcome {
    const s = this.state;
    const memory = Uint8Array.from(this.ram.subarray(WRITABLE_GPA, WRITABLE_GPA + WRITABLE_BYTES));
    const handler = (s.eip - KERNEL - HANDLERS) >>> 0;
    const base = {
      selectors: [0, 1, 2, 3, 4, 5].map((i) => s.selector(i)),
      cr2: s.cr2, memory, xsave: Uint8Array.from(s.xsave.subarray(0, XSAVE_BYTES)), gpr: Uint32Array.from(s.gpr),
    };
    if (s.cpl !== 0 || handler >= 0x1000) return { ...base, eip: s.eip, eflags: s.eflags, vector: -1, errorCode: 0 };
    const frame: number[] = [];
    for (let at = s.gpr[4]; at < KERNEL + STACK_TOP; at += 4) frame.push(this.view.getUint32(at - KERNEL + KERNEL_GPA, true));
    const errorCode = frame.length === 6 ? frame.shift()! : 0;
    const vector = handler >> 4;
    base.gpr[4] = frame[3];
    base.selectors[SegIndex.CS] = frame[1] & 0xffff;
    base.selectors[SegIndex.SS] = frame[4] & 0xffff;
    return { ...base, vector, errorCode, eip: (frame[0] - (vector === 3 ? 1 : 0)) >>> 0, eflags: frame[2] };
  }

  // --- the guest's tables ------------------------------------------------------------

  private powerOn(): void {
    const s = this.state;
    s.cr0 = 0x80010033;
    s.cr3 = PAGE_TABLES;
    s.cr4 = 0x40620; // PAE, OSFXSR, OSXMMEXCPT, OSXSAVE
    s.efer = 0x800; // NXE
    s.set('xcr0', 7);
    s.cpl = 3;
    s.eflags = 0x202;
    const table = (offset: number, selector: number, base: number, limit: number, access: number): void => {
      const at = KERNEL_GPA + offset + (selector & 0xfff8);
      this.view.setUint32(at, ((limit & 0xffff) | (base << 16)) >>> 0, true);
      this.view.setUint32(at + 4, ((access & 0xf0ff00) | (limit & 0xf0000) | ((base >>> 16) & 0xff) | (base & 0xff000000)) >>> 0, true);
    };
    table(GDT, selectors.kernelCode, 0, 0xfffff, 0xc09b00);
    table(GDT, selectors.kernelData, 0, 0xfffff, 0xc09300);
    table(GDT, selectors.code, 0, 0xfffff, 0xc0fb00);
    table(GDT, selectors.data, 0, 0xfffff, 0xc0f300);
    table(GDT, selectors.tls, GS_BASE, 0xfffff, 0xc0f300);
    s.set('gdtrBase', KERNEL + GDT);
    s.set('gdtrLimit', 0x7f);
    s.set('idtrBase', KERNEL + IDT);
    s.set('idtrLimit', 0x7ff);
    for (let vector = 0; vector < 256; vector++) {
      const offset = HANDLERS + vector * 16;
      this.view.setUint32(KERNEL_GPA + IDT + vector * 8, (selectors.kernelCode << 16) | offset, true);
      // Linux lets user code raise #BP, #OF and 0x80 by itself.
      this.view.setUint32(KERNEL_GPA + IDT + vector * 8 + 4, (KERNEL | ([3, 4, 0x80].includes(vector) ? 0xee00 : 0x8e00)) >>> 0, true);
    }
    this.view.setUint32(KERNEL_GPA + TSS + 4, KERNEL + STACK_TOP, true);
    this.view.setUint32(KERNEL_GPA + TSS + 8, selectors.kernelData, true);
    this.view.setUint16(KERNEL_GPA + TSS + 0x66, 0x68, true);
    s.setSegment(SegIndex.TR, selectors.tss, KERNEL + TSS, 0x67, 0x8b00);
    s.setSegment(SegIndex.LDTR, 0, 0, 0, 0);
    for (const seg of [SegIndex.ES, SegIndex.SS, SegIndex.DS]) s.setSegment(seg, selectors.data, 0, 0xffffffff, 0xc0f300);
    s.setSegment(SegIndex.CS, selectors.code, 0, 0xffffffff, 0xc0fb00);
    s.setSegment(SegIndex.FS, 0, 0, 0, 0);
    s.setSegment(SegIndex.GS, selectors.tls, GS_BASE, 0xffffffff, 0xc0f300);
    this.buildPageTables(true);
  }

  private buildPageTables(lowMapped: boolean): void {
    this.ram.fill(0, PAGE_TABLES, PAGE_TABLES + 0x20000);
    this.pageTableCursor = PAGE_TABLES + 0x1000;
    for (const r of regions) {
      if (r.protection & Protection.Low && !lowMapped) continue;
      const writable = r.protection & Protection.Write ? 2 : 0;
      for (let at = 0; at < r.bytes; at += 4096) this.map(r.linear + at, r.gpa + at, 5 | writable, (r.protection & Protection.Exec) === 0);
    }
    for (let at = 0; at < KERNEL_BYTES; at += 4096) this.map(KERNEL + at, KERNEL_GPA + at, 3, false);
  }

  /** Accessed and dirty are set beforehand: nothing writes to the tables while cases run. */
  private map(linear: number, gpa: number, bits: number, noExecute: boolean): void {
    const directory = this.tableAt(PAGE_TABLES + (linear >>> 30) * 8, 1);
    const table = this.tableAt(directory + ((linear >>> 21) & 511) * 8, 7);
    const entry = table + ((linear >>> 12) & 511) * 8;
    this.view.setUint32(entry, gpa | bits | 0x60, true);
    this.view.setUint32(entry + 4, noExecute ? 0x80000000 : 0, true);
  }

  private tableAt(entry: number, bits: number): number {
    const found = this.view.getUint32(entry, true);
    if (found & 1) return found & ~0xfff;
    const page = this.pageTableCursor;
    this.pageTableCursor += 4096;
    this.view.setUint32(entry, page | bits | (bits === 7 ? 0x20 : 0), true);
    return page;
  }
}

export { INT3, KERNEL };
