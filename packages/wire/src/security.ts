/** How a server or client protects its connections. */
import type { Certificates } from './certificates';
import type { PeerRule } from './identity';

/**
 * plain: no TLS; on a unix socket always, over TCP on the loopback address only.
 * tls: `clients` 'required' refuses calls without a certificate of the cluster; 'optional' leaves that to the handlers.
 */
export type ServerSecurity =
  | { readonly kind: 'plain' }
  | { readonly kind: 'tls'; readonly certificates: Certificates; readonly clients: 'required' | 'optional' };

/**
 * tls: the server must have a certificate of the cluster that fits `expect`; its address does not matter.
 * tls-anonymous: the same, by a client that has no certificate (yet): it trusts `caPem`.
 */
export type ClientSecurity =
  | { readonly kind: 'plain' }
  | { readonly kind: 'tls'; readonly certificates: Certificates; readonly expect: PeerRule }
  | { readonly kind: 'tls-anonymous'; readonly caPem: string; readonly expect: PeerRule };

export const PLAIN = { kind: 'plain' } as const;

export const serverTls = (certificates: Certificates, clients: 'required' | 'optional' = 'required'): ServerSecurity => ({
  kind: 'tls',
  certificates,
  clients,
});
export const clientTls = (certificates: Certificates, expect: PeerRule): ClientSecurity => ({ kind: 'tls', certificates, expect });
