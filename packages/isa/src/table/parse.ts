/**
 * Reads the text form of the instruction table.
 *
 *   [prefix.]opcode[+r][/digit][@mem|@reg|@rmN] mnemonic [operands] [| attributes]
 *
 * Prefix `np`, `66`, `f2`, `f3`: the row is chosen by that mandatory prefix
 * alone (`np`: by none); without it the row stands for all prefixes, which
 * then keep their ordinary meaning. `+r`: the opcode's low three bits name a
 * register. Operands are the manual's letters (SDM 2D, A.2) and are read,
 * unless marked `=` (written) or `!` (read and written).
 *
 * Attributes:
 *   self stack string flow segment flags io system   the kind (default: the section's)
 *   lock; cpl0 iopl vmiopl protected; f:feature; unit:name
 *   r: w: u: k:   flags read, written, undefined, perhaps kept; letters o d i t s z a p c
 *   arith logic   short for w:oszapc and w:oszpc u:a
 *   sized         the operand size matters though no operand shows it
 *   branch        may change eip (implied by flow)
 *   l0 l1 w0 w1   VEX.L and VEX.W
 *   unaligned, aligned, vsib
 *   mm:feature    the same opcode without 66 is the MMX form
 *   vex  vexn     the VEX twin (mnemonic `v…`), without / with VEX.vvvv as first source;
 *                 modifiers `.l0`, `.int` (256-bit form needs AVX2), `.w0`, `.aligned`
 *
 * Where the text departs from the manual: implicit operands are left out
 * (mul's eAX, string counts), `Z` is the register in the opcode, `bs` is a
 * byte that is sign-extended, `hx`, `fx`, `ex` are a half, a fourth and an
 * eighth of a vector.
 */
import {
  Flag, type FeatureName, type Kind, type OpcodeMap, type Operand, type Row, type Unit,
} from '../instruction';

export interface Section {
  map: OpcodeMap;
  vex?: boolean;
  kind?: Kind;
  unit: Unit;
  feature: FeatureName;
  text: string;
}

const kinds = new Set(['self', 'stack', 'string', 'flow', 'segment', 'flags', 'io', 'system']);
const privileges = new Set(['cpl0', 'iopl', 'vmiopl', 'protected']);
const flagLetters: Record<string, number> = {
  o: Flag.OF, d: Flag.DF, i: Flag.IF, t: Flag.TF, s: Flag.SF, z: Flag.ZF, a: Flag.AF, p: Flag.PF, c: Flag.CF,
};
const shorthand: Record<string, string[]> = { arith: ['w:oszapc'], logic: ['w:oszpc', 'u:a'] };
const sizedOperands = new Set(['v', 'z', 'a', 'p', 'bs', 'fenv', 'fsave']);
const modrmMethods = 'CDEGMNPQRSUVW';

const registers = 'AX CX DX BX SP BP SI DI'.split(' ');
const fixedRegisters = new Map<string, [method: string, size: string, reg: number]>([
  ...'AL CL DL BL AH CH DH BH'.split(' ').map((name, reg) => [name, ['reg', 'b', reg]] as const),
  ...registers.map((name, reg) => [name, ['reg', 'w', reg]] as const),
  ...registers.map((name, reg) => [`E${name}`, ['reg', 'd', reg]] as const),
  ...registers.map((name, reg) => [`e${name}`, ['reg', 'v', reg]] as const),
  ...'ES CS SS DS FS GS'.split(' ').map((name, reg) => [name, ['seg', 'w', reg]] as const),
  ['1', ['1', 'b', 0]],
  ['ST', ['ST', 't', 0]],
  ['STi', ['STi', 't', 0]],
  ['XMM0', ['xmm0', 'dq', 0]],
] as [string, [string, string, number]][]);

/** Parses sections in order into rows with dense ids. */
export function parseTable(sections: readonly Section[]): Row[] {
  const rows: Row[] = [];
  for (const section of sections) {
    for (const line of section.text.split('\n')) {
      const text = line.trim();
      if (text !== '' && !text.startsWith('#')) addRows(rows, section, text);
    }
  }
  linkLegacyRow(rows, 'tzcnt', 'bsf');
  linkLegacyRow(rows, 'lzcnt', 'bsr');
  return rows;
}

function linkLegacyRow(rows: Row[], modern: string, legacy: string): void {
  const older = rows.find((row) => row.mnemonic === legacy)!;
  for (const row of rows) if (row.mnemonic === modern) row.legacyRow = older;
}

/** One line makes the row itself and its MMX and VEX twins. */
function addRows(rows: Row[], section: Section, text: string): void {
  const [left, right = ''] = text.split('|');
  const [spec, mnemonic, operandText = ''] = left.trim().split(/\s+/);
  const attributes = right.trim().split(/\s+/).filter(Boolean).flatMap((word) => shorthand[word] ?? [word]);
  const own = attributes.filter((word) => !/^(mm:|vexn?(\.|$))/.test(word));
  const operands = operandText === '' ? [] : operandText.split(',');

  const alternatives = own.find((word) => /^f:.*\//.test(word));
  if (alternatives) {
    const rest = own.filter((word) => word !== alternatives);
    const [narrow, wide] = alternatives.slice(2).split('/');
    rows.push(makeRow(rows.length, section, spec, mnemonic, operands, [...rest, `f:${narrow}`, 'l0']));
    rows.push(makeRow(rows.length, section, spec, mnemonic, operands, [...rest, `f:${wide}`, 'l1']));
  } else {
    rows.push(makeRow(rows.length, section, spec, mnemonic, operands, own));
  }
  for (const word of attributes) {
    if (word.startsWith('mm:')) addMmxTwin(rows, section, spec, mnemonic, operands, own, word.slice(3));
    else if (/^vexn?(\.|$)/.test(word)) addVexTwin(rows, section, spec, mnemonic, operands, own, word);
  }
}

function addMmxTwin(rows: Row[], section: Section, spec: string, mnemonic: string, operands: string[], attributes: string[], feature: string): void {
  const letters: Record<string, string> = { V: 'P', W: 'Q', U: 'N' };
  const twin = operands.map((operand) => operand.replace(/^([VWU])[a-z]+/, (_, letter: string) => `${letters[letter]}q`));
  const kept = attributes.filter((word) => !word.startsWith('f:'));
  rows.push(makeRow(rows.length, { ...section, unit: 'mmx' }, spec.replace(/^66\./, 'np.'), mnemonic, twin, [...kept, `f:${feature}`]));
}

function addVexTwin(rows: Row[], section: Section, spec: string, mnemonic: string, operands: string[], attributes: string[], word: string): void {
  const [form, ...modifiers] = word.split('.');
  let twin = operands;
  if (form === 'vexn') {
    const first = operands[0].replace(/[!=]$/, '');
    twin = [`${first}=`, `H${first.slice(1)}`, ...operands.slice(1)];
  }
  // AVX itself is implied by the unit; only what is a feature beside it stays.
  const kept = attributes.filter((a) => a === 'f:aes' || a === 'f:pclmulqdq' || !/^(f:|unaligned$|aligned$)/.test(a));
  if (modifiers.includes('aligned')) kept.push('aligned');
  if (modifiers.includes('w0')) kept.push('w0');
  const vexSection: Section = { ...section, vex: true, unit: 'avx', feature: 'avx' };
  const add = (extra: string[]) =>
    rows.push(makeRow(rows.length, vexSection, spec, `v${mnemonic}`, twin, [...kept, ...extra]));
  if (modifiers.includes('l0')) add(['l0']);
  else if (modifiers.includes('int')) {
    add(['l0']);
    add(['l1', 'f:avx2']);
  } else add([]);
}

function makeRow(id: number, section: Section, spec: string, mnemonic: string, operandTexts: string[], attributes: string[]): Row {
  const match = /^(?:(np|66|f2|f3)\.)?([0-9a-f]{2})(\+r)?(?:\/([0-7]))?(?:@(mem|reg|rm[0-7]))?$/i.exec(spec);
  if (!match) throw new Error(`instruction table: bad opcode in "${spec} ${mnemonic}"`);
  const [, prefix, opcode, plusRegister, digit, place] = match;
  const operands = operandTexts.map(parseOperand);
  const vex = section.vex === true;
  const row: Row = {
    id,
    mnemonic,
    map: section.map,
    opcode: Number.parseInt(opcode, 16),
    mandatory: (prefix === undefined || prefix === 'np' ? 0 : Number.parseInt(prefix, 16)) as Row['mandatory'],
    digit: digit === undefined ? -1 : Number(digit),
    rm: place?.startsWith('rm') ? Number(place[2]) : -1,
    mod: place === undefined ? impliedMod(operands) : place === 'mem' ? 'mem' : 'reg',
    vex,
    vexL: -1,
    vexW: -1,
    hasModrm: digit !== undefined || place !== undefined || operands.some((o) => o.method.length === 1 && modrmMethods.includes(o.method)),
    immediate: immediateLayout(operands),
    operands,
    kind: section.kind ?? 'self',
    unit: section.unit,
    feature: section.feature,
    flagsRead: 0,
    flagsWritten: 0,
    flagsUndefined: 0,
    flagsConditional: 0,
    lockable: false,
    // VEX is #UD in real and virtual-8086 mode (SDM 2A 2.8, "Type" tables).
    privilege: vex ? 'protected' : '',
    exactPrefix: vex || prefix !== undefined,
    opcodeRegister: plusRegister !== undefined,
    sized: operands.some((o) => sizedOperands.has(o.size)),
    usesVvvv: operands.some((o) => o.method === 'H' || o.method === 'B'),
    modIgnored: operands.some((o) => o.method === 'C' || o.method === 'D'),
    vsib: false,
    aligned: !vex && section.unit === 'sse' && operands.some((o) => 'WM'.includes(o.method) && ['x', 'ps', 'pd', 'dq'].includes(o.size)),
    changesFlow: false,
    legacyRow: null,
  };
  for (const word of attributes) applyAttribute(row, word);
  row.changesFlow ||= row.kind === 'flow';
  return row;
}

const memoryOnly = 'M';
const registerOnly = 'NRU';

function impliedMod(operands: Operand[]): Row['mod'] {
  if (operands.some((o) => o.method === memoryOnly)) return 'mem';
  if (operands.some((o) => o.method === 'C' || o.method === 'D')) return 'any';
  return operands.some((o) => o.method.length === 1 && registerOnly.includes(o.method)) ? 'reg' : 'any';
}

function applyAttribute(row: Row, word: string): void {
  const [name, value] = word.split(':');
  if (kinds.has(word)) row.kind = word as Kind;
  else if (privileges.has(word)) row.privilege = word as Row['privilege'];
  else if (name === 'r') row.flagsRead |= flagMask(value);
  else if (name === 'w') row.flagsWritten |= flagMask(value);
  else if (name === 'u') row.flagsUndefined |= flagMask(value);
  else if (name === 'k') row.flagsConditional |= flagMask(value);
  else if (name === 'f') row.feature = value as FeatureName;
  else if (name === 'unit') row.unit = value as Unit;
  else if (/^l[01]$/.test(word)) row.vexL = Number(word[1]);
  else if (/^w[01]$/.test(word)) row.vexW = Number(word[1]);
  else if (word === 'lock') row.lockable = true;
  else if (word === 'sized') row.sized = true;
  else if (word === 'branch') row.changesFlow = true;
  else if (word === 'aligned') row.aligned = true;
  else if (word === 'unaligned') row.aligned = false;
  else if (word === 'vsib') row.vsib = true;
  else throw new Error(`instruction table: unknown attribute "${word}" of ${row.mnemonic}`);
}

function flagMask(letters: string): number {
  let mask = 0;
  for (const letter of letters) {
    if (!(letter in flagLetters)) throw new Error(`instruction table: unknown flag "${letter}"`);
    mask |= flagLetters[letter];
  }
  return mask;
}

function parseOperand(text: string): Operand {
  const mark = /[!=]$/.exec(text)?.[0] ?? '';
  const body = mark === '' ? text : text.slice(0, -1);
  const access = { read: mark !== '=', write: mark !== '' };
  const fixed = fixedRegisters.get(body);
  if (fixed) return { method: fixed[0], size: fixed[1], reg: fixed[2], ...access };
  if (!/^[A-Z][a-z]+$/.test(body)) throw new Error(`instruction table: bad operand "${text}"`);
  return { method: body[0], size: body.slice(1), reg: 0, ...access };
}

function immediateLayout(operands: Operand[]): Row['immediate'] {
  const layouts = operands
    .filter((o) => o.method.length === 1 && 'IJAOL'.includes(o.method))
    .map((o) => (o.method === 'J' ? `J${o.size}` : o.method === 'O' ? 'O' : o.method === 'L' ? 'b' : o.size));
  // `enter Iw,Ib` is the only instruction with two immediates of its own.
  return layouts.join('') as Row['immediate'];
}
