/**
 * Proves that the host encoding of a `self` instruction is the same
 * instruction in 64-bit mode: an independent decoder reads both and prints the
 * same text, with guest esp as r12 and the memory operand at r15.
 */
import * as iced from 'iced-x86';
import { decode } from './decoder';
import { encodeForScratch } from './encode';
import { encodings, quickPlan } from './testing/encodings';

const SCRATCH = 8192;
const formatter = new iced.Formatter(iced.FormatterSyntax.Intel);

/** What 64-bit mode spells differently though it means the same. */
function guestText(text: string): string {
  return text
    .replace(/\[[^\]]*\]/, '[M]')
    .replace(/\b(cs|ds|es|ss|fs|gs):/g, '')
    .replace(/^((rep|repe|repne|xacquire|xrelease|notrack|bnd|addr16|addr32) )+/, '')
    .replace(/\besp\b/g, 'r12d')
    .replace(/\bsp\b/g, 'r12w')
    .replace(/\b(fpuenv|fpustate)\d+ ptr /, '')
    .replace(/\b0+(?=[A-F][0-9A-F]*h)/g, '')
    .replace(/^xchg (e?)ax,\1ax$/, 'nop')
    .replace(/^(cldemote|prefetch\w*|rdsspd|nop|endbr32|endbr64)\b.*/, 'nop');
}

function hostText(text: string): string {
  return guestText(text.replace('[r15+2000h]', '[M]')).replace(/\bFFFFFFFF(?=[0-9A-F]{8}h)/g, '');
}

function textOf(bytes: Uint8Array, bits: number): { text: string; length: number } {
  const decoder = new iced.Decoder(bits, bytes, iced.DecoderOptions.None);
  const instruction = decoder.decode();
  const answer = { text: formatter.format(instruction), length: instruction.length };
  instruction.free();
  decoder.free();
  return answer;
}

test.each([[32], [16]])('host encodings of %i-bit code say the same', (bits) => {
  const found: string[] = [];
  const plan = { ...quickPlan, prefixes: [[], [0x66], [0xf2], [0xf3], [0x66, 0xf2]], vexPrefixes: [[]], modrms: [0x05, 0x61, 0xc1, 0xd8, 0xe4, 0xcc] };
  let compared = 0;
  for (const encoding of encodings(plan)) {
    const bytes = Uint8Array.from(encoding);
    const ins = decode(bytes, 0, bytes.length, bits === 32);
    if (typeof ins === 'string' || ins.row.kind !== 'self') continue;
    const host = encodeForScratch(ins, bytes, 0, SCRATCH);
    if (host === null) continue;
    compared++;
    const wanted = guestText(textOf(bytes, bits).text);
    const got = textOf(host, 64);
    if (hostText(got.text) !== wanted || got.length !== host.length) {
      found.push(`${Buffer.from(bytes).toString('hex')} ${wanted} => ${Buffer.from(host).toString('hex')} ${hostText(got.text)}`);
    }
  }
  expect(found.slice(0, 20)).toEqual([]);
  expect(compared).toBeGreaterThan(10_000);
}, 120_000);

const encode = (hex: string): string | null => {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  const ins = decode(bytes, 0, bytes.length, true);
  if (typeof ins === 'string') throw new Error(ins);
  const host = encodeForScratch(ins, bytes, 0, SCRATCH);
  return host && Buffer.from(host).toString('hex');
};

test('ah, ch, dh and bh have no encoding next to a REX prefix', () => {
  expect(encode('8827')).toBeNull(); // mov [edi], ah
  expect(encode('0fb6e4')).toBeNull(); // movzx esp, ah
  expect(encode('00e0')).toBe('00e0'); // add al, ah
});

test('bt with a register offset in memory is no access to the operand alone', () => {
  expect(encode('0fa307')).toBeNull(); // bt [edi], eax
  expect(encode('0fba2705')).not.toBeNull(); // bt dword ptr [edi], 5
  expect(encode('0fa3c1')).toBe('0fa3c1'); // bt ecx, eax
});

test('the 16-bit size follows the instruction, not the guest prefix', () => {
  const bytes = Uint8Array.of(0x01, 0xd8);
  const ins = decode(bytes, 0, 2, false);
  if (typeof ins === 'string') throw new Error(ins);
  expect(Buffer.from(encodeForScratch(ins, bytes, 0, SCRATCH)!).toString('hex')).toBe('6601d8');
});
