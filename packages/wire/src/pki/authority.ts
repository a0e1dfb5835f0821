/**
 * The cluster's certificate authority: a key and a self-signed certificate in a folder that
 * only its owner can open. It says who somebody is (identity.ts) and for how long; whether they
 * may have that is decided by whoever calls it.
 */
import { createHash, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import type { Material } from '../certificates';
import { WireError } from '../errors';
import { type CertifiedIdentity, identityUri } from '../identity';
import { AUTHORITY_DAYS, CERTIFICATE_DAYS, CLOCK_SLACK_MS } from '../limits';
import { readPublic, readSecret, secretFolder, writeFile } from './files';
import { newRequest } from './request';
import { EC, keyPem, newKeys, x509 } from './x509';

export const AUTHORITY_CERT_FILE = 'ca.pem';
export const AUTHORITY_KEY_FILE = 'ca-key.pem';

const DAY_MS = 24 * 60 * 60_000;

export interface IssueOptions {
  /** Addresses and names for programs that compare those; Godwit's own do not. */
  readonly addresses?: readonly string[];
  /** Milliseconds; default CERTIFICATE_DAYS. Never longer than the authority itself. */
  readonly validMs?: number;
}

export class Authority {
  private constructor(
    readonly caPem: string,
    private readonly key: webcrypto.CryptoKey,
    private readonly now: () => number,
  ) {}

  /** Opens the one in `folder`, or makes it there. @throws WireError 'precondition': damaged, expired, or open to others */
  static async open(folder: string, now: () => number = Date.now): Promise<Authority> {
    secretFolder(folder);
    const [certFile, keyFile] = [path.join(folder, AUTHORITY_CERT_FILE), path.join(folder, AUTHORITY_KEY_FILE)];
    // The key is written last: without it there is no authority yet, or only half of one.
    if (!existsSync(keyFile)) await make(certFile, keyFile, now());
    const caPem = readPublic(certFile);
    const pem = readSecret(keyFile);
    try {
      const certificate = new X509Certificate(caPem);
      if (Date.parse(certificate.validTo) <= now()) throw new Error(`it ended on ${certificate.validTo}`);
      const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
      return new Authority(caPem, await webcrypto.subtle.importKey('pkcs8', der, EC, false, ['sign']), now);
    } catch (error) {
      throw new WireError('precondition', `the authority in ${folder} cannot be used: ${(error as Error).message}`);
    }
  }

  /** Whether `open` would find one in `folder`, and not make it. */
  static exists(folder: string): boolean {
    return existsSync(path.join(folder, AUTHORITY_KEY_FILE));
  }

  /** SHA-256 of the certificate, 64 hexadecimal digits. */
  get fingerprint(): string {
    return fingerprintOf(this.caPem);
  }

  /** A certificate for whoever has the request's key. @throws WireError 'invalid' for a request that does not hold */
  async issue(
    csrPem: string,
    identity: CertifiedIdentity,
    { addresses = [], validMs = CERTIFICATE_DAYS * DAY_MS }: IssueOptions = {},
  ): Promise<string> {
    const library = await x509();
    const issuer = new library.X509Certificate(this.caPem);
    const publicKey = await keyOf(library, csrPem);
    const notBefore = new Date(this.now() - CLOCK_SLACK_MS);
    const notAfter = new Date(Math.min(this.now() + validMs, issuer.notAfter.getTime()));
    // Programs that compare one name for all (Prometheus' server_name) can ask for the kind.
    const names = [...addresses, `godwit-${identity.kind}`].map((address) => ({ type: isIP(address) ? ('ip' as const) : ('dns' as const), value: address }));
    const certificate = await library.X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: `CN=godwit ${identity.kind}`,
      issuer: issuer.subjectName,
      notBefore,
      notAfter,
      publicKey,
      signingKey: this.key,
      signingAlgorithm: EC,
      extensions: [
        new library.BasicConstraintsExtension(false, undefined, true),
        new library.KeyUsagesExtension(library.KeyUsageFlags.digitalSignature, true),
        new library.ExtendedKeyUsageExtension([library.ExtendedKeyUsage.serverAuth, library.ExtendedKeyUsage.clientAuth]),
        new library.SubjectAlternativeNameExtension([{ type: 'url', value: identityUri(identity) }, ...names]),
        await library.AuthorityKeyIdentifierExtension.create(issuer),
        await library.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    });
    return `${certificate.toString('pem')}\n`;
  }

  /** Key and certificate at once, for who lives beside the authority: its controller, its first operator. */
  async certify(identity: CertifiedIdentity, options: IssueOptions = {}): Promise<Material> {
    const request = await newRequest();
    return { keyPem: request.keyPem, certPem: await this.issue(request.csrPem, identity, options), caPem: this.caPem };
  }
}

/** SHA-256 of the first certificate in `pem`, 64 hexadecimal digits in lower case. */
export const fingerprintOf = (pem: string): string => createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');

async function make(certFile: string, keyFile: string, now: number): Promise<void> {
  const library = await x509();
  const keys = await newKeys();
  const certificate = await library.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: `CN=godwit cluster ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(now - CLOCK_SLACK_MS),
    notAfter: new Date(now + AUTHORITY_DAYS * DAY_MS),
    keys,
    signingAlgorithm: EC,
    extensions: [
      // It signs members and no further authorities.
      new library.BasicConstraintsExtension(true, 0, true),
      new library.KeyUsagesExtension(library.KeyUsageFlags.keyCertSign | library.KeyUsageFlags.cRLSign, true),
      await library.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  writeFile(certFile, `${certificate.toString('pem')}\n`, 0o644);
  writeFile(keyFile, await keyPem(keys.privateKey), 0o600);
}

async function keyOf(library: Awaited<ReturnType<typeof x509>>, csrPem: string): Promise<InstanceType<typeof library.PublicKey>> {
  let holds = false;
  let algorithm = '';
  try {
    const csr = new library.Pkcs10CertificateRequest(csrPem);
    holds = await csr.verify();
    const { name, namedCurve } = csr.publicKey.algorithm as { name: string; namedCurve?: string };
    algorithm = `${name} ${namedCurve ?? ''}`.trim();
    if (holds && name === EC.name && namedCurve === EC.namedCurve) return csr.publicKey;
  } catch {
    holds = false;
  }
  if (!holds) throw new WireError('invalid', 'the certificate request is damaged, or was not made by the owner of its key: make a new one');
  throw new WireError('invalid', `the certificate request has a key of ${algorithm}; ${EC.name} ${EC.namedCurve} is needed`);
}

/** Positive, 128 random bits (RFC 5280 4.1.2.2). */
function newSerial(): string {
  const serial = randomBytes(16);
  serial[0] = (serial[0] & 0x7f) | 0x40;
  return serial.toString('hex');
}
