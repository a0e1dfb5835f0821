/** Passwords and tokens: kept only as what cannot be turned back. */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

/** Cost of scrypt: about 50 ms and 16 MiB on a present CPU. */
const COST = { N: 16_384, r: 8, p: 1 } as const;
const KEY_BYTES = 32;

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return `scrypt$${salt.toString('base64url')}$${(await derive(password, salt)).toString('base64url')}`;
}

export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [kind, salt, key] = hash.split('$');
  if (kind !== 'scrypt' || !salt || !key) return false;
  const wanted = Buffer.from(key, 'base64url');
  const found = await derive(password, Buffer.from(salt, 'base64url'));
  return wanted.length === found.length && timingSafeEqual(wanted, found);
}

/** 256 bits: it needs no slow hash, since it cannot be guessed. */
export const newSecret = (prefix: string): string => `${prefix}_${randomBytes(32).toString('base64url')}`;
export const secretId = (secret: string): string => createHash('sha256').update(secret).digest('hex');

function derive(password: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => scrypt(password, salt, KEY_BYTES, COST, (error, key) => (error ? reject(error) : resolve(key))));
}
