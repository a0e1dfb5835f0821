/**
 * Who is at the other end. A certificate of the cluster's CA says it in exactly one URI among
 * its subject's alternative names; addresses beside it are for other programs and are not looked at:
 *
 *   godwit://host/<host id>              an agent
 *   godwit://vmm/<host id>/<vm id>       one VM's process
 *   godwit://controller/<id>
 *   godwit://operator/<role>/<name>      view, operate, admin
 */
import type { X509Certificate } from 'node:crypto';

export type OperatorRole = 'view' | 'operate' | 'admin';

export type CertifiedIdentity =
  | { readonly kind: 'host'; readonly hostId: string }
  | { readonly kind: 'vmm'; readonly hostId: string; readonly vmId: string }
  | { readonly kind: 'controller'; readonly controllerId: string }
  | { readonly kind: 'operator'; readonly role: OperatorRole; readonly name: string };

/**
 * local: over a unix socket, which only its owner can open. anonymous: no certificate was shown.
 * refused: one was shown that does not hold; `why` is one sentence.
 */
export type PeerIdentity =
  | CertifiedIdentity
  | { readonly kind: 'local' }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'refused'; readonly why: string };

const SCHEME = 'godwit://';
const ROLES: readonly string[] = ['view', 'operate', 'admin'] satisfies OperatorRole[];
/** Ids and names within the URI; percent-encoded beyond these. */
const PART = /^[A-Za-z0-9._~@%-]{1,200}$/;

export function identityUri(identity: CertifiedIdentity): string {
  const parts: Readonly<Record<CertifiedIdentity['kind'], (string | undefined)[]>> = {
    host: ['hostId' in identity ? identity.hostId : ''],
    vmm: ['hostId' in identity ? identity.hostId : '', 'vmId' in identity ? identity.vmId : ''],
    controller: ['controllerId' in identity ? identity.controllerId : ''],
    operator: ['role' in identity ? identity.role : '', 'name' in identity ? identity.name : ''],
  };
  const encoded = parts[identity.kind].map((part) =>
    encodeURIComponent(part ?? '').replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`),
  );
  if (!encoded.every((part) => PART.test(part)))
    throw new RangeError(
      `a ${identity.kind}'s name in a certificate is to have 1 to 200 characters: ${JSON.stringify(parts[identity.kind])}`,
    );
  return `${SCHEME}${identity.kind}/${encoded.join('/')}`;
}

/** Undefined: no identity of ours. */
export function parseIdentity(uri: string): CertifiedIdentity | undefined {
  if (!uri.startsWith(SCHEME)) return undefined;
  const [kind, ...encoded] = uri.slice(SCHEME.length).split('/');
  if (!encoded.every((part) => PART.test(part))) return undefined;
  let parts: string[];
  try {
    parts = encoded.map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const [first, second] = parts;
  if (kind === 'host' && parts.length === 1) return { kind, hostId: first };
  if (kind === 'vmm' && parts.length === 2) return { kind, hostId: first, vmId: second };
  if (kind === 'controller' && parts.length === 1) return { kind, controllerId: first };
  if (kind === 'operator' && parts.length === 2 && ROLES.includes(first)) return { kind, role: first as OperatorRole, name: second };
  return undefined;
}

/** Of a certificate that has been verified already. Undefined unless it names exactly one identity. */
export function identityOf(certificate: X509Certificate): CertifiedIdentity | undefined {
  const uris = alternativeUris(certificate.subjectAltName ?? '').filter((uri) => uri.startsWith(SCHEME));
  return uris.length === 1 ? parseIdentity(uris[0]) : undefined;
}

/**
 * `URI:a, IP Address:b`. Node quotes a value as JSON when it holds a comma or a quote, which no URI of ours does:
 * such a value is not one of ours and is passed over as a whole.
 */
const alternativeUris = (names: string): string[] =>
  names
    .replace(/"(?:[^"\\]|\\.)*"/g, '')
    .split(', ')
    .filter((name) => name.startsWith('URI:'))
    .map((name) => name.slice('URI:'.length));

/** The host that the peer is, or is on. */
export const hostOf = (identity: PeerIdentity): string | undefined => ('hostId' in identity ? identity.hostId : undefined);

/** For messages: `the agent of host 7f3c…`. */
export function describeIdentity(identity: PeerIdentity): string {
  switch (identity.kind) {
    case 'host':
      return `the agent of host ${identity.hostId}`;
    case 'vmm':
      return `the process of VM ${identity.vmId} on host ${identity.hostId}`;
    case 'controller':
      return `controller ${identity.controllerId}`;
    case 'operator':
      return `${identity.name} (${identity.role})`;
    case 'local':
      return 'a process of this host';
    default:
      return 'somebody without a certificate';
  }
}

/** Whom a client wants to reach: each that is given must hold. */
export interface PeerRule {
  readonly kind?: CertifiedIdentity['kind'] | readonly CertifiedIdentity['kind'][];
  readonly hostId?: string;
  readonly vmId?: string;
}

/** One sentence why `identity` is not whom `rule` asks for; undefined: it is. */
export function mismatch(rule: PeerRule, identity: CertifiedIdentity | undefined): string | undefined {
  const kinds = rule.kind === undefined ? undefined : typeof rule.kind === 'string' ? [rule.kind] : rule.kind;
  const wanted = [
    kinds?.join(' or ') ?? 'a member of this cluster',
    rule.vmId && `of VM ${rule.vmId}`,
    rule.hostId && `on host ${rule.hostId}`,
  ]
    .filter(Boolean)
    .join(' ');
  if (!identity) return `its certificate names nobody of this cluster, but ${wanted} was expected`;
  const fits =
    (kinds?.includes(identity.kind) ?? true) &&
    (rule.hostId === undefined || hostOf(identity) === rule.hostId) &&
    (rule.vmId === undefined || ('vmId' in identity && identity.vmId === rule.vmId));
  return fits ? undefined : `it is ${describeIdentity(identity)}, but ${wanted} was expected`;
}
