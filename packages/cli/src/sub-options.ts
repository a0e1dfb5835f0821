import { usageError } from './errors';

/**
 * `FILE,key=value,flag` of an option such as --disk. What stands before the
 * first comma is the main value; a comma inside it is written twice.
 */
export interface SubOptions {
  readonly main: string;
  readonly values: ReadonlyMap<string, string>;
}

/** @param known the keys that may occur: true where a value must follow, false for a flag. */
export function parseSubOptions(option: string, text: string, known: Readonly<Record<string, boolean>>): SubOptions {
  const parts = text.replaceAll(',,', '\0').split(',').map((part) => part.replaceAll('\0', ','));
  const [main, ...rest] = parts;
  const values = new Map<string, string>();
  for (const part of rest) {
    const [key, value] = splitOnce(part);
    if (!Object.hasOwn(known, key)) throw usageError(`${option} knows ${Object.keys(known).join(', ')}, not '${key}'`);
    if (known[key] !== (value !== undefined)) throw usageError(known[key] ? `${option}: ${key} needs a value` : `${option}: ${key} takes no value`);
    if (values.has(key)) throw usageError(`${option}: ${key} is given twice`);
    values.set(key, value ?? '');
  }
  return { main, values };
}

/** The value of a key, which must be one of those listed. */
export function choice<T extends string>(option: string, key: string, text: string, allowed: readonly T[]): T {
  if ((allowed as readonly string[]).includes(text)) return text as T;
  throw usageError(`${option}: ${key} is ${allowed.join(' or ')}, not '${text}'`);
}

function splitOnce(text: string): [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
