import type { Instruction } from '@godwit/isa';
import type { Handler } from '../op';

/** Chooses the handler of one decoded instruction; runs once per decode. */
export type Builder = (ins: Instruction) => Handler;
export type Builders = Record<string, Builder>;
