import { SegIndex, STATE_SIZE, stateOffset as o, XSAVE_OFFSET } from './layout';

/**
 * A typed view of one vCPU's state block. The arrays alias the block, so
 * values written by native code are seen at once.
 */
export class VcpuState {
  readonly bytes: Uint8Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly u64: BigUint64Array;
  readonly f64: Float64Array;
  readonly view: DataView;
  /** eax ecx edx ebx esp ebp esi edi, as unsigned and signed 32-bit. */
  readonly gpr: Uint32Array;
  readonly gprSigned: Int32Array;
  readonly gpr16: Uint16Array;
  readonly gpr8: Uint8Array;
  /** Four u32 each: selector, base, limit, access. */
  readonly segments: Uint32Array;
  readonly xsave: Uint8Array;

  constructor(readonly buffer: ArrayBufferLike = new ArrayBuffer(STATE_SIZE)) {
    this.bytes = new Uint8Array(buffer, 0, STATE_SIZE);
    this.u32 = new Uint32Array(buffer, 0, STATE_SIZE / 4);
    this.i32 = new Int32Array(buffer, 0, STATE_SIZE / 4);
    this.u64 = new BigUint64Array(buffer, 0, STATE_SIZE / 8);
    this.f64 = new Float64Array(buffer, 0, STATE_SIZE / 8);
    this.view = new DataView(buffer, 0, STATE_SIZE);
    this.gpr = new Uint32Array(buffer, o.gpr, 8);
    this.gprSigned = new Int32Array(buffer, o.gpr, 8);
    this.gpr16 = new Uint16Array(buffer, o.gpr, 16);
    this.gpr8 = new Uint8Array(buffer, o.gpr, 32);
    this.segments = new Uint32Array(buffer, o.segments, 32);
    this.xsave = new Uint8Array(buffer, XSAVE_OFFSET, 4096);
  }

  get eip(): number { return this.u32[o.eip >> 2]; }
  set eip(v: number) { this.u32[o.eip >> 2] = v; }
  get eflags(): number { return this.u32[o.eflags >> 2]; }
  set eflags(v: number) { this.u32[o.eflags >> 2] = v; }
  get cr0(): number { return this.u32[o.cr0 >> 2]; }
  set cr0(v: number) { this.u32[o.cr0 >> 2] = v; }
  get cr2(): number { return this.u32[o.cr2 >> 2]; }
  set cr2(v: number) { this.u32[o.cr2 >> 2] = v; }
  get cr3(): number { return this.u32[o.cr3 >> 2]; }
  set cr3(v: number) { this.u32[o.cr3 >> 2] = v; }
  get cr4(): number { return this.u32[o.cr4 >> 2]; }
  set cr4(v: number) { this.u32[o.cr4 >> 2] = v; }
  get cpl(): number { return this.u32[o.cpl >> 2]; }
  set cpl(v: number) { this.u32[o.cpl >> 2] = v; }
  get efer(): number { return this.u32[o.efer >> 2]; }
  set efer(v: number) { this.u32[o.efer >> 2] = v; }
  get halted(): number { return this.u32[o.halted >> 2]; }
  set halted(v: number) { this.u32[o.halted >> 2] = v; }
  get apicBase(): number { return this.u32[o.apicBase >> 2]; }
  get interruptShadow(): number { return this.u32[o.interruptShadow >> 2]; }
  set interruptShadow(v: number) { this.u32[o.interruptShadow >> 2] = v; }
  get(name: string): number { return this.u32[o[name] >> 2]; }
  set(name: string, v: number): void { this.u32[o[name] >> 2] = v; }
  selector(s: SegIndex): number { return this.segments[s * 4]; }
  base(s: SegIndex): number { return this.segments[s * 4 + 1]; }
  limit(s: SegIndex): number { return this.segments[s * 4 + 2]; }
  access(s: SegIndex): number { return this.segments[s * 4 + 3]; }
  setSegment(s: SegIndex, selector: number, base: number, limit: number, access: number): void {
    const i = s * 4;
    this.segments[i] = selector;
    this.segments[i + 1] = base;
    this.segments[i + 2] = limit;
    this.segments[i + 3] = access;
  }
}
