/** Proves that each row's operands are read and written as an independent decoder says. */
import * as iced from 'iced-x86';
import { decode } from './decoder';
import type { Instruction } from './instruction';
import { encodings, quickPlan } from './testing/encodings';

const access = iced.OpAccess;
/** A conditional write keeps the old value otherwise: read and written. */
const letters = new Map<number, string>([
  [access.None, ''], [access.NoMemAccess, ''], [access.Read, 'r'], [access.CondRead, 'r'], [access.Write, 'w'],
  [access.CondWrite, 'rw'], [access.ReadWrite, 'rw'], [access.ReadCondWrite, 'rw'],
]);

/** Rows whose operands name no data, or whose register form merges into its target where the memory form does not. */
const exempt = /^(nop|ud[01]|lea|invlpg|prefetch.*|clflush(opt)?|ffreep?|xlat|v?movs[sd]|v?maskmov(q|dqu)|vp?maskmov(ps|pd|d|q))$/;

/** The oracle's operand list leaves out the implicit st(0) of memory forms and xmm0. */
function ours({ row, hasMemory }: Instruction): string {
  return row.operands
    .filter((o) => o.method !== 'xmm0' && !(o.method === 'ST' && hasMemory))
    .map((o) => (o.read ? 'r' : '') + (o.write ? 'w' : ''))
    .join();
}

test('operand access', () => {
  const factory = new iced.InstructionInfoFactory();
  const seen = new Set<number>();
  const found: string[] = [];
  const plan = { ...quickPlan, prefixes: [[], [0x66], [0xf2], [0xf3]], vexPrefixes: [[]] };
  for (const encoding of encodings(plan)) {
    const bytes = Uint8Array.from(encoding);
    const ins = decode(bytes, 0, bytes.length, true);
    // The oracle knows that `xor eax, eax` reads nothing; rows speak of different registers.
    if (typeof ins === 'string' || (ins.mod === 3 && ins.reg === ins.rm && ins.row.digit < 0 && ins.row.operands.length > 1)) continue;
    const key = ins.row.id * 2 + (ins.hasMemory ? 1 : 0);
    if (seen.has(key) || exempt.test(ins.row.mnemonic)) continue;
    seen.add(key);
    const decoder = new iced.Decoder(32, bytes, iced.DecoderOptions.None);
    const theirs = decoder.decode();
    const info = factory.info(theirs);
    const all = [info.op0Access, info.op1Access, info.op2Access, info.op3Access].slice(0, theirs.opCount);
    const wanted = all.map((a) => letters.get(a)).join();
    if (wanted !== ours(ins)) found.push(`${ins.row.mnemonic} ${Buffer.from(bytes).toString('hex')}: ${wanted}, ours ${ours(ins)}`);
    info.free();
    theirs.free();
    decoder.free();
  }
  expect(found).toEqual([]);
  expect(seen.size).toBeGreaterThan(1_500);
});
