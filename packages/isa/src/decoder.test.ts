/**
 * Proves that the decoder and the table agree with an independent decoder on
 * what is an instruction, its length, memory operand, flags and CPUID feature:
 * every opcode of every map in 16- and 32-bit code, and random bytes.
 * GODWIT_LONG_TESTS=1 widens the sweep to every ModR/M byte (five minutes).
 */
import * as iced from 'iced-x86';
import { decode } from './decoder';
import { Flag, Reg, type Instruction } from './instruction';
import { memoryOperandSize } from './memory-size';
import { rows } from './table';
import {
  featureDeviations, featureNames, flagDeviations, hintMnemonics, notOffered, sizeDeviations,
} from './testing/deviations';
import { encodings, quickPlan, randomEncodings, thoroughPlan } from './testing/encodings';

const long = process.env.GODWIT_LONG_TESTS === '1';
const STRIDE = 16;
const BATCH = 1 << 15;

const namesOf = (e: object): Record<number, string> =>
  Object.fromEntries(Object.entries(e).filter(([, v]) => typeof v === 'number').map(([k, v]) => [v, k]));
const mnemonicNames = namesOf(iced.Mnemonic);
const cpuidNames = namesOf(iced.CpuidFeature);
const registers = iced.Register as unknown as Record<string, number>;
const registerNumber = new Map<number, number>([[registers.None, -1]]);
['EAX', 'ECX', 'EDX', 'EBX', 'ESP', 'EBP', 'ESI', 'EDI'].forEach((name, n) => {
  for (const each of [name, name.slice(1), `XMM${n}`, `YMM${n}`]) registerNumber.set(registers[each], n);
});
const segmentNumber = new Map(['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].map((name, n) => [registers[name], n]));
const flagBits: [number, number][] = [
  [iced.RflagsBits.OF, Flag.OF], [iced.RflagsBits.SF, Flag.SF], [iced.RflagsBits.ZF, Flag.ZF], [iced.RflagsBits.AF, Flag.AF],
  [iced.RflagsBits.CF, Flag.CF], [iced.RflagsBits.PF, Flag.PF], [iced.RflagsBits.DF, Flag.DF], [iced.RflagsBits.IF, Flag.IF],
];
const flagMask = (bits: number): number => flagBits.reduce((mask, [theirs, ours]) => (bits & theirs ? mask | ours : mask), 0);

/** Compares one instruction; answers what differs, or ''. `described` remembers (row, oracle code) pairs whose facts were compared. */
function difference(theirs: iced.Instruction, ours: ReturnType<typeof decode>, described: Set<number>): string {
  const theirsInvalid = theirs.code === iced.Code.INVALID;
  if (typeof ours === 'string') return theirsInvalid || isNotOffered(theirs) ? '' : `refused (${ours})`;
  if (theirsInvalid) return 'accepted';
  if (theirs.length !== ours.length) return `length ${theirs.length}, ours ${ours.length}`;
  const key = theirs.code * 4096 + ours.row.id;
  if (!described.has(key)) {
    described.add(key);
    const text = flagDifference(theirs, ours) || featureDifference(theirs, ours);
    if (text !== '') return text;
  }
  return ours.hasMemory ? memoryDifference(theirs, ours) : '';
}

/** Whole encoding spaces without rows (AVX-512, AMD's XOP, 3DNow!). */
const absentEncodings = new Set<number>([iced.EncodingKind.EVEX, iced.EncodingKind.XOP, iced.EncodingKind.D3NOW]);

function isNotOffered(theirs: iced.Instruction): boolean {
  return absentEncodings.has(theirs.encoding) || Array.from(theirs.cpuidFeatures()).some((feature) => cpuidNames[feature] in notOffered);
}

function flagDifference(theirs: iced.Instruction, { row, immediate }: Instruction): string {
  if (row.mnemonic in flagDeviations) return '';
  // The oracle looks at a shift's immediate count; the row speaks of counts from 2 to the operand's width.
  if (row.flagsConditional !== 0 && row.immediate === 'b' && (immediate & 0x1f) - 2 >>> 0 > 6) return '';
  const read = flagMask(theirs.rflagsRead);
  const written = flagMask(theirs.rflagsWritten | theirs.rflagsCleared | theirs.rflagsSet);
  const undefinedFlags = flagMask(theirs.rflagsUndefined);
  const same = read === (row.flagsRead & ~Flag.TF) && written === (row.flagsWritten & ~Flag.TF) && undefinedFlags === row.flagsUndefined;
  return same ? '' : `flags r:${read.toString(16)} w:${written.toString(16)} u:${undefinedFlags.toString(16)}`;
}

function featureDifference(theirs: iced.Instruction, { row }: Instruction): string {
  if (row.mnemonic in featureDeviations || hintMnemonics.has(mnemonicNames[theirs.mnemonic])) return '';
  const name = Array.from(theirs.cpuidFeatures()).map((feature) => cpuidNames[feature]).join('+');
  return (featureNames[name] ?? name.toLowerCase()) === row.feature ? '' : `feature ${name}, ours ${row.feature}`;
}

function memoryDifference(theirs: iced.Instruction, ours: Instruction): string {
  const base = registerNumber.get(theirs.memoryBase)!;
  const index = registerNumber.get(theirs.memoryIndex)!;
  const segment = segmentNumber.get(theirs.memorySegment);
  const displacement = Number(theirs.memoryDisplacement & 0xffff_ffffn) | 0;
  const mask = ours.addressSize === 2 ? 0xffff : -1;
  if (base !== ours.base || index !== ours.index || segment !== ours.memorySegment || (index >= 0 && theirs.memoryIndexScale !== ours.scale)
    || (displacement & mask) !== (ours.displacement & mask)) {
    return `memory operand ${base} ${index} ${theirs.memoryIndexScale} ${displacement} ${segment}`;
  }
  const size = iced.MemorySizeExt.size(theirs.memorySize);
  return sizeDeviations.has(ours.row.mnemonic) || size === memoryOperandSize(ours) ? '' : `size ${size}, ours ${memoryOperandSize(ours)}`;
}

function mismatches(strings: Iterable<number[]>, code32: boolean): string[] {
  const found: string[] = [];
  const described = new Set<number>();
  const batch = new Uint8Array(BATCH * STRIDE);
  const theirs = new iced.Instruction();
  const compare = (count: number): void => {
    const oracle = new iced.Decoder(code32 ? 32 : 16, batch, iced.DecoderOptions.None);
    for (let n = 0; n < count && found.length < 50; n++) {
      oracle.position = n * STRIDE;
      oracle.decodeOut(theirs);
      const ours = decode(batch, n * STRIDE, STRIDE, code32);
      const text = difference(theirs, ours, described);
      const row = typeof ours === 'string' ? '' : ours.row.mnemonic;
      if (text !== '') found.push(`${Buffer.from(batch.subarray(n * STRIDE, (n + 1) * STRIDE)).toString('hex')} ${mnemonicNames[theirs.mnemonic]} ${row}: ${text}`);
    }
    oracle.free();
  };
  let count = 0;
  for (const bytes of strings) {
    batch.set(bytes, count++ * STRIDE);
    if (count === BATCH) {
      compare(count);
      count = 0;
    }
  }
  compare(count);
  theirs.free();
  return found;
}

const plan = long ? thoroughPlan : quickPlan;
jest.setTimeout(600_000);

describe.each([['32-bit', true], ['16-bit', false]] as const)('%s code against iced-x86', (_, code32) => {
  test('every opcode', () => expect(mismatches(encodings(plan), code32)).toEqual([]));
  test('random bytes', () => expect(mismatches(randomEncodings(20_24, long ? 20_000_000 : 200_000), code32)).toEqual([]));
});

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const decoded = (hex: string, code32 = true): Instruction => {
  const bytes = bytesOf(hex);
  const result = decode(bytes, 0, bytes.length, code32);
  if (typeof result === 'string') throw new Error(`${hex}: ${result}`);
  return result;
};

describe('lengths and limits', () => {
  test('every proper prefix of an instruction is truncated, whatever lies beyond it', () => {
    for (const hex of ['8184240011223344556677', '66c8123456', '9a112233445566', 'c4e26990848d11223344', '660f3a0f84b411223344aa', 'a144556677']) {
      const bytes = bytesOf(hex);
      const { length } = decoded(hex);
      for (let n = 0; n < length; n++) {
        expect(decode(bytes, 0, n, true)).toBe('truncated');
        expect(decode(bytes.subarray(0, n), 0, n, true)).toBe('truncated');
      }
    }
  });

  test('more than 15 bytes are too long', () => {
    expect(decode(bytesOf(`${'66'.repeat(15)}90`), 0, 16, true)).toBe('too-long');
    expect(decode(bytesOf(`${'26'.repeat(10)}81050011223344556677`), 0, 20, true)).toBe('too-long');
    expect(decoded(`${'66'.repeat(14)}90`).length).toBe(15);
  });

  test('LOCK wants a lockable row and memory', () => {
    expect(decoded('f00107').row.mnemonic).toBe('add');
    for (const hex of ['f001c0', 'f08b07', 'f03907', 'f090', 'f00fa307']) expect(decode(bytesOf(hex), 0, 9, true)).toBe('invalid');
  });

  test('far pointers and enter carry two immediates', () => {
    expect(decoded('9a112233445566')).toMatchObject({ immediate: 0x44332211, immediate2: 0x6655 });
    expect(decoded('c8341205')).toMatchObject({ immediate: 0x1234, immediate2: 5 });
  });
});

describe('the table', () => {
  test('ids are dense and flags consistent', () => {
    rows.forEach((row, n) => {
      expect(row.id).toBe(n);
      expect(row.flagsWritten & row.flagsUndefined).toBe(0);
      expect(row.flagsConditional & ~(row.flagsWritten | row.flagsUndefined)).toBe(0);
    });
  });

  test('tzcnt and lzcnt fall back to what older processors execute', () => {
    expect(decoded('f30fbcc1').row.legacyRow?.mnemonic).toBe('bsf');
    expect(decoded('f30fbdc1').row.legacyRow?.mnemonic).toBe('bsr');
  });

  test('a row is `self` only without an implicit address, stack or mode', () => {
    const implicit = new Set(['X', 'Y', 'A', 'J', 'S', 'C', 'D', 'seg']);
    for (const row of rows.filter((r) => r.kind === 'self')) {
      expect(row.operands.some((o) => implicit.has(o.method))).toBe(false);
      expect(row.privilege === '' || row.vex).toBe(true);
    }
  });

  test('stack addresses default to SS', () => {
    expect(decoded('8b4500')).toMatchObject({ base: Reg.EBP, memorySegment: 2 });
    expect(decoded('8b0424')).toMatchObject({ base: Reg.ESP, memorySegment: 2 });
    expect(decoded('8b4200', false)).toMatchObject({ base: Reg.EBP, index: Reg.ESI, memorySegment: 2 });
    expect(decoded('3e8b4500')).toMatchObject({ memorySegment: 3 });
  });
});
