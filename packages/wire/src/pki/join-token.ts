/**
 * One-time tokens by which a host joins:
 *
 *   godwit1.<CA's fingerprint, base64url>.<secret, base64url>
 *
 * The fingerprint lets the host know the controller before it tells it the secret. The controller
 * keeps the secret's hash only.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { WireError } from '../errors';
import { JOIN_TOKEN_MS, MAX_JOIN_TOKEN_MS } from '../limits';

const PREFIX = 'godwit1';
const SECRET_BYTES = 32;
const FORM = new RegExp(`^${PREFIX}\\.([A-Za-z0-9_-]{43})\\.([A-Za-z0-9_-]{20,200})$`);

/** @param fingerprint 64 hexadecimal digits */
export function sealJoinToken(fingerprint: string, secret: string): string {
  if (!/^[0-9a-f]{64}$/.test(fingerprint)) throw new RangeError('a fingerprint has 64 hexadecimal digits');
  return `${PREFIX}.${Buffer.from(fingerprint, 'hex').toString('base64url')}.${secret}`;
}

/** @throws WireError 'invalid' */
export function openJoinToken(token: string): { readonly fingerprint: string; readonly secret: string } {
  const match = FORM.exec(token.trim());
  if (!match)
    throw new WireError('invalid', 'this is no join token: it begins with godwit1. and is one line, as the controller printed it');
  return { fingerprint: Buffer.from(match[1], 'base64url').toString('hex'), secret: match[2] };
}

export interface JoinTokenRecord {
  /** Of the hash: names the record, tells nothing about the secret. */
  readonly id: string;
  /** SHA-256 of the secret, hexadecimal. */
  readonly hash: string;
  readonly endsAtMs: number;
  /** Absent: not yet. */
  readonly usedAtMs?: number;
}

export interface JoinTokenStore {
  put(record: JoinTokenRecord): Promise<void>;
  get(id: string): Promise<JoinTokenRecord | undefined>;
  /** Atomic over all controllers: true for one caller only. */
  use(id: string, atMs: number): Promise<boolean>;
}

export class JoinTokens {
  constructor(
    private readonly store: JoinTokenStore,
    /** The CA's. */
    private readonly fingerprint: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** The token, told here and never again. */
  async create({
    validMs = JOIN_TOKEN_MS,
  }: {
    readonly validMs?: number;
  } = {}): Promise<{ readonly token: string; readonly endsAtMs: number }> {
    if (!(validMs > 0 && validMs <= MAX_JOIN_TOKEN_MS))
      throw new WireError('invalid', `a join token is good for up to ${MAX_JOIN_TOKEN_MS / 86_400_000} days`);
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const endsAtMs = this.now() + validMs;
    const hash = hashOf(secret);
    await this.store.put({ id: idOf(hash), hash, endsAtMs });
    return { token: sealJoinToken(this.fingerprint, secret), endsAtMs };
  }

  /** Uses it up. @throws WireError 'denied': unknown, too old, used; 'invalid': no token */
  async use(token: string): Promise<void> {
    const { fingerprint, secret } = openJoinToken(token);
    if (fingerprint !== this.fingerprint) throw new WireError('denied', 'the join token is of another cluster');
    const hash = hashOf(secret);
    const record = await this.store.get(idOf(hash));
    if (!record || !timingSafeEqual(Buffer.from(record.hash, 'hex'), Buffer.from(hash, 'hex')))
      throw new WireError('denied', 'the join token is not known here: ask for a new one');
    if (record.endsAtMs <= this.now()) throw new WireError('denied', 'the join token is too old: ask for a new one');
    if (record.usedAtMs !== undefined || !(await this.store.use(record.id, this.now())))
      throw new WireError('denied', 'the join token has been used: each host needs one of its own');
  }
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');
const idOf = (hash: string): string => hash.slice(0, 16);
