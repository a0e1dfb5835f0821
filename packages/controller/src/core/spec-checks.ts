/** Whether a VM can be made as asked: names and sizes, before any host hears of it. */
import { Refusal } from './errors';
import { MAX_NAME } from './limits';
import type { VmDiskSpec, VmNetworkSpec, VmSpec } from './spec';

const MIB = 2 ** 20;
/** What IA-32 can address with PAE. */
const MAX_MEMORY_BYTES = 64 * 2 ** 30;
const MAX_DISK_BYTES = 64 * 2 ** 40;
/** As the VM's folder holds (storage/vm-config.ts). */
const MAX_ITEMS = 16;
const MAX_LABELS = 64;
const MAX_TEXT = 4_096;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const MAC = /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/;

export function checkName(name: string, what: string): string {
  if (NAME.test(name) && name.length <= MAX_NAME) return name;
  throw new Refusal(
    'bad-name',
    `${JSON.stringify(name.slice(0, 80))} is no name of a ${what}: 1 to ${MAX_NAME} letters, digits and . _ -, the first a letter or digit`,
  );
}

/** With what was left out filled in. @throws Refusal naming the field */
export function checkSpec(spec: VmSpec, newId: () => string): VmSpec {
  checkName(spec.name, 'VM');
  const { memoryBytes, reservedMemoryBytes, vcpus } = spec;
  check(
    Number.isSafeInteger(memoryBytes) && memoryBytes >= MIB && memoryBytes <= MAX_MEMORY_BYTES && memoryBytes % MIB === 0,
    'memory',
    'whole MiB, at most 64 GiB',
  );
  check(
    Number.isSafeInteger(reservedMemoryBytes) && reservedMemoryBytes >= 0 && reservedMemoryBytes <= memoryBytes,
    'reserved memory',
    'at most the memory',
  );
  check(vcpus === 0 || vcpus === 1, 'vcpus', '1: this version emulates one CPU');
  check(spec.disks.length <= MAX_ITEMS, 'disks', `at most ${MAX_ITEMS}`);
  check(spec.networks.length <= MAX_ITEMS, 'networks', `at most ${MAX_ITEMS}`);
  check(Object.keys(spec.labels).length <= MAX_LABELS, 'labels', `at most ${MAX_LABELS}`);
  check(Number.isInteger(spec.priority) && Math.abs(spec.priority) <= 1_000, 'priority', 'from -1000 to 1000');
  for (const text of [...Object.entries(spec.labels).flat(), ...Object.values(spec.boot ?? {})])
    check(text.length <= MAX_TEXT, 'labels and boot', `at most ${MAX_TEXT} characters each`);
  const disks = spec.disks.map(checkDisk);
  check(new Set(disks.map(({ file }) => file)).size === disks.length, 'disks', 'files of different names');
  return { ...spec, vcpus: 1, disks, networks: spec.networks.map((network) => checkNetwork(network, newId)) };
}

function checkDisk(disk: VmDiskSpec): VmDiskSpec {
  checkName(disk.file, 'disk file');
  const bus = disk.bus || 'virtio';
  const format = disk.format || 'raw';
  check(bus === 'virtio' || bus === 'ide', `${disk.file}: bus`, 'virtio or ide');
  check(format === 'raw' || format === 'qcow2', `${disk.file}: format`, 'raw or qcow2');
  check(
    Number.isSafeInteger(disk.sizeBytes) && disk.sizeBytes >= 0 && disk.sizeBytes <= MAX_DISK_BYTES,
    `${disk.file}: size`,
    'at most 64 TiB',
  );
  check(
    disk.sizeBytes > 0 || disk.origin?.image !== undefined || disk.origin?.copy !== undefined,
    `${disk.file}: size`,
    'given, as nothing is copied to it',
  );
  return { ...disk, bus, format };
}

function checkNetwork(network: VmNetworkSpec, newId: () => string): VmNetworkSpec {
  checkName(network.network, 'network');
  const adapter = network.adapter || 'virtio';
  check(adapter === 'virtio' || adapter === 'pcnet', `network ${network.network}: adapter`, 'virtio or pcnet');
  // 52:54:00, as all of this kind use, and three bytes of a new UUID.
  const mac = network.mac || `52:54:00:${newId().replaceAll('-', '').slice(-6).match(/../g)!.join(':')}`;
  check(MAC.test(mac), `network ${network.network}: MAC`, 'a unicast address in lower case, 52:54:00:12:34:56');
  return { network: network.network, adapter, mac };
}

function check(holds: boolean, field: string, wanted: string): void {
  if (!holds) throw new Refusal('invalid', `${field} must be ${wanted}`);
}
