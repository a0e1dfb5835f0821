/**
 * The vCPU state block: one page-aligned stretch of shared memory that the
 * native layer, translated code, the translator and the interpreter all read
 * and write in place. Registers and exit records live here so that crossing
 * the native border carries no arguments.
 *
 * The native twin is packages/metal/native/state.h; `metal` checks at load
 * that both agree, name by name. All fields are little-endian; sizes in bytes.
 */

const fields: [name: string, size: number][] = [
  // --- architectural registers -------------------------------------------------
  ['gpr', 8 * 4], // eax ecx edx ebx esp ebp esi edi
  ['eip', 4], // offset in CS of the next instruction
  /** Whole EFLAGS while TypeScript runs; arithmetic flags live in the host's flags while guest code runs. */
  ['eflags', 4],
  /** es cs ss ds fs gs ldtr tr: { selector, base, limit (byte granular, inclusive), access } as four u32 each. `access` is the descriptor's second dword masked with 0x00F0FF00 (type, S, DPL, P, AVL, L, D/B, G); 0 = unusable (null selector). */
  ['segments', 8 * 16],
  ['gdtrBase', 4],
  ['gdtrLimit', 4],
  ['idtrBase', 4],
  ['idtrLimit', 4],
  ['cr0', 4],
  ['cr2', 4],
  ['cr3', 4],
  ['cr4', 4],
  ['dr', 8 * 4],
  /** Current privilege level, 0–3. Kept equal to CS.RPL (SS.DPL); 3 in virtual-8086 mode, 0 in real mode. */
  ['cpl', 4],
  /** 1 while interrupts are held off for one instruction (sti, mov ss, pop ss). */
  ['interruptShadow', 4],
  /** 1 after hlt until an interrupt is delivered. */
  ['halted', 4],
  ['efer', 4],
  ['sysenterCs', 4],
  ['sysenterEsp', 4],
  ['sysenterEip', 4],
  ['patLow', 4],
  ['patHigh', 4],
  ['miscEnable', 4],
  ['apicBase', 4],
  /** Guest TSC = host TSC × tscScale + offset (two u32, little-endian 64 bit). */
  ['tscOffset', 8],
  /** Guest's TSC rate over the host's, 32.32 fixed point; 2^32 on the host where the guest booted. */
  ['tscScale', 8],
  ['xcr0', 4],
  /** Bumped by whoever flushes any TLB entry; the interpreter drops its own TLB when it differs from what it saw last. */
  ['tlbGeneration', 4],

  // --- exit record: why native code returned to TypeScript ---------------------
  ['exitReason', 4], // ExitReason
  ['exitVector', 4], // exception or interrupt vector
  ['exitErrorCode', 4],
  ['exitHasErrorCode', 4],
  /** Linear or physical address that the exit is about. */
  ['exitAddress', 4],
  /** Host rip of the instruction that made the exit (8 bytes), 0 when eip is already exact. */
  ['exitHostRip', 8],
  ['exitArg0', 4],
  ['exitArg1', 4],

  // --- run-time cells read by translated code -----------------------------------
  /** 0x200 or 0: virtual IF while guest code runs. */
  ['ifCell', 4],
  /** Other system flags (IOPL, NT, AC, ID, VIF, VIP) while guest code runs. */
  ['sysFlags', 4],
  /** Non-zero: an external interrupt is waiting for IF. */
  ['interruptPending', 4],
  ['modeKey', 4],
  /** Non-zero: somebody wants the vCPU's attention; set by kick, cleared by the run loop. */
  ['kicked', 4],
  ['windowBase', 8], // gs base in force
  ['tableBase', 8], // sparse block table in force
  ['codeBase', 8],
  ['hostRsp', 8],
  /** Host RFLAGS to load on the next entry. */
  ['rawFlags', 8],
  /** Window base per quadrant of the linear address space (top two address bits) for supervisor accesses. */
  ['quadrantBase', 4 * 8],
  /** Segment base cells of es cs ss ds fs gs, reached through pointers: a pointer to an unusable segment's cell faults. */
  ['segmentBasePointer', 6 * 8],
  ['spill', 16 * 8],
  /** Addresses of the native routines that translated code jumps to: see Callout. */
  ['callout', 32 * 8],
  /** Native event counters, indexed by Counter. */
  ['counters', 64 * 8],
  ['reserved', 512],
];

const offsets: Record<string, number> = {};
let cursor = 0;
for (const [name, size] of fields) {
  if (size % 8 === 0) cursor = (cursor + 7) & ~7;
  offsets[name] = cursor;
  cursor += size;
}

/** Byte offset of each field. */
export const stateOffset: Readonly<Record<string, number>> = offsets;
/** Names and sizes in order: what the native layer is checked against. */
export const stateFields: readonly (readonly [string, number])[] = fields;

/** XSAVE area (x87, SSE, AVX; standard, non-compacted format; SDM 1, 13.4). */
export const XSAVE_OFFSET = 4096;
/** Where a memory operand is staged when the interpreter lets the host CPU execute one x87/SIMD instruction. */
export const SCRATCH_OFFSET = 8192;
export const SCRATCH_SIZE = 4096;
/** Size of the whole block. */
export const STATE_SIZE = 32768;

/** Indices into `segments`. */
export const enum SegIndex { ES, CS, SS, DS, FS, GS, LDTR, TR }

export const enum ExitReason {
  None = 0,
  /** No translated block for the current eip and mode. */
  Miss = 1,
  /** The interpreter shall run one instruction at eip (rare instruction, MMIO, odd access). */
  Interpret = 2,
  /** A guest exception: vector, error code, cr2 in exitAddress. */
  Exception = 3,
  /** A kick was noticed: look at interrupts, deadlines, messages. */
  Kick = 4,
  Halt = 5,
  /** A supervisor instruction reached a user page, or a user instruction keeps touching new pages: translate it anew. */
  UserAccess = 6,
  /** Code cache full. */
  CacheFull = 7,
  TripleFault = 8,
}

/** Slots of `callout`: routines reached from translated code by `jmp [r15 + callout + 8 * slot]`. */
export const enum Callout {
  /** r8d = eip without an entry in the block table. */
  Miss = 0,
  /** r8d = target eip, r10d = code cache offset of the rel32 to patch. */
  Chain = 1,
  /** Leave with exitReason = Interpret; eip has been stored. */
  Interpret = 2,
  /** int n: exitArg0 = vector, exitArg1 = eip after it. */
  Int = 3,
  Iret = 4,
  Sysenter = 5,
  Sysexit = 6,
  /** Segment load: exitArg0 = selector | seg << 16 | flags << 24 (1: pops four bytes), exitArg1 = eip after it. */
  LoadSegment = 7,
  /** mov cr3: exitArg0 = value, exitArg1 = eip after it. */
  WriteCr3 = 8,
  Invlpg = 9,
  Rdtsc = 10,
  /** popf at CPL 0: exitArg0 = image, exitArg1 = eip after it. */
  Popf = 11,
  /** sti/popf made an interrupt deliverable: eip stored. */
  Attention = 12,
  /** verr/verw: exitArg0 = selector | write << 16, exitArg1 = eip after it. */
  Verify = 13,
  /** Software TLB miss: exitArg0 = linear, exitArg1 = write | log2(size) << 1, r10d = code cache offset to go on at. */
  SoftMiss = 14,
}

/** Indices into `counters` (64-bit each). */
export enum Counter {
  Faults = 0,
  FaultMaps = 1,
  FaultGuest = 2,
  FaultInterpret = 3,
  Misses = 4,
  Chains = 5,
  SelfModified = 6,
  Callouts = 7,
  Interrupts = 8,
  Irets = 9,
  Cr3Writes = 10,
  Invlpgs = 11,
  PagesUnmapped = 12,
  LargeMaps = 13,
  Kicks = 14,
  SegmentLoads = 15,
  Runs = 16,
  WindowEvictions = 17,
  ProtectCalls = 18,
  Flushes = 19,
  NativeFaultDeliveries = 20,
  EagerMaps = 21,
  SoftMisses = 22,
  /** Blocks translated ahead that were used, and that were dropped at their first use because their bytes had changed. */
  WarmUsed = 23,
  WarmStale = 24,
  /** Blocks that are there now: no count of events. */
  BlocksHeld = 25,
  /** Blocks dropped since the guest wrote to their page. */
  BlocksSelfModified = 26,
}

/** 256 bytes: top address byte → quadrant (0–3). Constant; lets translated code choose a window without flags. */
export const QUADRANT_INDEX_OFFSET = 12288;

/**
 * The software TLB of user code that touches new pages all the time (see
 * translator/src/first-touch.ts): 256 entries each for reads and writes. A tag
 * is minus the linear page number, 1 when empty; a delta added to the linear
 * address gives the host address.
 */
export const SOFT_TLB = { readTags: 16384, writeTags: 17408, readDeltas: 18432, writeDeltas: 20480 } as const;
