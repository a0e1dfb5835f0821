/**
 * Encodes the little ACPI machine language that the tables need. Source: ACPI
 * 2.0, chapter 17 (AML encoding) and 6.4 (resource descriptors). Terms are byte
 * lists; a tree of calls reads like the ASL it stands for.
 */

export type Aml = readonly number[];

const ascii = (text: string): number[] => [...text].map((c) => c.charCodeAt(0));
export const word = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff];
export const dword = (value: number): number[] => [...word(value), ...word(value >>> 16)];

/** One name segment: four characters, padded with underscores. */
function segment(name: string): number[] {
  if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(name)) throw new Error(`not an AML name: ${name}`);
  return ascii(name.padEnd(4, '_'));
}

/** `\_SB.PCI0` and the like. */
function nameString(path: string): number[] {
  const root = path.startsWith('\\');
  const parts = (root ? path.slice(1) : path).split('.');
  const prefix = parts.length === 1 ? [] : parts.length === 2 ? [0x2e] : [0x2f, parts.length];
  return [...(root ? [0x5c] : []), ...prefix, ...parts.flatMap(segment)];
}

/** Length of a package including the length bytes themselves: one byte to 63, else up to four. */
function withLength(body: Aml): number[] {
  if (body.length + 1 < 64) return [body.length + 1, ...body];
  for (let extra = 1; extra <= 3; extra++) {
    const total = body.length + 1 + extra;
    if (total >= 2 ** (4 + 8 * extra)) continue;
    const bytes = [(extra << 6) | (total & 15)];
    for (let index = 0; index < extra; index++) bytes.push((total >> (4 + 8 * index)) & 0xff);
    return [...bytes, ...body];
  }
  throw new Error('AML package too long');
}

export function integer(value: number): Aml {
  if (value === 0) return [0x00];
  if (value === 1) return [0x01];
  if (value <= 0xff) return [0x0a, value];
  if (value <= 0xffff) return [0x0b, ...word(value)];
  return [0x0c, ...dword(value)];
}

export const name = (path: string, value: Aml): Aml => [0x08, ...nameString(path), ...value];
export const scope = (path: string, ...terms: Aml[]): Aml => [0x10, ...withLength([...nameString(path), ...terms.flat()])];
export const device = (path: string, ...terms: Aml[]): Aml => [0x5b, 0x82, ...withLength([...nameString(path), ...terms.flat()])];
/** A method of up to seven arguments. */
export const method = (path: string, argumentCount: number, ...terms: Aml[]): Aml => [
  0x14, ...withLength([...nameString(path), argumentCount, ...terms.flat()]),
];
/** The first argument of the method. */
export const ARG0: Aml = [0x68];
export const store = (value: Aml, path: string): Aml => [0x70, ...value, ...nameString(path)];
/** The value of a named object. */
export const valueOf = (path: string): Aml => nameString(path);
export const ifTrue = (predicate: Aml, ...terms: Aml[]): Aml => [0xa0, ...withLength([...predicate, ...terms.flat()])];
export const returnValue = (value: Aml): Aml => [0xa4, ...value];
export const packageOf = (...items: Aml[]): Aml => [0x12, ...withLength([items.length, ...items.flat()])];
export const buffer = (bytes: Aml): Aml => [0x11, ...withLength([...integer(bytes.length), ...bytes])];

/** A compressed EISA identifier such as PNP0A03. */
export function eisaId(id: string): Aml {
  const letters = [...id.slice(0, 3)].map((c) => c.charCodeAt(0) - 0x40);
  const packed = (letters[0] << 10) | (letters[1] << 5) | letters[2];
  const product = Number.parseInt(id.slice(3), 16);
  return [0x0c, packed >> 8, packed & 0xff, product >> 8, product & 0xff];
}

/** A resource template: descriptors and the end tag (checksum 0: not checked). */
export const resources = (...descriptors: Aml[]): Aml => buffer([...descriptors.flat(), 0x79, 0x00]);

/** Fixed ports, 16-bit decode. */
export const ioPorts = (first: number, length: number): Aml => [0x47, 0x01, ...word(first), ...word(first), 0x01, length];
/** Edge-triggered, active high, exclusive. */
export const irq = (line: number): Aml => [0x22, ...word(1 << line)];

interface AddressRange {
  readonly first: number;
  readonly last: number;
}

/** Producer windows of a bridge: fixed at both ends, positively decoded. */
const MIN_AND_MAX_FIXED = 0x0c;
export const busNumbers = ({ first, last }: AddressRange): Aml =>
  [0x88, ...word(13), 0x02, MIN_AND_MAX_FIXED, 0x00, ...word(0), ...word(first), ...word(last), ...word(0), ...word(last - first + 1)];
/** Type flags 3: the whole range, ISA and non-ISA. */
export const ioWindow = ({ first, last }: AddressRange): Aml =>
  [0x88, ...word(13), 0x01, MIN_AND_MAX_FIXED, 0x03, ...word(0), ...word(first), ...word(last), ...word(0), ...word(last - first + 1)];
/** Non-cacheable, read and write. */
export const memoryWindow = ({ first, last }: AddressRange): Aml =>
  [0x87, ...word(23), 0x00, MIN_AND_MAX_FIXED, 0x01, ...dword(0), ...dword(first), ...dword(last), ...dword(0), ...dword(last - first + 1)];
