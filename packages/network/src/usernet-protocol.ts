/**
 * The words between a usernet process and those who start and steer it: its
 * configuration (the argument of its main file), and the control protocol, one
 * JSON object a line each way over a Unix socket.
 *
 *     → {"id":1,"do":"add-forward","forward":"tcp:127.0.0.1:8080-80"}
 *     ← {"id":1,"ok":{}}                                or {"id":1,"error":"…"}
 *     → {"id":2,"do":"status"}
 *     ← {"id":2,"ok":UsernetStatus}
 */
import { parseForward } from './forward';
import { parseIpv4 } from './ipv4';
import { MAX_FORWARDS, MAX_SOCKET_PATH } from './limits';

export interface UsernetConfig {
  /** Unix socket on which VMMs connect; made with access for this user alone. */
  readonly socket: string;
  /** Unix socket of the control protocol. */
  readonly control: string;
  /** libslirp.so.0 (the default) or a path to it. */
  readonly library?: string;
  /** Default 10.0.2.0/24: gateway .2, DNS .3, guests from .15 on. */
  readonly network?: string;
  /** Guests reach nothing outside; forwards work. Default false. */
  readonly restrict?: boolean;
  /** Whether 10.0.2.2 reaches this host's loopback. Default true. */
  readonly hostLoopback?: boolean;
  readonly dns?: boolean;
  /** From the start: see parseForward. */
  readonly forwards?: readonly string[];
}

export interface UsernetStatus {
  readonly pid: number;
  readonly network: string;
  readonly forwards: readonly string[];
  readonly leases: readonly { readonly mac: string; readonly address: string }[];
  /** `out` is libslirp's; the others are VMMs. */
  readonly ports: readonly {
    readonly id: number;
    readonly out: boolean;
    readonly addresses: readonly string[];
    readonly receivedFrames: number;
    readonly sentFrames: number;
    readonly droppedFrames: number;
  }[];
  /** libslirp's own table. */
  readonly connections: string;
}

export type ControlRequest =
  | { readonly id: number; readonly do: 'add-forward' | 'remove-forward'; readonly forward: string }
  | { readonly id: number; readonly do: 'status' };

export type ControlAnswer = { readonly id: number; readonly ok: Partial<UsernetStatus> } | { readonly id: number; readonly error: string };

/** Checks a configuration from outside; throws in one line. */
export function checkConfig(config: UsernetConfig): Required<UsernetConfig> & { address: number; prefixBits: number } {
  for (const path of [config.socket, config.control]) {
    if (typeof path !== 'string' || path === '') throw new Error('the user-mode network needs the paths of its two sockets');
    if (new TextEncoder().encode(path).length > MAX_SOCKET_PATH) {
      throw new Error(`the socket's path is longer than ${MAX_SOCKET_PATH} bytes: ${path}: choose a shorter folder`);
    }
  }
  const network = config.network ?? '10.0.2.0/24';
  const [base, bits, ...rest] = network.split('/');
  const prefixBits = Number(bits);
  if (rest.length > 0 || !/^\d{1,2}$/.test(bits ?? '') || prefixBits < 8 || prefixBits > 27) {
    throw new Error(`${network} is no network: write ADDRESS/BITS with 8 to 27 bits, as in 10.0.2.0/24`);
  }
  const address = parseIpv4(base);
  if (address % 2 ** (32 - prefixBits) !== 0)
    throw new Error(`${network} is no network: the address has bits behind the first ${prefixBits}`);
  const forwards = config.forwards ?? [];
  if (forwards.length > MAX_FORWARDS) throw new Error(`a user-mode network has at most ${MAX_FORWARDS} port forwards`);
  forwards.forEach(parseForward);
  return {
    socket: config.socket,
    control: config.control,
    library: config.library ?? 'libslirp.so.0',
    network,
    restrict: config.restrict ?? false,
    hostLoopback: config.hostLoopback ?? true,
    dns: config.dns ?? true,
    forwards,
    address,
    prefixBits,
  };
}

/** Reads a request; throws in one line for anything else. */
export function parseRequest(line: string): ControlRequest {
  const value: unknown = JSON.parse(line);
  const { id, do: what, forward } = (value ?? {}) as Record<string, unknown>;
  if (typeof id !== 'number') throw new Error('a request has an id');
  if (what === 'status') return { id, do: what };
  if ((what === 'add-forward' || what === 'remove-forward') && typeof forward === 'string') return { id, do: what, forward };
  throw new Error('no such request: add-forward, remove-forward, status');
}
