/**
 * Messages as plain objects, both ways, by the schema:
 *
 *   names           camelCase                      64-bit numbers  number; beyond 2^53 it is an error, never rounded
 *   scalars         always there when received     enums           by name; an unknown one is the zero value
 *   repeated, map   [] and {} when empty           bytes           Buffer
 *   message, optional, member of a oneof           the key is there only if it is set
 *   oneof           its own name (`kind`) says which member is set; ignored when sent
 *
 * When sent, whatever has its default may be left out; a field the schema does not know
 * is an error, as is a value of another type: both are mistakes of whoever sends.
 */
import { Enum, type Field, type OneOf, Type } from 'protobufjs';
import { WireError } from '../errors';

export type Plain = Readonly<Record<string, unknown>>;
type Build = Record<string, unknown>;

export interface Codec {
  encode(plain: object): Buffer;
  decode(bytes: Uint8Array): Plain;
}

const codecs = new WeakMap<Type, Codec>();

export function codecOf(type: Type): Codec {
  let codec = codecs.get(type);
  if (!codec) codecs.set(type, (codec = makeCodec(type)));
  return codec;
}

const makeCodec = (type: Type): Codec => ({
  encode: (plain) => type.encode(toMessage(type, plain as Plain, type.name)).finish() as Buffer,
  decode: (bytes) => {
    let message: Plain;
    try {
      message = type.decode(bytes) as unknown as Plain;
    } catch (error) {
      throw new WireError('invalid', `what came is no ${type.name}: ${(error as Error).message}`);
    }
    return fromMessage(type, message, type.name);
  },
});

// ── received ───────────────────────────────────────────────────────────────

/** Members of real oneofs, and fields marked `optional`: these have a presence of their own. */
const hasPresence = (field: Field): boolean =>
  field.partOf !== null || (field.resolvedType instanceof Type && !field.repeated && !field.map);
const isReal = (oneof: OneOf | null): oneof is OneOf => oneof !== null && !oneof.isProto3Optional;

function fromMessage(type: Type, message: Plain, where: string): Plain {
  const plain: Build = {};
  for (const field of type.fieldsArray) {
    const { name } = field;
    const at = `${where}.${name}`;
    const isThere = Object.hasOwn(message, name) && message[name] !== null && message[name] !== undefined;
    if (field.repeated) plain[name] = isThere ? (message[name] as unknown[]).map((one) => received(field, one, at)) : [];
    else if (field.map) plain[name] = isThere ? mapped(message[name] as Plain, (one) => received(field, one, at)) : {};
    else if (hasPresence(field)) {
      if (!isThere) continue;
      plain[name] = received(field, message[name], at);
      if (isReal(field.partOf)) plain[field.partOf.name] = name;
    } else plain[name] = received(field, isThere ? message[name] : field.defaultValue, at);
  }
  return plain;
}

function received(field: Field, value: unknown, where: string): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof Type) return fromMessage(resolvedType, value as Plain, where);
  if (resolvedType instanceof Enum) return resolvedType.valuesById[value as number] ?? resolvedType.valuesById[0];
  if (field.bytes) return Buffer.isBuffer(value) ? value : Buffer.from(value as Uint8Array);
  return isLong(value) ? safe(value.toNumber(), where) : value;
}

const isLong = (value: unknown): value is { toNumber(): number } => typeof value === 'object' && value !== null && 'toNumber' in value;

// ── sent ───────────────────────────────────────────────────────────────────

function toMessage(type: Type, plain: Plain, where: string): Build {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) throw misfit(where, 'an object', plain);
  const message: Build = {};
  const oneofs = new Map<OneOf, string>();
  for (const [name, value] of Object.entries(plain)) {
    if (value === undefined || value === null) continue;
    const field = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
    if (!field) {
      if (type.oneofs && Object.hasOwn(type.oneofs, name)) continue;
      throw new WireError('invalid', `${where} has no field ${name}`);
    }
    const at = `${where}.${name}`;
    if (field.repeated) message[name] = list(value, at).map((one) => sent(field, one, at));
    else if (field.map) message[name] = mapped(value as Plain, (one) => sent(field, one, at));
    else message[name] = sent(field, value, at);
    if (!isReal(field.partOf)) continue;
    const other = oneofs.get(field.partOf);
    if (other) throw new WireError('invalid', `${where} has both ${other} and ${name}: only one of them may be set`);
    oneofs.set(field.partOf, name);
  }
  return message;
}

const list = (value: unknown, where: string): readonly unknown[] => {
  if (!Array.isArray(value)) throw misfit(where, 'a list', value);
  return value;
};

/** Type in the .proto, what a value must be, in words. */
const SCALARS: Readonly<Record<string, readonly [(value: unknown) => boolean, string]>> = {
  string: [(value) => typeof value === 'string', 'a string'],
  bool: [(value) => typeof value === 'boolean', 'true or false'],
  bytes: [(value) => value instanceof Uint8Array, 'bytes'],
  double: [(value) => typeof value === 'number', 'a number'],
  float: [(value) => typeof value === 'number', 'a number'],
  ...integers(['int32', 'sint32', 'sfixed32'], -(2 ** 31), 2 ** 31 - 1),
  ...integers(['uint32', 'fixed32'], 0, 2 ** 32 - 1),
  ...integers(['int64', 'sint64', 'sfixed64'], Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  ...integers(['uint64', 'fixed64'], 0, Number.MAX_SAFE_INTEGER),
};

function integers(types: string[], least: number, most: number): Record<string, readonly [(value: unknown) => boolean, string]> {
  const fits = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
  return Object.fromEntries(types.map((type) => [type, [fits, `a whole number from ${least} to ${most}`]]));
}

function sent(field: Field, value: unknown, where: string): unknown {
  const { resolvedType } = field;
  if (resolvedType instanceof Type) return toMessage(resolvedType, value as Plain, where);
  if (resolvedType instanceof Enum) {
    if (typeof value === 'string' && Object.hasOwn(resolvedType.values, value)) return resolvedType.values[value];
    throw misfit(where, `one of ${Object.keys(resolvedType.values).join(', ')}`, value);
  }
  const [fits, wanted] = SCALARS[field.type];
  if (!fits(value)) throw misfit(where, wanted, value);
  return value;
}

// ── both ───────────────────────────────────────────────────────────────────

/** `__proto__` as a key of a map is a key like any other. */
const mapped = (map: Plain, change: (value: unknown) => unknown): Build => {
  const changed: Build = {};
  for (const [key, value] of Object.entries(map))
    Object.defineProperty(changed, key, { value: change(value), enumerable: true, writable: true, configurable: true });
  return changed;
};

function safe(value: number, where: string): number {
  if (!Number.isSafeInteger(value)) throw new WireError('invalid', `${where} is beyond 2^53 and would be rounded`);
  return value;
}

const misfit = (where: string, wanted: string, value: unknown): WireError =>
  new WireError(
    'invalid',
    `${where} is to be ${wanted}, not ${typeof value === 'object' ? (value === null ? 'null' : value.constructor?.name) : JSON.stringify(value)?.slice(0, 80)}`,
  );
