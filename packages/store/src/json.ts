import { StoreError } from './errors';
import type { Entry, Revision, Store, WriteOptions } from './store';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export const encodeJson = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));

/** @throws StoreError 'corrupt' for a value that is not JSON */
export function decodeJson(entry: Entry): unknown {
  try {
    return JSON.parse(decoder.decode(entry.value));
  } catch {
    throw new StoreError('corrupt', `the value of ${entry.key} is not JSON; restore it from a backup or delete the key`);
  }
}

/** An entry whose value was JSON. Nothing has checked that it has the shape `T`: parse what others may have written. */
export interface JsonEntry<T> {
  readonly key: string;
  readonly value: T;
  readonly revision: Revision;
  readonly timeMs: number;
}

export function jsonEntry<T>(entry: Entry): JsonEntry<T> {
  return { key: entry.key, value: decodeJson(entry) as T, revision: entry.revision, timeMs: entry.timeMs };
}

export async function getJson<T>(store: Store, key: string): Promise<JsonEntry<T> | undefined> {
  const entry = await store.get(key);
  return entry && jsonEntry<T>(entry);
}

export function putJson(store: Store, key: string, value: unknown, options?: WriteOptions): Promise<Revision> {
  return store.put(key, encodeJson(value), options);
}
