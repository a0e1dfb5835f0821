/** @peculiar/x509, loaded when first needed: a VMM never makes certificates, and it takes 100 ms. */
import { webcrypto } from 'node:crypto';

type X509 = typeof import('@peculiar/x509');

export const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

let loading: Promise<X509> | undefined;

export const x509 = (): Promise<X509> => (loading ??= load());

async function load(): Promise<X509> {
  // Has to come first: the library's own modules read it as they load.
  await import('reflect-metadata');
  const library = await import('@peculiar/x509');
  library.cryptoProvider.set(webcrypto);
  return library;
}

export const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);

/** PKCS #8, PEM. */
export async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g)!;
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
