/** One process's certificate in its folder: written as a whole, renewed in time. */
import path from 'node:path';
import { CA_FILE, CERT_FILE, type Certificates, KEY_FILE, type Material } from '../certificates';
import { secretFolder, writeFile } from './files';
import { newRequest } from './request';

/** Writes cert.pem, key.pem and ca.pem. A reader that comes between finds parts that do not fit, and looks again (Certificates.follow). */
export function saveMaterial(folder: string, { certPem, keyPem, caPem }: Material): void {
  secretFolder(folder);
  writeFile(path.join(folder, CA_FILE), caPem, 0o644);
  writeFile(path.join(folder, KEY_FILE), keyPem, 0o600);
  writeFile(path.join(folder, CERT_FILE), certPem, 0o644);
}

/** Longest wait of a Node timer is 24.8 days. */
const LOOK_AGAIN_MS = 24 * 60 * 60_000;
const RETRY_MS = 5 * 60_000;

export interface RenewalOptions {
  readonly certificates: Certificates;
  /** Asks the authority, by whatever way: a new certificate for the request's key. */
  readonly renew: (csrPem: string) => Promise<{ readonly certPem: string; readonly caPem: string }>;
  /** Where it is kept, if it is. */
  readonly folder?: string;
  /** For logs: done, or why not. */
  readonly told?: (line: string) => void;
  readonly now?: () => number;
}

/** Renews after two thirds of the time, and tries every five minutes when that fails. @returns ends it */
export function keepRenewed({ certificates, renew, folder, told = () => {}, now = Date.now }: RenewalOptions): () => void {
  let timer: NodeJS.Timeout;
  let isOver = false;
  const plan = (ms: number): void => {
    if (!isOver) timer = setTimeout(() => void look(), Math.max(0, Math.min(ms, LOOK_AGAIN_MS))).unref();
  };
  const look = async (): Promise<void> => {
    const due = certificates.renewAtMs - now();
    if (due > 0) return plan(due);
    try {
      const request = await newRequest();
      const material = { keyPem: request.keyPem, ...(await renew(request.csrPem)) };
      if (isOver) return;
      certificates.replace(material);
      if (folder !== undefined) saveMaterial(folder, material);
      told(`the certificate was renewed and is good until ${new Date(certificates.endsAtMs).toISOString()}`);
      plan(certificates.renewAtMs - now());
    } catch (error) {
      told(
        `the certificate, good until ${new Date(certificates.endsAtMs).toISOString()}, could not be renewed: ${(error as Error).message}`,
      );
      plan(RETRY_MS);
    }
  };
  plan(certificates.renewAtMs - now());
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
