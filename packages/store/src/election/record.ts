/** The election record: one value in the store, replaced by compare-and-swap only. */
import { MAX_LEASE_MS, MIN_LEASE_MS } from './timing';

export const RECORD_VERSION = 1;
/** Never delete it: the terms would have to begin anew. */
export const ELECTION_PREFIX = 'election/';
export const ELECTION_KEY = `${ELECTION_PREFIX}leader`;

export interface Candidate {
  /** One process: never used again by another. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Where others send what only the leader may do. */
  readonly address: string;
}

export interface ElectionRecord {
  /** Grows with each claim, not by one. */
  readonly term: number;
  /** Null: resigned, anybody may claim. */
  readonly holder: Candidate | null;
  /** Renewals in this term. */
  readonly counter: number;
  /** By this takers wait, whatever their own setting. */
  readonly leaseMs: number;
}

const MAX_TEXT = 256;

export const encodeRecord = (record: ElectionRecord): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ version: RECORD_VERSION, ...record }));

/** Undefined for anything that is not a whole record of this version. */
export function parseRecord(value: Uint8Array): ElectionRecord | undefined {
  try {
    const { version, term, holder, counter, leaseMs } = JSON.parse(new TextDecoder().decode(value)) as Record<string, unknown>;
    if (version !== RECORD_VERSION || !isCount(term) || !isCount(counter) || !isLease(leaseMs)) return undefined;
    if (holder === null) return { term, holder, counter, leaseMs };
    const { id, name, address } = holder as Record<string, unknown>;
    if (!isText(id) || !isText(name) || !isText(address)) return undefined;
    return { term, holder: { id, name, address }, counter, leaseMs };
  } catch {
    return undefined;
  }
}

/** @throws RangeError */
export function checkCandidate({ id, name, address }: Candidate): Candidate {
  if (![id, name, address].every(isText)) throw new RangeError(`a candidate's id, name and address have 1 to ${MAX_TEXT} characters`);
  return { id, name, address };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isLease = (value: unknown): value is number => typeof value === 'number' && value >= MIN_LEASE_MS && value <= MAX_LEASE_MS;
