/**
 * The shapes that the decoder produces and that every consumer of the
 * instruction table reads: interpreter, translator, disassembler, test
 * generators. Plain data; no behaviour.
 */

/** Segment register numbers as ModR/M encodes them (SDM 2B, table B-8). */
export const enum Seg {
  ES = 0,
  CS = 1,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5,
}

/** General register numbers (SDM 2A, table 2-2). */
export const enum Reg {
  EAX = 0,
  ECX = 1,
  EDX = 2,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7,
}

/** Prefix bits of `Instruction.prefixes`. */
export const enum Prefix {
  LOCK = 1,
  REPNE = 2, // F2
  REP = 4, // F3
  OPSIZE = 8, // 66
  ADDRSIZE = 16, // 67
}

/** Opcode maps: one-byte, 0F, 0F 38, 0F 3A. */
export type OpcodeMap = 0 | 1 | 2 | 3;

/**
 * How an instruction is carried out by the translator.
 * - `self`: translates to itself: same opcode, same registers, at most one
 *   ModR/M memory operand, no implicit stack, segment or string operand.
 * - `stack`, `string`, `flow`: user-level instructions with an implicit stack
 *   pointer, implicit string pointers, or a change of eip.
 * - `segment`: loads or reads a segment register or far pointer.
 * - `flags`: pushf/popf/cli/sti (virtual IF, IOPL, TF, AC).
 * - `io`: in/out/ins/outs.
 * - `system`: everything sensitive or privileged, and what is rare enough to
 *   be left to the interpreter (cpuid, rdtsc, sgdt, bound, aaa, ...).
 */
export type Kind = 'self' | 'stack' | 'string' | 'flow' | 'segment' | 'flags' | 'io' | 'system';

/** The execution unit whose state an instruction touches: decides #NM, #UD and which state is saved. */
export type Unit = 'int' | 'x87' | 'mmx' | 'sse' | 'avx';

/** CPUID feature that an instruction needs; `base` is an i686 without CMOV. Names follow Linux's /proc/cpuinfo. */
export type FeatureName =
  | 'base' | 'fpu' | 'tsc' | 'msr' | 'cx8' | 'sep' | 'cmov' | 'mmx' | 'fxsr' | 'sse' | 'sse2'
  | 'pni' | 'ssse3' | 'sse4_1' | 'sse4_2' | 'popcnt' | 'aes' | 'pclmulqdq' | 'movbe'
  | 'clflush' | 'clflushopt' | 'xsave' | 'avx' | 'avx2' | 'f16c' | 'fma' | 'bmi1' | 'bmi2' | 'abm'
  | 'rdrand' | 'rdseed' | 'adx' | 'sha_ni' | 'rdtscp' | 'monitor' | 'nopl' | 'sse4a' | 'rdpid' | 'fsgsbase';

/** EFLAGS bits as they stand in the register. */
export const enum Flag {
  CF = 0x1,
  PF = 0x4,
  AF = 0x10,
  ZF = 0x40,
  SF = 0x80,
  TF = 0x100,
  IF = 0x200,
  DF = 0x400,
  OF = 0x800,
}

/**
 * One operand in the Intel manual's notation (SDM 2D, appendix A.2):
 * an addressing letter and a size suffix, or a fixed register.
 * `Eb` → { method: 'E', size: 'b' }; `eAX` → { method: 'reg', size: 'v', reg: 0 }.
 */
export interface Operand {
  /** A,B,C,D,E,F,G,H,I,J,L,M,N,O,P,Q,R,S,U,V,W,X,Y as in the manual; `Z` = register in the opcode's low three bits; `reg` fixed register; `seg` fixed segment register; `1` the constant one; `ST`/`STi` x87 stack registers. */
  method: string;
  /** a,b,c,d,dq,p,pd,pi,ps,q,qq,s,sd,ss,v,w,x,y,z, t (80-bit), m (size irrelevant, as LEA), fenv, fsave, fxsave, xsave … */
  size: string;
  /** The register number for `reg` and `seg`. */
  reg: number;
  /** The operand is read / written. */
  read: boolean;
  write: boolean;
}

/** One row of the instruction table. */
export interface Row {
  /** Index in the table: dense, stable within one build. */
  id: number;
  /** Lower-case Intel mnemonic: `add`, `jcc` rows carry the condition: `jz`, `setnz`, `cmovb`. String instructions carry their size: `movsb`, `movsv` (v = operand size). */
  mnemonic: string;
  map: OpcodeMap;
  opcode: number;
  /** Mandatory prefix that selects this row: 0 none, 0x66, 0xf2, 0xf3. */
  mandatory: 0 | 0x66 | 0xf2 | 0xf3;
  /** ModR/M.reg digit that selects this row (groups), or -1. */
  digit: number;
  /** ModR/M.rm value that selects this row when mod = 3 (x87, 0F 01), or -1. */
  rm: number;
  /** Row needs mod: 'any' | 'mem' | 'reg'. */
  mod: 'any' | 'mem' | 'reg';
  /** A VEX-encoded row; `vexL`: 0, 1 or -1 (ignored); `vexW`: 0, 1 or -1. */
  vex: boolean;
  vexL: number;
  vexW: number;
  hasModrm: boolean;
  /** Immediate layout: none, b (8-bit), bs (8-bit sign-extended to operand size), w, z (16 or 32 by operand size), p (far pointer), O (moffs by address size), wb (enter), Jb, Jz. */
  immediate: '' | 'b' | 'bs' | 'w' | 'z' | 'p' | 'O' | 'wb' | 'Jb' | 'Jz';
  operands: Operand[];
  kind: Kind;
  unit: Unit;
  /** What the row needs of CPUID. Unit `avx` needs `avx` as well, x87's fcmov and fcomi `fpu`. */
  feature: FeatureName;
  /** EFLAGS that are read, written (defined result), left undefined. */
  flagsRead: number;
  flagsWritten: number;
  flagsUndefined: number;
  /** The part of flagsWritten and flagsUndefined that the instruction may leave as it was (shift by a count of 0, `rep cmps` with ecx = 0): these are not dead before it. */
  flagsConditional: number;
  lockable: boolean;
  /** '' | 'cpl0' | 'iopl' (IN/OUT family: also the TSS bitmap) | 'vmiopl' (cli/sti/pushf/popf/int n/iret sensitivity in v86) | 'protected' (#UD in real and v86 mode). */
  privilege: '' | 'cpl0' | 'iopl' | 'vmiopl' | 'protected';
  /** The row is chosen only when exactly its mandatory prefix is there (66, F2 and F3 have no other meaning); always so for VEX rows. */
  exactPrefix: boolean;
  /** The opcode's low three bits are a register (`Z` operand). */
  opcodeRegister: boolean;
  /** The effective operand size changes what the instruction does. */
  sized: boolean;
  /** VEX.vvvv names an operand; elsewhere it must be 1111. */
  usesVvvv: boolean;
  /** ModR/M.mod is ignored and both fields name registers (moves to and from control and debug registers). */
  modIgnored: boolean;
  /** The memory operand has a vector index (gathers): `index` is a vector register. */
  vsib: boolean;
  /** A memory operand of 16 or 32 bytes that is not aligned to its size raises #GP(0). */
  aligned: boolean;
  /** May set eip to something else than the next instruction: ends a block. */
  changesFlow: boolean;
  /** The row that the same bytes mean on a CPU without `feature` (tzcnt → bsf, lzcnt → bsr); otherwise null: #UD. */
  legacyRow: Row | null;
}

/** One decoded instruction. `bytes` are the guest's own. */
export interface Instruction {
  row: Row;
  /** Total length in bytes, 1–15. */
  length: number;
  /** Bits of Prefix. Holds F2/F3/66 also where they were a mandatory prefix. */
  prefixes: number;
  /** Segment override, or -1. */
  segment: number;
  /** 2 or 4: effective operand and address size in bytes. */
  operandSize: 2 | 4;
  addressSize: 2 | 4;
  /** ModR/M byte or -1; its fields are 0 when absent. */
  modrm: number;
  mod: number;
  reg: number;
  rm: number;
  /** Register in the opcode's low three bits for `Z` operands (row.opcode is the base). */
  opcodeReg: number;
  /** Memory operand (mod != 3, or moffs): base and index register or -1, scale 1/2/4/8, displacement (signed 32). 16-bit forms are given by the same fields: e.g. [bx+si] has base 3, index 6, scale 1. */
  hasMemory: boolean;
  base: number;
  index: number;
  scale: number;
  displacement: number;
  /** Default segment of the memory operand after the override: Seg. */
  memorySegment: number;
  /** Immediate as a signed 32-bit number after the extension that its kind asks for; jumps: the relative offset; far pointers: the offset; enter: the frame size. */
  immediate: number;
  /** Far pointer selector; enter's nesting level. */
  immediate2: number;
  /** VEX.vvvv register or 0; L (0/1); W. */
  vvvv: number;
  vexL: number;
  vexW: number;
}

/** Why bytes did not decode. `truncated`: more bytes are needed than were given (the caller fetches the next page, or raises its #PF). */
export type DecodeFailure = 'truncated' | 'invalid' | 'too-long';
