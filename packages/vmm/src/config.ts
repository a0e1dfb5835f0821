import type { ClockSample } from './clock-hint';

/** How guest code is executed. `interpret` is the slow twin alone: for tests and for hunting translator faults. */
export type ExecutionMode = 'translate' | 'interpret';

/** A program without a kernel's boot protocol: flat 32-bit protected mode, paging and interrupts off, no descriptor tables. */
export interface RawImage {
  gpa: number;
  bytes: Uint8Array;
  eip: number;
}

/** Everything that defines one VM for its vCPU thread; plain data, so that it crosses to the worker. */
export interface VmConfig {
  /** A Linux bzImage; exactly one of `kernel` and `raw` is given. */
  kernel?: Uint8Array;
  raw?: RawImage;
  initrd?: Uint8Array;
  commandLine: string;
  memoryBytes: number;
  /** CPUID feature names that the guest gets. */
  features: string[];
  mode: ExecutionMode;
  /** Lines for `--trace`: which events are reported. */
  trace: string[];
  /** A reading of the host's TSC and monotonic clock (nanoseconds), taken early: the later second one gives the TSC's rate. */
  clockSample?: ClockSample;
  /** Host time (performance.timeOrigin based, milliseconds) at which the process began: for start-up figures. */
  processStartMs: number;
}

/** From the vCPU thread to the shell. */
export type VcpuMessage =
  | { type: 'serial'; bytes: Uint8Array }
  | { type: 'trace'; line: string }
  | { type: 'ended'; outcome: Outcome; stats: EngineStats };

/** From the shell to the vCPU thread; each is followed by a kick. */
export type ShellMessage = { type: 'input'; bytes: Uint8Array } | { type: 'stop' } | { type: 'powerButton' };

export interface Outcome {
  kind: 'power-off' | 'triple-fault' | 'stopped' | 'error';
  /** One line for a person: what happened, where. */
  detail: string;
}

export interface EngineStats {
  mode: ExecutionMode;
  runSeconds: number;
  startToFirstInstructionMs: number;
  translation: { blocks: number; instructions: number; guestBytes: number; hostBytes: number; seconds: number; flushes: number };
  /** User instructions moved to the software TLB, and back to the window. */
  firstTouch: { adopted: number; dropped: number };
  interpreted: number;
  interruptsDelivered: number;
  exits: Record<string, number>;
  native: Record<string, number>;
  /** Instructions most often left to the interpreter, by mnemonic. */
  interpretedMnemonics: Record<string, number>;
  featuresUsed: string[];
}
