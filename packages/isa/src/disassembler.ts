/**
 * Instructions as text, Intel syntax: for traces, error reports and tests.
 * Operands are printed from the table's letters; the text is meant for people
 * and is not promised to assemble.
 */
import { Prefix, type Instruction, type Operand } from './instruction';
import { operandBytes } from './memory-size';

const names32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const names16 = names32.map((name) => name.slice(1));
const names8 = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'];
const segmentNames = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
const sizeNames: Record<number, string> = {
  1: 'byte', 2: 'word', 4: 'dword', 6: 'fword', 8: 'qword', 10: 'tbyte', 16: 'xmmword', 32: 'ymmword',
};
const hexadecimal = (value: number): string => {
  const text = (value >>> 0).toString(16);
  return value >>> 0 < 10 ? text : `0x${text}`;
};

/** One line of text; `eip` is the instruction's own address and resolves relative jumps. */
export function disassemble(ins: Instruction, eip: number): string {
  const prefix = (ins.prefixes & Prefix.LOCK ? 'lock ' : '') + repeatPrefix(ins);
  const operands = ins.row.operands.map((operand) => operandText(operand, ins, eip)).join(', ');
  return `${prefix}${mnemonicText(ins)}${operands === '' ? '' : ` ${operands}`}`;
}

const stringOperation = /^(movs|cmps|stos|lods|scas|ins|outs)([bv])$/;

function repeatPrefix(ins: Instruction): string {
  if (!stringOperation.test(ins.row.mnemonic)) return '';
  const compares = /^(cmps|scas)/.test(ins.row.mnemonic);
  if (ins.prefixes & Prefix.REPNE) return compares ? 'repne ' : 'rep ';
  return ins.prefixes & Prefix.REP ? (compares ? 'repe ' : 'rep ') : '';
}

/** The table's names where they differ from the manual's: [16-bit, 32-bit]. */
const sizedNames: Record<string, readonly [string, string]> = {
  cbw: ['cbw', 'cwde'], cwd: ['cwd', 'cdq'], pusha: ['pusha', 'pushad'], popa: ['popa', 'popad'],
  pushf: ['pushf', 'pushfd'], popf: ['popf', 'popfd'], iret: ['iret', 'iretd'],
};
const plainNames: Record<string, string> = {
  movfromseg: 'mov', movtoseg: 'mov', movfromcr: 'mov', movtocr: 'mov', movfromdr: 'mov', movtodr: 'mov',
  pushseg: 'push', popseg: 'pop', callf: 'call far', jmpf: 'jmp far', fstpnce: 'fstp',
};

function mnemonicText(ins: Instruction): string {
  const { mnemonic } = ins.row;
  const wide = ins.operandSize === 4;
  const string = stringOperation.exec(mnemonic);
  if (string) return string[1] + (string[2] === 'b' ? 'b' : wide ? 'd' : 'w');
  if (mnemonic === 'jcxz') return ins.addressSize === 4 ? 'jecxz' : 'jcxz';
  return sizedNames[mnemonic]?.[wide ? 1 : 0] ?? plainNames[mnemonic] ?? mnemonic;
}

type OperandPrinter = (ins: Instruction, operand: Operand, eip: number) => string;

const generalName = (register: number, operand: Operand, ins: Instruction): string => {
  const bytes = operandBytes(operand, ins);
  return (bytes === 1 ? names8 : bytes === 2 ? names16 : names32)[register];
};
const vectorName = (register: number, operand: Operand, ins: Instruction): string => {
  const wide = ins.row.vex && (operand.size === 'qq' || (ins.vexL === 1 && /^(x|ps|pd)$/.test(operand.size)));
  return `${wide ? 'y' : 'x'}mm${register}`;
};

const printers: Record<string, OperandPrinter> = {
  A: (ins) => `${hexadecimal(ins.immediate2)}:${hexadecimal(ins.immediate)}`,
  B: (ins, o) => generalName(ins.vvvv, o, ins),
  C: (ins) => `cr${ins.reg}`,
  D: (ins) => `dr${ins.reg}`,
  E: (ins, o) => (ins.hasMemory ? memoryText(ins, o) : generalName(ins.rm, o, ins)),
  G: (ins, o) => generalName(ins.reg, o, ins),
  H: (ins, o) => vectorName(ins.vvvv, o, ins),
  I: (ins, o) => hexadecimal(o === ins.row.operands[1] && ins.row.immediate === 'wb' ? ins.immediate2 : narrow(ins.immediate, ins)),
  J: (ins, _, eip) => hexadecimal(narrow(eip + ins.length + ins.immediate, ins)),
  L: (ins, o) => vectorName((ins.immediate >> 4) & 7, o, ins),
  M: (ins, o) => memoryText(ins, o),
  N: (ins) => `mm${ins.rm}`,
  O: (ins, o) => memoryText(ins, o),
  P: (ins) => `mm${ins.reg}`,
  Q: (ins, o) => (ins.hasMemory ? memoryText(ins, o) : `mm${ins.rm}`),
  R: (ins, o) => generalName(ins.rm, o, ins),
  S: (ins) => segmentNames[ins.reg],
  U: (ins, o) => vectorName(ins.rm, o, ins),
  V: (ins, o) => vectorName(ins.reg, o, ins),
  W: (ins, o) => (ins.hasMemory ? memoryText(ins, o) : vectorName(ins.rm, o, ins)),
  X: (ins, o) => `${segmentNames[ins.segment >= 0 ? ins.segment : 3]}:[${stringPointer(ins, 6)}]`.replace(/^/, `${sizeNames[operandBytes(o, ins)]} ptr `),
  Y: (ins, o) => `${sizeNames[operandBytes(o, ins)]} ptr es:[${stringPointer(ins, 7)}]`,
  Z: (ins, o) => generalName(ins.opcodeReg, o, ins),
  reg: (ins, o) => generalName(o.reg, o, ins),
  seg: (_, o) => segmentNames[o.reg],
  1: () => '1',
  ST: () => 'st(0)',
  STi: (ins) => `st(${ins.rm})`,
  xmm0: () => 'xmm0',
};

function operandText(operand: Operand, ins: Instruction, eip: number): string {
  return printers[operand.method](ins, operand, eip);
}

/** Values as wide as the operand size. */
function narrow(value: number, ins: Instruction): number {
  return ins.operandSize === 2 ? value & 0xffff : value >>> 0;
}

function stringPointer(ins: Instruction, register: number): string {
  return (ins.addressSize === 4 ? names32 : names16)[register];
}

function memoryText(ins: Instruction, operand: Operand): string {
  const names = ins.addressSize === 4 ? names32 : names16;
  const terms: string[] = [];
  if (ins.base >= 0) terms.push(names[ins.base]);
  if (ins.index >= 0) {
    const name = ins.row.vsib ? `${ins.vexL ? 'y' : 'x'}mm${ins.index}` : names[ins.index];
    terms.push(ins.scale === 1 ? name : `${name}*${ins.scale}`);
  }
  let text = terms.join('+');
  if (text === '') text = hexadecimal(ins.displacement);
  else if (ins.displacement < 0) text += `-${hexadecimal(-ins.displacement)}`;
  else if (ins.displacement > 0) text += `+${hexadecimal(ins.displacement)}`;
  const size = sizeNames[operandBytes(operand, ins)];
  const segment = ins.segment >= 0 ? `${segmentNames[ins.segment]}:` : '';
  return `${size ? `${size} ptr ` : ''}${segment}[${text}]`;
}
