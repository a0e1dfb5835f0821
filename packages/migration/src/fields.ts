/** Checks plain data from outside against a description of it. Unknown fields are left out: a later version may have more. */
import { StreamError } from './errors';

export type Parse<T> = (value: unknown, path: string) => T;
export type Parsed<P> = P extends Parse<infer T> ? T : never;

const wrong = (path: string, wanted: string) => new StreamError('bounds', `${path} is not ${wanted}`);

export const text =
  (maxLength: number): Parse<string> =>
  (value, path) => {
    if (typeof value !== 'string' || value.length > maxLength) throw wrong(path, `a text of at most ${maxLength} characters`);
    return value;
  };

export const number =
  (low: number, high: number): Parse<number> =>
  (value, path) => {
    if (typeof value !== 'number' || !(value >= low && value <= high)) throw wrong(path, `a number from ${low} to ${high}`);
    return value;
  };

export const whole =
  (low: number, high: number): Parse<number> =>
  (value, path) => {
    if (!Number.isSafeInteger(value) || (value as number) < low || (value as number) > high)
      throw wrong(path, `a whole number from ${low} to ${high}`);
    return value as number;
  };

export const yesNo: Parse<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw wrong(path, 'true or false');
  return value;
};

export const oneOf =
  <T extends string>(...words: readonly T[]): Parse<T> =>
  (value, path) => {
    if (!words.includes(value as T)) throw wrong(path, `one of ${words.join(', ')}`);
    return value as T;
  };

export const list =
  <T>(item: Parse<T>, maxLength: number): Parse<readonly T[]> =>
  (value, path) => {
    if (!Array.isArray(value) || value.length > maxLength) throw wrong(path, `a list of at most ${maxLength} items`);
    return value.map((each, index) => item(each, `${path}[${index}]`));
  };

/** Null, or missing, is null. */
export const nullable =
  <T>(item: Parse<T>): Parse<T | null> =>
  (value, path) =>
    value === undefined || value === null ? null : item(value, path);

/** Left as it is: its owner checks it. */
export const opaque: Parse<unknown> = (value) => value;

export const record =
  <F extends Record<string, Parse<unknown>>>(fields: F): Parse<{ readonly [K in keyof F]: Parsed<F[K]> }> =>
  (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'a record');
    const given = value as Record<string, unknown>;
    const result: Record<string, unknown> = {};
    for (const [name, parse] of Object.entries(fields))
      result[name] = parse(Object.hasOwn(given, name) ? given[name] : undefined, `${path}.${name}`);
    return result as { [K in keyof F]: Parsed<F[K]> };
  };
