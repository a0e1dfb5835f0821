import type { Instruction } from '@godwit/isa';
import type { Emitter } from './emitter';
import type { PendingStub } from './stubs';

/** Bits of the mode key: what besides its bytes decides how a block is translated (native/helpers.cc, prepareResume). */
export const enum Mode {
  User = 1,
  /** CR0.TS or CR0.EM: every x87/vector instruction goes to the interpreter, which raises #NM or #UD. */
  FpuTrap = 2,
  NoSse = 4,
  NoAvx = 8,
}

/** What a handler for one instruction sees. */
export interface Context {
  e: Emitter;
  ins: Instruction;
  eip: number;
  nextEip: number;
  mode: number;
  guest: Uint8Array;
  /** Offset of the instruction in `guest`. */
  offset: number;
  stubs: PendingStub[];
  /** Linear page of the block: direct jumps within it are linkable in any address space. */
  page: number;
  /** Set by sti: interrupts are looked at after the next instruction. */
  shadow: boolean;
  /** The host has pext and pdep. */
  hostBmi2: boolean;
}

/** `next`: the block goes on; `end`: control has left; `interpret`: not translated, leave it to the interpreter. */
export type Outcome = 'next' | 'end' | 'interpret';
export type Handler = (c: Context) => Outcome;

export const isUser = (c: Context): boolean => (c.mode & Mode.User) !== 0;
