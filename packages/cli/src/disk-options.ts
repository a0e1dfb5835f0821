import path from 'node:path';
import type { DiskSpec } from '@godwit/vmm';
import { usageError } from './errors';
import { choice, parseSubOptions } from './sub-options';

const DISK_KEYS = { adapter: true, format: true, serial: true, readonly: false };
const MAX_SERIAL = 20;

/** `--disk FILE[,adapter=virtio|ide][,format=raw|qcow2][,serial=TEXT][,readonly]` */
export function parseDisk(text: string): DiskSpec {
  const { main, values } = parseSubOptions('--disk', text, DISK_KEYS);
  const serial = values.get('serial');
  if (serial !== undefined && !/^[\x21-\x7e]+$/.test(serial)) throw usageError('--disk: serial has printable ASCII characters only');
  if (serial !== undefined && serial.length > MAX_SERIAL) throw usageError(`--disk: serial has at most ${MAX_SERIAL} characters`);
  const format = values.get('format');
  return {
    adapter: choice('--disk', 'adapter', values.get('adapter') ?? 'virtio', ['virtio', 'ide']),
    image: {
      location: location('--disk', main),
      format: format === undefined ? undefined : choice<'raw' | 'qcow2'>('--disk', 'format', format, ['raw', 'qcow2']),
      readOnly: values.has('readonly'),
      serial,
    },
  };
}

/** `--cdrom FILE`: an ISO image. */
export const parseCdrom = (text: string): DiskSpec => ({
  adapter: 'cdrom',
  image: { location: location('--cdrom', text), format: 'raw', readOnly: true },
});

/** A disk in the folder of the VM that --vm names. */
const IN_STORE = 'store:';

/** Where `store:FILE` is: a name in the VM's own folder of its datastore. */
export function placeDisk(disk: DiskSpec, vm: { where: string; disks: string } | undefined): DiskSpec {
  const { image } = disk;
  if (!image.location.startsWith(IN_STORE)) return disk;
  if (!vm) throw usageError(`${image.location} needs --vm DATASTORE/NAME`);
  const file = image.location.slice(IN_STORE.length);
  if (file === '' || file.includes('/')) throw usageError(`${image.location}: a disk in the VM's folder is named without a path`);
  return { ...disk, image: { ...image, store: vm.where, location: `${vm.disks}/${file}` } };
}

/** The same option with its file's path absolute: a saved VM finds it again from another folder. */
export function absoluteDisk(text: string): string {
  const end = /^(?:[^,]|,,)*/.exec(text)![0].length;
  return text.startsWith(IN_STORE) || end === 0 ? text : path.resolve(text.slice(0, end)) + text.slice(end);
}

function location(option: string, text: string): string {
  if (text === '') throw usageError(`${option} needs a file`);
  return text;
}
