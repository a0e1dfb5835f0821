/**
 * Why a connection fails, in one sentence. gRPC tells little and in words of its own, so that
 * after a failure one connection is made by hand, and what comes back is looked at.
 */
import net from 'node:net';
import tls from 'node:tls';
import { type Address, formatAddress } from '../address';
import { TLS_OPTIONS } from '../certificates';
import { DIAGNOSE_TIMEOUT_MS } from '../limits';
import type { ClientSecurity } from '../security';
import { checkOf, contextOf } from './credentials';

/** Connection preface (RFC 9113 3.4) and empty SETTINGS; a server answers with SETTINGS of its own. */
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]);
const TLS_ALERT = 0x15;
const TLS_HANDSHAKE = 0x16;
const HTTP2_SETTINGS = 0x04;

/** Undefined: it can be reached now. */
export async function diagnose(address: Address, security: ClientSecurity): Promise<string | undefined> {
  const where = formatAddress(address);
  return new Promise((resolve) => {
    const socket = 'path' in address ? net.connect(address.path) : net.connect(address.port, address.host);
    let connected = false;
    const tell = (line: string | undefined): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(line);
    };
    const timer = setTimeout(
      () =>
        tell(
          connected
            ? `${where} takes connections but does not answer: is the process there stopped, or another one than expected?`
            : `${where} does not answer: is the host up, and the way to it open?`,
        ),
      DIAGNOSE_TIMEOUT_MS,
    );
    socket.once('error', (error) => tell(connected ? `${where} ended the connection: ${error.message}` : connectFault(where, error)));
    socket.once('connect', () => {
      connected = true;
      if (security.kind === 'plain') plain(socket, where, tell);
      else secure(socket, where, security, tell);
    });
  });
}

const CONNECT_FAULTS: Readonly<Record<string, (where: string) => string>> = {
  ECONNREFUSED: (where) => `nobody listens at ${where}: is the process running, and the address right?`,
  ENOENT: (where) => `there is no socket ${where}: is the process running, and the path right?`,
  EACCES: (where) => `${where} may not be opened by this user: it is its owner's only`,
  ENOTFOUND: (where) => `the name in ${where} is not known: is it right?`,
  EAI_AGAIN: (where) => `the name in ${where} cannot be looked up at the moment: does the name server answer?`,
  EHOSTUNREACH: (where) => `there is no way to ${where}: is the host up, and the network in order?`,
  ENETUNREACH: (where) => `there is no way to ${where}: is the network in order?`,
};

const connectFault = (where: string, error: NodeJS.ErrnoException): string =>
  CONNECT_FAULTS[error.code ?? '']?.(where) ?? `${where} cannot be reached: ${error.message}`;

function plain(socket: net.Socket, where: string, tell: (line: string | undefined) => void): void {
  const heard: Buffer[] = [];
  socket.write(PREFACE);
  socket.on('data', (data) => {
    heard.push(data);
    const bytes = Buffer.concat(heard);
    if (bytes[0] === TLS_ALERT || bytes[0] === TLS_HANDSHAKE) tell(`${where} speaks TLS, and this call came without: give certificates`);
    else if (bytes.length >= 9)
      tell(bytes[3] === HTTP2_SETTINGS ? undefined : `${where} does not speak gRPC: is it the port of another program?`);
  });
  socket.once('end', () =>
    tell(
      heard.length > 0
        ? `${where} does not speak gRPC: is it the port of another program?`
        : `${where} closed the connection without a word: it may want TLS, or be another program`,
    ),
  );
}

function secure(
  raw: net.Socket,
  where: string,
  security: Exclude<ClientSecurity, { kind: 'plain' }>,
  tell: (line: string | undefined) => void,
): void {
  const socket = tls.connect(
    { socket: raw, secureContext: contextOf(security)(), checkServerIdentity: checkOf(security), ALPNProtocols: ['h2'], ...TLS_OPTIONS },
    () => tell(undefined),
  );
  socket.once('error', (error: NodeJS.ErrnoException) => tell(tlsFault(where, error)));
  socket.once('close', () => tell(`${where} ended the TLS handshake: it may not speak TLS at all, or be another program`));
}

const TLS_FAULTS: Readonly<Record<string, (where: string) => string>> = {
  CERT_HAS_EXPIRED: (where) => `the certificate of ${where} has expired: renew it there`,
  CERT_NOT_YET_VALID: (where) => `the certificate of ${where} is not valid yet: compare the clocks of both hosts`,
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: (where) => `${where} speaks an older TLS than 1.3: is it another program?`,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: (where) => `${where} wants a certificate, and this call came without: give certificates`,
};

const FOREIGN = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);
const NO_TLS = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNEXPECTED_MESSAGE',
  'EPROTO',
  'ECONNRESET',
]);

function tlsFault(where: string, error: NodeJS.ErrnoException): string {
  const { code = '', message } = error;
  if (TLS_FAULTS[code]) return TLS_FAULTS[code](where);
  if (FOREIGN.has(code))
    return `the certificate of ${where} is not of this cluster (${code}): is the address right, and the CA that of this cluster?`;
  if (NO_TLS.has(code))
    return `${where} does not speak TLS, and this call came with it: is it the port of another program, or served without certificates?`;
  // What checkServerIdentity said.
  return code === '' || code === 'ERR_TLS_CERT_ALTNAME_INVALID'
    ? `${where} is not who it should be: ${message}`
    : `the TLS handshake with ${where} failed: ${message} (${code})`;
}
