/** Addresses: `unix:/path/of/socket`, `HOST:PORT`, `[IPv6]:PORT`. */
import { WireError } from './errors';
import { MAX_SOCKET_PATH } from './limits';

export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** @throws WireError 'invalid' */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/')) throw new WireError('invalid', `${text} is no address: after unix: comes a path that begins with /`);
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH)
      throw new WireError('invalid', `the socket's path is longer than ${MAX_SOCKET_PATH} bytes: ${path}: choose a shorter folder`);
    return { path };
  }
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%\w+)?)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text);
  if (!match || Number(match[3]) > 65_535)
    throw new WireError('invalid', `${text} is no address: it is to be HOST:PORT, [IPv6]:PORT or unix:/PATH`);
  return { host: match[1] ?? match[2], port: Number(match[3]) };
}

export const formatAddress = (address: Address): string =>
  'path' in address ? `unix:${address.path}` : `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;

export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);

/** As grpc-js wants to be told whom to call. */
export const targetOf = (address: Address): string => ('path' in address ? `unix:${address.path}` : `dns:${formatAddress(address)}`);
