import { parseMac } from '@godwit/network';
import { usageError } from './errors';
import { choice, parseSubOptions } from './sub-options';

/** What a network adapter is to be connected to; opened by networks.ts. */
export type NetworkChoice =
  | { kind: 'user'; forwards: readonly string[] }
  | { kind: 'tap'; name: string }
  | { kind: 'bridge'; name: string }
  | { kind: 'socket'; path: string };

export interface NetOption {
  adapter: 'virtio' | 'pcnet';
  /** Six bytes, or undefined: made from the VM's name. */
  mac: Uint8Array | undefined;
  network: NetworkChoice;
}

const NET_KEYS = { adapter: true, mac: true, forward: true, name: true, path: true };
const KINDS = ['user', 'tap', 'bridge', 'socket'] as const;

/**
 * `--net user[,forward=tcp::8080-80]`, `--net tap,name=tap0`, `--net bridge,name=br0`,
 * `--net socket,path=FILE`, each with `[,adapter=virtio|pcnet][,mac=52:54:…]`.
 * Several forwards are separated by `+`.
 */
export function parseNet(text: string): NetOption {
  const { main, values } = parseSubOptions('--net', text, NET_KEYS);
  const kind = choice('--net', 'the network', main, KINDS);
  const need = (key: string): string => values.get(key) || fail(`--net ${kind} needs ${key}=…`);
  const allowed = { user: ['forward'], tap: ['name'], bridge: ['name'], socket: ['path'] }[kind];
  for (const key of values.keys()) {
    if (key !== 'adapter' && key !== 'mac' && !allowed.includes(key)) fail(`--net ${kind} has no ${key}`);
  }
  const networks: Record<typeof kind, () => NetworkChoice> = {
    user: () => ({ kind: 'user', forwards: values.get('forward')?.split('+') ?? [] }),
    tap: () => ({ kind: 'tap', name: need('name') }),
    bridge: () => ({ kind: 'bridge', name: need('name') }),
    socket: () => ({ kind: 'socket', path: need('path') }),
  };
  return {
    adapter: choice('--net', 'adapter', values.get('adapter') ?? 'virtio', ['virtio', 'pcnet']),
    mac: values.has('mac') ? macOf(values.get('mac')!) : undefined,
    network: networks[kind](),
  };
}

function macOf(text: string): Uint8Array {
  try {
    return parseMac(text);
  } catch (error) {
    return fail(`--net: ${(error as Error).message}`);
  }
}

function fail(message: string): never {
  throw usageError(message);
}
