/**
 * One process's certificate, key and CA, in memory, replaced while they are in use: servers
 * take the new one for their next handshake, clients for their next connection, and what is
 * connected goes on. A folder holds them as cert.pem, key.pem, ca.pem.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import path from 'node:path';
import tls from 'node:tls';
import { WireError } from './errors';
import { type CertifiedIdentity, identityOf } from './identity';
import { readPublic, readSecret } from './pki/files';

export interface Material {
  /** The leaf, PEM. */
  readonly certPem: string;
  readonly keyPem: string;
  /** One CA or, while it is exchanged, several, PEM. */
  readonly caPem: string;
}

export const CERT_FILE = 'cert.pem';
export const KEY_FILE = 'key.pem';
export const CA_FILE = 'ca.pem';

/** AES-128 first: a third faster than AES-256 on bulk data, and no weaker against anybody known. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256';
export const TLS_OPTIONS = { minVersion: 'TLSv1.3', ciphers: CIPHERS } as const;

export class Certificates {
  private readonly listeners = new Set<() => void>();
  private loaded: { readonly material: Material; readonly leaf: X509Certificate; readonly context: tls.SecureContext };
  private timer: NodeJS.Timeout | undefined;

  /** @throws WireError 'precondition' for a certificate that cannot be used */
  constructor(material: Material) {
    this.loaded = load(material);
  }

  /** @throws WireError 'precondition': a file is missing, damaged, or may be read by others */
  static fromFolder(folder: string): Certificates {
    return new Certificates(readMaterial(folder));
  }

  get material(): Material {
    return this.loaded.material;
  }

  /** Who this process is; undefined: the certificate was not made by this package. */
  get identity(): CertifiedIdentity | undefined {
    return identityOf(this.loaded.leaf);
  }

  get startsAtMs(): number {
    return Date.parse(this.loaded.leaf.validFrom);
  }

  get endsAtMs(): number {
    return Date.parse(this.loaded.leaf.validTo);
  }

  /** After two thirds of its time: one that cannot be renewed at once still has days. */
  get renewAtMs(): number {
    return this.startsAtMs + ((this.endsAtMs - this.startsAtMs) * 2) / 3;
  }

  /** For connections that begin now. */
  get secureContext(): tls.SecureContext {
    return this.loaded.context;
  }

  /** What a TLS server is made of: with the CA in its chain, so that a host that joins can find it by its fingerprint. */
  get serverOptions(): tls.SecureContextOptions {
    const { certPem, keyPem, caPem } = this.loaded.material;
    return { cert: `${certPem.trimEnd()}\n${caPem}`, key: keyPem, ca: caPem, ...TLS_OPTIONS };
  }

  /** @throws WireError 'precondition'; then what was there stays in use */
  replace(material: Material): void {
    this.loaded = load(material);
    for (const listener of this.listeners) listener();
  }

  /** @returns takes it back */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Looks into `folder` now and then, for a process whose certificate another one renews. Files that do not fit together
   * (yet) are passed over; `failed` is told each time.
   */
  follow(folder: string, everyMs: number, failed: (line: string) => void = () => {}): void {
    this.stop();
    this.timer = setInterval(() => {
      try {
        const material = readMaterial(folder);
        const { certPem, keyPem, caPem } = this.loaded.material;
        if (material.certPem !== certPem || material.keyPem !== keyPem || material.caPem !== caPem) this.replace(material);
      } catch (error) {
        failed((error as Error).message);
      }
    }, everyMs).unref();
  }

  /** Ends `follow`. */
  stop(): void {
    clearInterval(this.timer);
  }
}

const readMaterial = (folder: string): Material => ({
  certPem: readPublic(path.join(folder, CERT_FILE)),
  keyPem: readSecret(path.join(folder, KEY_FILE)),
  caPem: readPublic(path.join(folder, CA_FILE)),
});

function load(material: Material): { material: Material; leaf: X509Certificate; context: tls.SecureContext } {
  const { certPem, keyPem, caPem } = material;
  try {
    const leaf = new X509Certificate(certPem);
    if (!leaf.checkPrivateKey(createPrivateKey(keyPem))) throw new Error("the key is another certificate's");
    return { material, leaf, context: tls.createSecureContext({ cert: certPem, key: keyPem, ca: caPem, ...TLS_OPTIONS }) };
  } catch (error) {
    throw new WireError('precondition', `the certificate cannot be used: ${(error as Error).message}`);
  }
}
