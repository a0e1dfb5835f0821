/** What decides about a write, the same for both back ends. */
import { StoreError } from './errors';
import type { Entry, Revision, WriteOptions } from './store';

/** A put, or with no value a deletion. */
export interface Write {
  readonly key: string;
  readonly value?: Uint8Array;
  readonly options: WriteOptions;
}

export interface Situation {
  entry(key: string): Entry | undefined;
  /** Keys and values together, in bytes. */
  readonly bytes: number;
  readonly maxBytes: number;
}

/** Why the write must not happen now; undefined: it may. */
export function refusal(write: Write, now: Situation): StoreError | undefined {
  const { key, value, options } = write;
  const entry = now.entry(key);
  const { guards = [], expect } = options;
  const broken = guards.find((guard) => !guard.holds(now.entry(guard.key)));
  if (broken) return new StoreError('conflict', broken.otherwise);
  if (expect !== undefined && expect !== (entry?.revision ?? 0)) return new StoreError('conflict', conflictText(key, expect, entry));
  if (value === undefined)
    return entry ? undefined : new StoreError('not-found', `there is no ${key} in the store; it may have been deleted already`);
  const grows = bytesOf(key, value) - (entry ? bytesOf(key, entry.value) : 0);
  if (grows > 0 && now.bytes + grows > now.maxBytes) {
    return new StoreError(
      'full',
      `the store holds ${now.bytes} of ${now.maxBytes} bytes, too many to add ${key}; delete what is not needed or raise the limit`,
    );
  }
  return undefined;
}

/** What an entry counts for the limit. */
export const bytesOf = (key: string, value: Uint8Array): number => key.length + value.length;

function conflictText(key: string, expected: Revision, entry: Entry | undefined): string {
  if (expected === 0) return `${key} exists already; read it and decide anew`;
  if (!entry) return `${key} was deleted meanwhile; read it and decide anew`;
  return `${key} was changed meanwhile (revision ${entry.revision}, not ${expected}); read it and decide anew`;
}
