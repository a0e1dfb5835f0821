/**
 * What stands on the shared storage, in a VM's `lease` folder.
 *
 *     claim.7      who has epoch 7. Made complete and once, by an exclusive link;
 *                  never changed afterwards. The highest epoch is the truth.
 *     beat.7       the heartbeat of epoch 7's owner, replaced by rename; only
 *                  that owner writes it, and each counter value at most once.
 *
 * A write that lands late can therefore do nothing: a claim meets one that is
 * there already, a heartbeat falls on its own, past epoch.
 *
 * Both are one line of JSON and its checksum. They come from a shared folder, so
 * nothing in them is trusted before `parseClaim` or `parseBeat` has passed it.
 */
import { checksum } from './checksum';
import { MAX_COUNT, MAX_LEASE_MS, MAX_NAME, MAX_RECORD_BYTES, MIN_LEASE_MS } from './limits';

/** Version of both records' form. */
export const RECORD_VERSION = 1;

export interface Owner {
  readonly hostId: string;
  /** For people. */
  readonly hostName: string;
  /** One VMM process: never used again by another one. */
  readonly vmmId: string;
}

/** How an epoch came about. */
export type ClaimReason = 'acquire' | 'take-over' | 'resume' | 'pass' | 'release';

export interface Claim {
  readonly vmId: string;
  /** Grows by one with each claim. */
  readonly epoch: number;
  /** Null: released, free for anyone. */
  readonly owner: Owner | null;
  readonly reason: ClaimReason;
  /** The migration by which the owner got it, for 'pass'. */
  readonly migrationId: string | null;
  /** How long the owner's heartbeat is good for, in ms: takers wait by this, whatever their own setting. */
  readonly leaseMs: number;
  /** Unique among all claims ever tried: tells one's own from another's. */
  readonly nonce: string;
}

export interface Beat {
  readonly epoch: number;
  /** Heartbeats since the epoch began. */
  readonly counter: number;
  /** The migration that may take the VM next, if one is under way. */
  readonly next: { readonly migrationId: string; readonly target: Owner } | null;
}

export const encodeClaim = (claim: Claim): string => seal(claim);
export const encodeBeat = (beat: Beat): string => seal(beat);

/** Undefined for anything that is not a whole, valid claim of this version. */
export function parseClaim(text: string): Claim | undefined {
  const it = open(text);
  if (!it || !isName(it.vmId) || !isCount(it.epoch) || !isName(it.nonce)) return undefined;
  if (!(it.owner === null || isOwner(it.owner)) || !REASONS.has(it.reason as ClaimReason)) return undefined;
  if (!(it.migrationId === null || isName(it.migrationId))) return undefined;
  if (typeof it.leaseMs !== 'number' || !(it.leaseMs >= MIN_LEASE_MS && it.leaseMs <= MAX_LEASE_MS)) return undefined;
  const { vmId, epoch, owner, reason, migrationId, leaseMs, nonce } = it as unknown as Claim;
  return { vmId, epoch, owner: owner && copyOwner(owner), reason, migrationId, leaseMs, nonce };
}

export function parseBeat(text: string): Beat | undefined {
  const it = open(text);
  if (!it || !isCount(it.epoch) || !isCount(it.counter)) return undefined;
  const { epoch, counter } = it as unknown as Beat;
  if (it.next === null) return { epoch, counter, next: null };
  const next = it.next as Record<string, unknown> | undefined;
  if (typeof next !== 'object' || !isName(next.migrationId) || !isOwner(next.target)) return undefined;
  return { epoch, counter, next: { migrationId: next.migrationId, target: copyOwner(next.target) } };
}

/** "host (id), VMM process id": for messages to people. */
export const describeOwner = (owner: Owner): string => `${owner.hostName} (host ${owner.hostId}, VMM ${owner.vmmId})`;

/** @throws RangeError for a name that no record can hold. */
export function checkOwner(owner: Owner): Owner {
  if (!isOwner(owner)) throw new RangeError(`host id, host name and VMM id must have 1 to ${MAX_NAME} characters`);
  return copyOwner(owner);
}

const REASONS = new Set<ClaimReason>(['acquire', 'take-over', 'resume', 'pass', 'release']);

function seal(body: object): string {
  const json = JSON.stringify({ version: RECORD_VERSION, ...body });
  return `${json}\n${checksum(json)}\n`;
}

function open(text: string): Record<string, unknown> | undefined {
  if (text.length > MAX_RECORD_BYTES) return undefined;
  const [json, sum] = text.split('\n');
  if (sum !== checksum(json)) return undefined;
  try {
    const body = JSON.parse(json) as Record<string, unknown> | null;
    return typeof body === 'object' && body?.version === RECORD_VERSION ? body : undefined;
  } catch {
    return undefined;
  }
}

const isName = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME;
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_COUNT;
const copyOwner = ({ hostId, hostName, vmmId }: Owner): Owner => ({ hostId, hostName, vmmId });

function isOwner(value: unknown): value is Owner {
  if (typeof value !== 'object' || value === null) return false;
  const { hostId, hostName, vmmId } = value as Record<string, unknown>;
  return isName(hostId) && isName(hostName) && isName(vmmId);
}
