/** A certificate request: the key is made here, and never leaves this host. */
import { EC, keyPem, newKeys, x509 } from './x509';

export interface CertificateRequest {
  readonly keyPem: string;
  /** PKCS #10, PEM. What it says about its maker is not looked at: the authority decides who that is. */
  readonly csrPem: string;
}

export async function newRequest(): Promise<CertificateRequest> {
  const { Pkcs10CertificateRequestGenerator } = await x509();
  const keys = await newKeys();
  const csr = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=godwit', keys, signingAlgorithm: EC });
  return { keyPem: await keyPem(keys.privateKey), csrPem: `${csr.toString('pem')}\n` };
}
