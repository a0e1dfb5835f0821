import type { Instruction } from '@godwit/isa';

/**
 * What the interpreter needs from the world. Addresses are guest-physical
 * unless they say otherwise; values are unsigned.
 */

/** Guest-physical memory: RAM, ROM and device memory behind one face. */
export interface PhysicalMemory {
  read8(gpa: number): number;
  read16(gpa: number): number;
  read32(gpa: number): number;
  write8(gpa: number, value: number): void;
  write16(gpa: number, value: number): void;
  write32(gpa: number, value: number): void;
  /**
   * The RAM page as seen by this process, or undefined where the page is not
   * plain RAM (device memory, hole). `offset` into `bytes` is the page's start.
   */
  ram: Uint8Array;
  /** True when the whole 4 KiB page at gpa is plain RAM (an index into `ram`). */
  isRam(gpa: number): boolean;
  /**
   * Must be called before RAM of that page is written directly (not through
   * write8/16/32, which do it themselves): drops code translated or cached
   * from that page and marks it dirty.
   */
  beforeWrite(gpa: number): void;
  /** One byte a page; non-zero: `beforeWrite` has work to do for this page. May be used to skip the call. */
  watched: Uint8Array;
}

export interface PortIo {
  in(port: number, size: 1 | 2 | 4): number;
  out(port: number, size: 1 | 2 | 4, value: number): void;
}

/** Executes one x87/MMX/SSE/AVX/BMI instruction on the host CPU with the state block's registers, XSAVE area and EFLAGS; a memory operand is taken from / left in the state block's scratch area. */
export interface HostUnit {
  /** `code` is a complete host encoding whose memory operand (if any) has been rewritten to the scratch area; see `encodeForScratch` of @godwit/isa. Returns the exception vector raised (16 #MF, 19 #XM, 0 #DE is -> 0x100, 6 #UD) or -1. */
  execute(code: Uint8Array): number;
}

/** CPUID as the guest sees it. */
export interface CpuidSource {
  /** [eax, ebx, ecx, edx], unsigned. */
  query(leaf: number, subleaf: number): readonly [number, number, number, number];
}

/** The local APIC's registers that are MSRs (SDM 4: IA32_APIC_BASE, IA32_TSC_DEADLINE). */
export interface ApicMsrs {
  readBase(): bigint;
  /** False: such a value is not allowed. */
  writeBase(value: bigint): boolean;
  /** Undefined: there is no such register. */
  readDeadline(): bigint | undefined;
  /** False: there is no such register. */
  writeDeadline(value: bigint): boolean;
  /** The time stamp counter was set. */
  tscMoved(): void;
}

/** Told of what the interpreter changes behind the translated world's back. */
export interface CpuHooks {
  /** CR0, CR4, EFER or CR3 written: `kind` says how much is stale. */
  flushTlb(kind: 'non-global' | 'all'): void;
  flushPage(linear: number): void;
}

/** Thrown inside a core when a guest exception must be delivered; caught at the instruction border. */
export interface GuestFault {
  vector: number;
  errorCode: number;
  hasErrorCode: boolean;
}

export type FeatureUse = (instruction: Instruction) => void;
