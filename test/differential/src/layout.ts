/**
 * The address space that a case sees, the same on the host CPU and in the
 * guest, and the file through which cases and results travel to the oracle
 * (the twin of the structures in ../oracle.c).
 *
 *   file:  header │ region images │ cases │ results
 *
 * Everything not listed is unmapped on both sides, so that a stray access is
 * the same page fault in both.
 */

export const enum Protection {
  Read = 1,
  Write = 2,
  Exec = 4,
  /** Below vm.mmap_min_addr: there only if the host allows it. For 16-bit addresses. */
  Low = 8,
}

export interface Region {
  linear: number;
  bytes: number;
  protection: number;
  /** Where the guest has it in physical memory. */
  gpa: number;
}

export const DATA = 0x10000000;
export const READ_ONLY = 0x10005000;
export const STACK = 0x11000000;
export const LOW = 0x8000;
export const CODE = 0x12000000;
export const DATA_BYTES = 0x4000;
export const STACK_BYTES = 0x2000;
export const LOW_BYTES = 0x4000;
export const CODE_SLOT = 64;
export const CASES_PER_BATCH = 1024;
/** A page of int3 behind the cases: where jumps may land. */
export const LANDING = CODE + CASES_PER_BATCH * CODE_SLOT;
const CODE_BYTES = CASES_PER_BATCH * CODE_SLOT + 0x1000;
/** Base of the gs segment, which stands for thread-local storage; the host gives it selector 63 (TLS entry 12). */
export const GS_BASE = DATA + 0x1040;

/** The writable regions are contiguous in guest-physical memory: one comparison sees all of them. */
export const WRITABLE_GPA = 0x100000;
export const WRITABLE_BYTES = DATA_BYTES + STACK_BYTES + LOW_BYTES;
export const regions: readonly Region[] = [
  { linear: DATA, bytes: DATA_BYTES, protection: Protection.Read | Protection.Write, gpa: WRITABLE_GPA },
  { linear: STACK, bytes: STACK_BYTES, protection: Protection.Read | Protection.Write, gpa: WRITABLE_GPA + DATA_BYTES },
  { linear: LOW, bytes: LOW_BYTES, protection: Protection.Read | Protection.Write | Protection.Low, gpa: WRITABLE_GPA + DATA_BYTES + STACK_BYTES },
  { linear: READ_ONLY, bytes: 0x1000, protection: Protection.Read, gpa: 0x120000 },
  { linear: CODE, bytes: CODE_BYTES, protection: Protection.Read | Protection.Exec, gpa: 0x140000 },
];

/** Guest-physical address of a mapped linear one, or -1. */
export function toPhysical(linear: number): number {
  const region = regions.find((r) => linear >= r.linear && linear < r.linear + r.bytes);
  return region ? region.gpa + linear - region.linear : -1;
}

export const MAGIC = 0x4f574447;
export const HEADER_BYTES = 4096;
export const CASE_BYTES = 1152;
export const CASE_XSAVE = 256;
export const RESULT_BYTES = 3712;
export const RESULT_XSAVE = 128;
export const RESULT_LINES = 960;
export const LINE_BYTES = 68;
export const MAX_LINES = 40;
export const MAX_PATCHES = 8;
export const XSAVE_BYTES = 832;

/** One test: the state before the instruction. */
export interface Case {
  /** Instruction bytes, at `eip`. */
  bytes: Uint8Array;
  length: number;
  eip: number;
  gpr: Uint32Array;
  eflags: number;
  /** (address, value) pairs put into the writable regions before the run. */
  patches: [number, number][];
  xsave: Uint8Array;
}

/** What came of it. */
export interface Outcome {
  gpr: Uint32Array;
  eip: number;
  eflags: number;
  /** es cs ss ds fs gs. */
  selectors: number[];
  /** 3 at an int3: the ordinary end. */
  vector: number;
  errorCode: number;
  cr2: number;
  xsave: Uint8Array;
  /** The writable regions, or null where they changed in too many places to be told. */
  memory: Uint8Array | null;
}
