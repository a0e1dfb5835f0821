/**
 * The control queue's commands: class and command, data, one byte of answer
 * (VIRTIO 1.1, 5.1.6.5).
 */
import { get16 } from './bytes';
import type { Chain } from './chain';
import { MAC_BYTES } from './net-config';
import type { NetFilter } from './net-filter';

export interface ControlTarget {
  readonly filter: NetFilter;
  setMac(mac: Uint8Array): void;
  announced(): void;
}

type Command = (target: ControlTarget, chain: Chain) => boolean;

const COMMAND_BYTES = 2;
const OK = Uint8Array.of(0);
const ERROR = Uint8Array.of(1);
const command = new Uint8Array(COMMAND_BYTES);

/** The data of a command that has exactly so many bytes. */
function data(chain: Chain, bytes: number): Uint8Array | undefined {
  const into = new Uint8Array(bytes);
  return chain.readableBytes === COMMAND_BYTES + bytes && chain.read(COMMAND_BYTES, into, bytes) ? into : undefined;
}

const mode =
  (number: number): Command =>
  ({ filter }, chain) => {
    const value = data(chain, 1);
    return value !== undefined && filter.setMode(number, value[0]);
  };
const vlan =
  (passes: boolean): Command =>
  ({ filter }, chain) => {
    const value = data(chain, 2);
    return value !== undefined && filter.setVlan(get16(value, 0), passes);
  };

/** By class << 8 | command. */
const COMMANDS: Readonly<Record<number, Command>> = {
  ...Object.fromEntries([0, 1, 2, 3, 4, 5].map((number) => [number, mode(number)])),
  0x100: ({ filter }, chain) => filter.setTables(chain, COMMAND_BYTES),
  0x101: (target, chain) => {
    const mac = data(chain, MAC_BYTES);
    if (mac) target.setMac(mac);
    return mac !== undefined;
  },
  0x200: vlan(true),
  0x201: vlan(false),
  0x300: (target) => {
    target.announced();
    return true;
  },
};

/** Carries out the command in a chain and answers it; how it breaks the rules, if it does. */
export function control(target: ControlTarget, chain: Chain): string | undefined {
  if (chain.readableBytes < COMMAND_BYTES || chain.writableBytes < 1) return 'a command without class or answer';
  if (!chain.read(0, command, COMMAND_BYTES)) return 'a command outside RAM';
  const done = COMMANDS[(command[0] << 8) | command[1]]?.(target, chain) ?? false;
  return chain.write(0, done ? OK : ERROR) ? undefined : 'an answer outside RAM';
}
