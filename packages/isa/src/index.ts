export * from './instruction';
export { conditions } from './table/one-byte';
export { rows } from './table';
export { decode } from './decoder';
export { disassemble } from './disassembler';
export { encodeForScratch } from './encode';
export { memoryOperand, memoryOperandSize, operandBytes } from './memory-size';
export { encodings, quickPlan, randomEncodings, thoroughPlan, type EncodingPlan } from './testing/encodings';
