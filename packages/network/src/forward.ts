/** Port forwards of the user-mode network, in words: `tcp:127.0.0.1:8080-80`, `udp::5353-10.0.2.16:53`. */
import { formatIpv4, parseIpv4 } from './ipv4';

export interface Forward {
  readonly protocol: 'tcp' | 'udp';
  /** Addresses as numbers. */
  readonly hostAddress: number;
  readonly hostPort: number;
  /** 0: the first address that the network hands out. */
  readonly guestAddress: number;
  readonly guestPort: number;
}

const LOOPBACK = 0x7f000001;

/**
 * `PROTOCOL:[HOSTADDRESS]:HOSTPORT-[GUESTADDRESS:]GUESTPORT`. No host address
 * means 127.0.0.1, so that nothing is open to the world unless said so
 * (0.0.0.0). Throws with one line for people.
 */
export function parseForward(text: string): Forward {
  const parts = /^(tcp|udp):([^:]*):(\d{1,5})-(?:([^:]+):)?(\d{1,5})$/.exec(text);
  if (!parts) {
    throw new Error(
      `${JSON.stringify(text.slice(0, 80))} is no port forward: write PROTOCOL:HOSTADDRESS:HOSTPORT-GUESTPORT, as in tcp:127.0.0.1:8080-80`,
    );
  }
  const [, protocol, host, hostPort, guest, guestPort] = parts;
  return {
    protocol: protocol as 'tcp' | 'udp',
    hostAddress: host === '' ? LOOPBACK : parseIpv4(host),
    hostPort: port(hostPort, text),
    guestAddress: guest === undefined ? 0 : parseIpv4(guest),
    guestPort: port(guestPort, text),
  };
}

export function formatForward(forward: Forward): string {
  const guest = forward.guestAddress === 0 ? '' : `${formatIpv4(forward.guestAddress)}:`;
  return `${forward.protocol}:${formatIpv4(forward.hostAddress)}:${forward.hostPort}-${guest}${forward.guestPort}`;
}

/** Two forwards of one host port exclude each other. */
export function forwardKey(forward: Forward): string {
  return `${forward.protocol}:${forward.hostAddress}:${forward.hostPort}`;
}

function port(digits: string, text: string): number {
  const number = Number(digits);
  if (number < 1 || number > 65_535) throw new Error(`port ${digits} in ${JSON.stringify(text)} is not between 1 and 65535`);
  return number;
}
