/** A certificate authority and hosts' certificates for tests, by openssl: { ca, host(name, addresses) → folder with cert.pem, key.pem, ca.pem }. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export class Authority {
  constructor(folder, name = 'test') {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.ca = path.join(folder, 'ca.pem');
    this.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name} CA`, '-keyout', this.at('ca.key'), '-out', this.ca);
  }
  at(name) {
    return path.join(this.folder, name);
  }
  openssl(...args) {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
  /** The folder for `godwit vmm`'s `tls`. */
  host(name, addresses) {
    const folder = this.at(name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const at = (file) => path.join(folder, file);
    writeFileSync(at('ext'), `subjectAltName=${['URI:godwit://host/' + name, ...addresses.map((address) => `IP:${address}`)].join(',')}\n`);
    this.openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', `/CN=${name}`, '-keyout', at('key.pem'), '-out', at('csr.pem'));
    this.openssl('x509', '-req', '-in', at('csr.pem'), '-CA', this.ca, '-CAkey', this.at('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', at('ext'), '-out', at('cert.pem'));
    copyFileSync(this.ca, at('ca.pem'));
    return folder;
  }
}
