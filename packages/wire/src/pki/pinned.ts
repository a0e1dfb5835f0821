/** The CA of a cluster that is known by its fingerprint only: what a host does before it joins. */
import { createHash, X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { formatAddress, parseAddress } from '../address';
import { TLS_OPTIONS } from '../certificates';
import { diagnose } from '../client/diagnose';
import { WireError } from '../errors';

const TIMEOUT_MS = 5_000;

/**
 * Asks the controller for its chain and takes from it the CA with that fingerprint. Nothing secret is sent, and
 * nothing is believed but the fingerprint: connect with `{ kind: 'tls-anonymous', caPem, expect: { kind: 'controller' } }`
 * afterwards, which checks the rest.
 * @throws WireError 'denied': another CA; 'unavailable'
 */
export async function fetchAuthority(where: string, fingerprint: string): Promise<string> {
  const address = parseAddress(where);
  if ('path' in address) throw new WireError('invalid', 'a controller is joined at HOST:PORT');
  const chain = await chainOf(address).catch(async () => {
    const why = await diagnose(address, { kind: 'tls-anonymous', caPem: '', expect: {} });
    // Without a CA, the certificate is what the diagnosis stumbles over at the latest.
    throw new WireError(
      'unavailable',
      why && !why.startsWith('the certificate of') ? why : `${formatAddress(address)} cannot be asked for its certificate: try again`,
    );
  });
  const found = chain.find((raw) => createHash('sha256').update(raw).digest('hex') === fingerprint);
  if (!found)
    throw new WireError(
      'denied',
      `the controller at ${formatAddress(address)} is not of the cluster that the join token is from: is the address right?`,
    );
  return new X509Certificate(found).toString();
}

/** DER, the leaf first. */
function chainOf({ host, port }: { host: string; port: number }): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    // Not trusted: looked at.
    const socket = tls.connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'], servername: '', ...TLS_OPTIONS }, () => {
      const chain: Buffer[] = [];
      for (
        let link = socket.getPeerCertificate(true);
        link?.raw && !chain.some((raw) => raw.equals(link.raw));
        link = link.issuerCertificate
      )
        chain.push(link.raw);
      done(() => resolve(chain));
    });
    const done = (settle: () => void): void => {
      clearTimeout(timer);
      socket.destroy();
      settle();
    };
    const timer = setTimeout(() => done(() => reject(new Error('no answer'))), TIMEOUT_MS);
    socket.once('error', (error) => done(() => reject(error)));
    socket.once('close', () => done(() => reject(new Error('closed'))));
  });
}
