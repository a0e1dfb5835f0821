import type { DiskShape, DiskStats } from './block/client';
import type { NicStats } from './device-slots';
import type { VcpuSeconds } from './vcpu-time';
import type { SavedVm } from './engine';
import type { ClockSample } from './clock-hint';
import type { WarmCounts } from './warm-target';

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
  disks: DiskConfig[];
  nics: NicConfig[];
  /** The guest's reset ends the VM instead of starting it anew. */
  noReboot?: boolean;
  /** The VM's lease (storage's Deadline): the guest runs only while it allows. */
  lease?: SharedArrayBuffer;
  /** The VM is made without a kernel, paused: memory and state come from elsewhere. */
  waitForState?: boolean;
  /** One byte a page of RAM: the shell marks those that it is about to write before the state is there (warm-target.ts). */
  arrivals?: SharedArrayBuffer;
  /** A reading of the host's TSC and monotonic clock (nanoseconds), taken early: the later second one gives the TSC's rate. */
  clockSample?: ClockSample;
  /** Host time (performance.timeOrigin based, milliseconds) at which the process began: for start-up figures. */
  processStartMs: number;
}

/** A disk as its adapter sees it; the other end of `channel` is served by the disk's thread. */
export interface DiskConfig {
  adapter: 'virtio' | 'ide' | 'cdrom';
  channel: SharedArrayBuffer;
  shape: DiskShape;
}

export interface NicConfig {
  adapter: 'virtio' | 'pcnet';
  mac: Uint8Array;
  offloads: boolean;
  /** Frames to and from the network's thread. */
  toNetwork: SharedArrayBuffer;
  fromNetwork: SharedArrayBuffer;
  /** An event descriptor that wakes the network's pump. */
  bell: number;
  /** The TAP behind it, if it is one. */
  tapFd?: number;
}

/** Why a VM stands still. */
export type PauseReason = 'operator' | 'storage' | 'restore' | 'save' | 'lease' | 'migration';

/** From the vCPU thread to the shell. */
export type VcpuMessage =
  | { type: 'serial'; bytes: Uint8Array }
  | { type: 'trace'; line: string }
  /** RAM is there: the shell may fill it (`waitForState`). */
  | { type: 'created' }
  | { type: 'paused'; reasons: readonly PauseReason[]; held: number }
  | { type: 'saved'; id: number; state: SavedVm }
  | { type: 'rehearsed'; instructions: number }
  | { type: 'restored'; error?: string }
  | { type: 'dirtyRound'; id: number }
  | { type: 'userAccesses'; id: number; list: Uint32Array }
  | { type: 'stats'; id: number; stats: EngineStats }
  /** The guest was reset. */
  | { type: 'reset' }
  | { type: 'frames'; id: number; frames: Uint8Array | null }
  | { type: 'ended'; outcome: Outcome; stats: EngineStats };

/** From the shell to the vCPU thread; each is followed by a kick. */
export type ShellMessage =
  | { type: 'input'; bytes: Uint8Array }
  | { type: 'stop' }
  | { type: 'powerButton' }
  | { type: 'link'; nic: number; up: boolean }
  | { type: 'pause'; reason: PauseReason }
  | { type: 'resume'; reason: PauseReason }
  /** Pauses for 'save', drains the disks, answers 'saved'; the VM stays paused for that reason. `into`: a round of the dirty log begins with it. */
  | { type: 'save'; id: number; into?: SharedArrayBuffer }
  | { type: 'restore'; state: SavedVm }
  /** See Engine.rehearse; answered by 'rehearsed'. */
  | { type: 'rehearse'; milliseconds: number }
  /** A new round of the dirty log; the answer is 'dirtyRound' with the same id, the bytes in `into`. */
  | { type: 'dirtyRound'; id: number; into: SharedArrayBuffer }
  | { type: 'endDirtyLog' }
  | { type: 'throttle'; percent: number }
  /** See Engine.measureHeat. */
  | { type: 'measureHeat' }
  /** Answered by the same. */
  | { type: 'userAccesses'; id: number }
  /** Hot blocks of a VM that comes here: untrusted. */
  | { type: 'hotBlocks'; list: Uint8Array }
  /** Answered by 'frames': those from the network that the paused guest has not seen. */
  | { type: 'takeFrames'; id: number }
  /** Such frames, from another host: untrusted. */
  | { type: 'giveFrames'; frames: Uint8Array }
  /** No more is translated ahead until the VM runs. */
  | { type: 'holdWarm' }
  | { type: 'reset' }
  /** Answered by 'stats'. */
  | { type: 'stats'; id: number }
  /** The guest's adapters tell their networks where they are now. */
  | { type: 'announce' };

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
  /** What the code cache holds and has dropped. */
  codeCache: { bytes: number; limitBytes: number; blocks: number; evictedBlocks: number; selfModifiedBlocks: number };
  /** What the vCPU's thread spent its time on, beside translating. */
  vcpu: VcpuSeconds;
  disks: DiskStats[];
  nics: NicStats[];
  /** Blocks translated ahead (warm-target.ts); how many were used, and how many were stale then, is in `native`. */
  warm: WarmCounts;
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
