/** Named sections: what a saved machine consists of besides its memory. */
import { crc32 } from './checksum';
import { damaged, newer } from './errors';
import { getText, putText, viewOf } from './fields';
import { KIND, NAME_PATTERN, SECTION, SECTION_MAGIC } from './layout';
import { MAX_SECTION_BYTES, NAME_BYTES } from './limits';

/** A section to be written. */
export type Section = {
  /** Lower-case ASCII, at most 32 characters. */
  readonly name: string;
  /** The owner's own: what `content` means. */
  readonly version: number;
} & ({ readonly json: unknown } | { readonly bytes: Uint8Array });

/** A section that was read and checked. */
export type LoadedSection =
  | { readonly name: string; readonly version: number; readonly kind: 'json'; readonly json: unknown; readonly length: number }
  | { readonly name: string; readonly version: number; readonly kind: 'binary'; readonly bytes: Uint8Array; readonly length: number };

export interface SectionHeader {
  name: string;
  kind: number;
  version: number;
  length: number;
  payloadChecksum: number;
  /** As it lies in the file, for the chain. */
  bytes: Uint8Array;
}

/** @throws RangeError for a name or version that the format cannot hold: the caller's error. */
export function encodeSectionHeader(name: string, kind: number, version: number, payload: Uint8Array): Uint8Array {
  if (!NAME_PATTERN.test(name)) throw new RangeError(`"${name}" is no name for a section`);
  if (!Number.isInteger(version) || version < 1 || version > 0xffffffff) throw new RangeError(`section ${name}: no version: ${version}`);
  if (payload.length > MAX_SECTION_BYTES) throw new RangeError(`section ${name}: ${payload.length} bytes are too many`);
  const bytes = new Uint8Array(SECTION.bytes);
  const view = viewOf(bytes);
  view.setUint32(SECTION.magic, SECTION_MAGIC, true);
  view.setUint16(SECTION.kind, kind, true);
  view.setUint32(SECTION.version, version, true);
  view.setUint32(SECTION.length, payload.length, true);
  putText(bytes, SECTION.name, NAME_BYTES, name);
  view.setUint32(SECTION.payloadChecksum, crc32(payload), true);
  view.setUint32(SECTION.checksum, crc32(bytes.subarray(0, SECTION.checksum)), true);
  return bytes;
}

export function decodeSectionHeader(file: string, given: Uint8Array): SectionHeader {
  const bytes = given.slice();
  const view = viewOf(bytes);
  const name = getText(bytes, SECTION.name, NAME_BYTES);
  const intact =
    view.getUint32(SECTION.magic, true) === SECTION_MAGIC &&
    view.getUint32(SECTION.checksum, true) === crc32(bytes.subarray(0, SECTION.checksum)) &&
    name !== undefined &&
    NAME_PATTERN.test(name);
  if (!intact) throw damaged(file, 'there is no section where one is due');
  const kind = view.getUint16(SECTION.kind, true);
  if (!(Object.values(KIND) as number[]).includes(kind) || view.getUint16(SECTION.flags, true) !== 0) {
    throw newer(file, `section "${name}" is of a kind that this program does not know`);
  }
  const length = view.getUint32(SECTION.length, true);
  if (length > MAX_SECTION_BYTES) throw damaged(file, `section "${name}" claims ${length} bytes`);
  const version = view.getUint32(SECTION.version, true);
  return { name, kind, version, length, payloadChecksum: view.getUint32(SECTION.payloadChecksum, true), bytes };
}

/** @throws TypeError for what JSON would silently lose: the caller's error. */
export function encodeJson(name: string, value: unknown): Uint8Array {
  const text = JSON.stringify(value, (key, part: unknown) => {
    if (survivesJson(part)) return part;
    throw new TypeError(`section ${name}: the value of "${key}" is not plain data: ${String(part)}`);
  });
  return Buffer.from(text);
}

export function decodeJson(file: string, name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw damaged(file, `section "${name}" is not JSON`);
  }
}

function survivesJson(value: unknown): boolean {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      return (
        value === null || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null
      );
    default:
      return typeof value === 'string' || typeof value === 'boolean';
  }
}
