/**
 * Who asks: a session in a cookie that scripts cannot read, or a token in `authorization: Bearer …`, for programs.
 *
 * A request that a cookie speaks for must come from our own pages: the cookie is SameSite=Strict, and beside that the
 * browser's own word (Origin, Sec-Fetch-Site) is looked at, and what changes anything has a header that a form cannot set.
 */
import type { IncomingMessage } from 'node:http';
import type { Call } from '../rpc/rpc';
import { HttpError } from './answers';
import { LOGIN_TRIES, LOGIN_WINDOW_MS, MAX_LOGIN_ADDRESSES } from './limits';

/** Browsers take a `__Host-` cookie only over TLS, from this very host, for all paths. */
export const cookieName = (overTls: boolean): string => (overTls ? '__Host-godwit' : 'godwit');

export const sessionCookie = (token: string, endsAtMs: number, nowMs: number, overTls: boolean): string =>
  [
    `${cookieName(overTls)}=${token}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Strict',
    `Max-Age=${token ? Math.max(1, Math.floor((endsAtMs - nowMs) / 1_000)) : 0}`,
    ...(overTls ? ['Secure'] : []),
  ].join('; ');

export interface Caller {
  readonly call: Call;
  readonly byCookie: boolean;
}

export function callerOf(request: IncomingMessage, overTls: boolean, signal: AbortSignal): Caller {
  const bearer = /^Bearer ([A-Za-z0-9_.~+/=-]{1,512})$/.exec(request.headers.authorization ?? '')?.[1];
  const cookie = cookieOf(request.headers.cookie ?? '', cookieName(overTls));
  const peer = `${request.socket.remoteAddress ?? ''}:${request.socket.remotePort ?? 0}`;
  return { call: { certificate: undefined, bearer: bearer ?? cookie, peer, signal }, byCookie: bearer === undefined && cookie !== '' };
}

function cookieOf(header: string, name: string): string {
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return /^[A-Za-z0-9_-]{1,512}$/.exec(pair.slice(at + 1).trim())?.[0] ?? '';
  }
  return '';
}

/** The header that our pages send with every request that changes something; no other site's page can. */
export const OWN_HEADER = 'x-godwit';

/** @throws HttpError for a request that another site's page has made */
export function refuseForeign({ headers }: IncomingMessage, { needsHeader }: { needsHeader: boolean }): void {
  const site = headers['sec-fetch-site'];
  const foreign = (site !== undefined && site !== 'same-origin' && site !== 'none') || (headers.origin !== undefined && hostOf(headers.origin) !== headers.host);
  if (foreign) throw new HttpError(403, 'role', "this request comes from another site's page, and is not answered");
  if (needsHeader && headers[OWN_HEADER] === undefined) throw new HttpError(403, 'role', `this request needs the header ${OWN_HEADER}: 1`);
}

function hostOf(origin: string): string {
  try {
    return new URL(origin).host;
  } catch {
    return '';
  }
}

/** Logins by address: passwords of many users tried from one place. (Those of one user are counted by Access.) */
export class LoginLimit {
  private readonly tries = new Map<string, { count: number; sinceMs: number }>();

  constructor(private readonly now: () => number) {}

  /** @throws HttpError */
  admit(address: string): void {
    const before = this.tries.get(address);
    const current = before && this.now() - before.sinceMs < LOGIN_WINDOW_MS ? before : { count: 0, sinceMs: this.now() };
    if (current.count >= LOGIN_TRIES) throw new HttpError(429, 'limit', 'too many logins were tried from here: wait a minute, then try again');
    if (this.tries.size >= MAX_LOGIN_ADDRESSES) this.tries.clear();
    this.tries.set(address, { ...current, count: current.count + 1 });
  }

  /** A right password: this address is no guesser. */
  forget(address: string): void {
    this.tries.delete(address);
  }
}
