/**
 * A VM's `vm.json`. It may have been written by another version, by hand or by
 * somebody hostile: nothing in it is used before `parseVmConfig` has passed it.
 */
import { StorageError } from './errors';
import { isName } from './names';

export const VM_CONFIG_VERSION = 1;
const MAX_ITEMS = 16;
const MIB = 1 << 20;

export interface VmDisk {
  /** Name in the VM's `disks` folder. */
  readonly file: string;
  readonly bus: 'virtio' | 'ide';
  readonly readOnly: boolean;
}

export interface VmNetwork {
  /** Six bytes, `52:54:00:12:34:56`; unicast. */
  readonly mac: string;
  readonly adapter: 'virtio' | 'pcnet';
  /** The bridge, or 'user' for the network that needs no privilege. */
  readonly network: string;
}

export interface VmConfig {
  readonly schema: typeof VM_CONFIG_VERSION;
  /** Stays when the VM is renamed. */
  readonly vmId: string;
  readonly name: string;
  readonly memoryBytes: number;
  readonly disks: readonly VmDisk[];
  readonly networks: readonly VmNetwork[];
  /** What other parts of the program keep here: plain JSON, not looked into. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** @throws StorageError EINVAL naming the field. */
export function parseVmConfig(text: string, where: string): VmConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new StorageError('EINVAL', `${where} is not JSON: ${(error as Error).message}`);
  }
  return checkVmConfig(value, where);
}

export function checkVmConfig(value: unknown, where: string): VmConfig {
  const bad = (field: string, wanted: string): StorageError => new StorageError('EINVAL', `${where}: ${field} must be ${wanted}`);
  if (!isRecord(value)) throw bad('the whole', 'an object');
  if (value.schema !== VM_CONFIG_VERSION) throw bad('schema', `${VM_CONFIG_VERSION}; this version of Godwit reads no other`);
  const check = (holds: boolean, field: string, wanted: string): void => {
    if (!holds) throw bad(field, wanted);
  };
  const { vmId, name, memoryBytes, disks, networks, settings } = value;
  check(typeof vmId === 'string' && /^[0-9a-f-]{36}$/.test(vmId), 'vmId', 'a UUID');
  check(isName(name), 'name', 'a name of letters, digits and marks');
  check(
    Number.isSafeInteger(memoryBytes) && (memoryBytes as number) >= MIB && (memoryBytes as number) % MIB === 0,
    'memoryBytes',
    'whole MiB',
  );
  check(Array.isArray(disks) && disks.length <= MAX_ITEMS, 'disks', `a list of at most ${MAX_ITEMS}`);
  check(Array.isArray(networks) && networks.length <= MAX_ITEMS, 'networks', `a list of at most ${MAX_ITEMS}`);
  check(isRecord(settings), 'settings', 'an object');
  for (const [index, disk] of (disks as unknown[]).entries()) {
    check(isRecord(disk) && isName(disk.file), `disks[${index}].file`, 'a file name');
    const { bus, readOnly } = disk as Record<string, unknown>;
    check(bus === 'virtio' || bus === 'ide', `disks[${index}].bus`, "'virtio' or 'ide'");
    check(typeof readOnly === 'boolean', `disks[${index}].readOnly`, 'true or false');
  }
  for (const [index, one] of (networks as unknown[]).entries()) {
    const { mac, adapter, network } = isRecord(one) ? one : {};
    check(
      typeof mac === 'string' && /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(mac),
      `networks[${index}].mac`,
      'a unicast MAC address in lower case',
    );
    check(adapter === 'virtio' || adapter === 'pcnet', `networks[${index}].adapter`, "'virtio' or 'pcnet'");
    check(isName(network), `networks[${index}].network`, 'a name');
  }
  return { schema: VM_CONFIG_VERSION, vmId, name, memoryBytes, disks, networks, settings } as VmConfig;
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
