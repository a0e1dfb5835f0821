import { stateOffset } from '@godwit/cpu';
import type { Instruction } from '@godwit/isa';
import { type Core, ZERO_CELL } from './core';

/** Carries out one instruction; throws the pending fault with nothing changed. */
export type Handler = (core: Core, op: Op) => void;

/** A decoded instruction made ready to run: its handler, and the fields of its memory operand as indices that need no further decision. */
export class Op {
  run: Handler;
  /** Offsets of the instruction and of what follows it, from the start of its block. */
  readonly start: number;
  readonly end: number;
  readonly base: number;
  readonly index: number;
  readonly shift: number;
  readonly displacement: number;
  readonly addressMask: number;
  readonly segment: number;
  readonly segmentBit: number;
  /** Index of the segment's base in `Core.r32`. */
  readonly segmentBase: number;
  readonly ins: Instruction;
  /** The guest's bytes: needed to re-encode instructions for the host CPU. */
  readonly bytes: Uint8Array;

  constructor(ins: Instruction, bytes: Uint8Array, start: number, run: Handler) {
    this.run = run;
    this.start = start;
    this.end = start + ins.length;
    this.base = ins.base < 0 ? ZERO_CELL : ins.base;
    this.index = ins.index < 0 ? ZERO_CELL : ins.index;
    this.shift = ins.scale === 8 ? 3 : ins.scale === 4 ? 2 : ins.scale === 2 ? 1 : 0;
    this.displacement = ins.displacement | 0;
    this.addressMask = ins.addressSize === 4 ? -1 : 0xffff;
    this.segment = ins.memorySegment;
    this.segmentBit = 1 << ins.memorySegment;
    this.segmentBase = (stateOffset.segments >> 2) + ins.memorySegment * 4 + 1;
    this.ins = ins;
    this.bytes = bytes;
  }
}
