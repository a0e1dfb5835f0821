/**
 * Keys are paths: `vms/web-1/status`. Segments of letters, digits, `-`, `_`, `=` and inner single
 * dots, so that a key is at once a NATS subject token, a KV key and safe to print.
 */
import { StoreError } from './errors';
import { MAX_KEY_BYTES, MAX_KEY_SEGMENTS, MAX_VALUE_BYTES } from './limits';

const SEGMENT = /^[A-Za-z0-9=-][A-Za-z0-9_=-]*(\.[A-Za-z0-9_=-]+)*$/;

/** @throws RangeError for what is no key: the caller's mistake; StoreError 'too-large' for one too long */
export function checkKey(key: string): string {
  if (key.length > MAX_KEY_BYTES)
    throw new StoreError('too-large', `a key has at most ${MAX_KEY_BYTES} characters, this one ${key.length}; use a shorter name`);
  const segments = key.split('/');
  if (segments.length > MAX_KEY_SEGMENTS || !segments.every((segment) => SEGMENT.test(segment))) {
    throw new RangeError(
      `'${printable(key)}' is no key: give up to ${MAX_KEY_SEGMENTS} segments, separated by '/', of letters, digits, '-', '_', '=' and inner dots, none beginning with '_'`,
    );
  }
  return key;
}

/** '' or whole segments with a '/' at the end. @throws RangeError */
export function checkPrefix(prefix: string): string {
  if (prefix === '') return prefix;
  if (!prefix.endsWith('/')) throw new RangeError(`'${printable(prefix)}' is no prefix: end it with '/'`);
  checkKey(prefix.slice(0, -1));
  return prefix;
}

/** @throws StoreError 'too-large' */
export function checkValue(key: string, value: Uint8Array): Uint8Array {
  if (value.length > MAX_VALUE_BYTES) {
    throw new StoreError(
      'too-large',
      `the value of ${key} has ${value.length} bytes, the limit is ${MAX_VALUE_BYTES}; store less or split it over several keys`,
    );
  }
  return value;
}

const printable = (text: string): string => JSON.stringify(text.slice(0, 80)).slice(1, -1);
