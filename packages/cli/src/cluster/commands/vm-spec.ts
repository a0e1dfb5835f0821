/** The options that say what a VM is to be, and the VmSpec that they make. */
import type { Input, VmDiskSpec, VmNetworkSpec, VmSpec } from '@godwit/wire';
import path from 'node:path';
import { usageError } from '../../errors';
import { choice, parseSubOptions } from '../../sub-options';
import type { Options } from '../core/command';
import { type Flags, parseSize } from '../core/flags';

/** Of `vm create` and `vm change`. */
export const SPEC: Options = {
  memory: { value: '512M', summary: 'RAM of the guest' },
  cpu: { value: 'LIST', summary: 'CPU features that the guest sees, as in /proc/cpuinfo; none: the baseline of the cluster', many: true },
  append: { value: 'TEXT', summary: 'kernel command line' },
  label: { value: 'KEY=VALUE', summary: 'for people and rules; KEY- takes it away', many: true },
  restart: {
    value: 'always|never',
    summary: 'what is done when its host dies, or its process (without it: always)',
    choices: ['always', 'never'],
  },
  priority: { value: 'N', summary: 'higher ones are placed and restarted first (-1000 to 1000)' },
  reserve: { value: 'SIZE', summary: 'memory that its host promises it; without it: all of it' },
  'max-pause': { value: '50ms', summary: 'how long it may stand still in a migration, unless the migration says otherwise' },
  bandwidth: { value: '100M', summary: 'bytes a second that its migrations may take' },
  moves: {
    value: 'freely|by-hand',
    summary: 'by-hand: balancing and draining leave it where it is',
    choices: ['freely', 'by-hand'],
  },
};

export const DEVICES: Options = {
  disk: { value: 'DISK', summary: '10G | image=NAME[,size=10G]; see below', many: true },
  network: { value: 'NETWORK', summary: 'NAME[,adapter=virtio|pcnet][,mac=52:54:00:…]', many: true },
  kernel: { value: 'IMAGE', summary: 'a kernel among the images of the hosts; without one the first disk is booted' },
  initrd: { value: 'IMAGE', summary: 'its initial RAM disk' },
};

const RESTART = { always: 'RESTART_POLICY_ALWAYS', never: 'RESTART_POLICY_NEVER' } as const;
const DEFAULT_MEMORY = '512M';

/** What was given, over `base`. @throws CliError of usage */
export function specOf(flags: Flags, base: Input<VmSpec>, isNew: boolean): Input<VmSpec> {
  const memory = flags.size('memory') ?? (isNew && !base.memoryBytes ? parseSize('--memory', DEFAULT_MEMORY) : undefined);
  const restart = flags.text('restart') as keyof typeof RESTART | undefined;
  const labels = flags.labels('label');
  const kept = Object.entries(base.labels ?? {}).filter(([key]) => !labels.gone.includes(key));
  const given: Input<VmSpec> = {
    memoryBytes: memory,
    cpuFeatures: flags.has('cpu') ? flags.list('cpu').filter((name) => name !== 'none') : undefined,
    restart: restart && RESTART[restart],
    priority: flags.whole('priority', -1_000, 1_000),
    reservedMemoryBytes: flags.size('reserve'),
    labels: flags.has('label') ? { ...Object.fromEntries(kept), ...labels.set } : undefined,
    disks: flags.has('disk')
      ? [...(base.disks ?? []), ...flags.texts('disk').map((text, at) => diskOf(text, at + (base.disks?.length ?? 0)))]
      : undefined,
    networks: flags.has('network') ? [...(base.networks ?? []), ...flags.texts('network').map(networkOf)] : undefined,
    migration: migrationOf(flags, base.migration),
    boot: bootOf(flags, base.boot),
  };
  return { ...base, ...defined(given) };
}

function migrationOf(flags: Flags, base: Input<VmSpec>['migration']): Input<VmSpec>['migration'] {
  const moves = flags.text('moves');
  const given = {
    pauseBudgetMs: flags.duration('max-pause'),
    bandwidthBytesPerSecond: flags.rate('bandwidth'),
    manualOnly: moves === undefined ? undefined : moves === 'by-hand',
  };
  const set = defined(given);
  return Object.keys(set).length > 0 ? { ...base, ...set } : undefined;
}

function bootOf(flags: Flags, base: Input<VmSpec>['boot']): Input<VmSpec>['boot'] {
  const [kernel, initrd, append] = [flags.text('kernel'), flags.text('initrd'), flags.text('append')];
  if (kernel === undefined && initrd !== undefined && !base?.kernel) throw usageError('--initrd needs --kernel');
  if (kernel === undefined && initrd === undefined && append === undefined) return undefined;
  const file = (image: string): string => path.posix.basename(image.slice(image.indexOf(':') + 1));
  return {
    ...base,
    ...(kernel === undefined ? {} : { kernel: file(kernel), kernelOrigin: kernel }),
    ...(initrd === undefined ? {} : { initrd: file(initrd), initrdOrigin: initrd }),
    ...(append === undefined ? {} : { commandLine: append }),
  };
}

const DISK_KEYS = { image: true, size: true, format: true, bus: true, file: true, readonly: false };

/** `10G` or `image=debian.qcow2,size=20G`, with `format=`, `bus=`, `file=`, `readonly`. */
export function diskOf(text: string, at: number): Input<VmDiskSpec> {
  const { main, values } = parseSubOptions('--disk', /^[^,]*=|^readonly\b/.test(text) ? `,${text}` : text, DISK_KEYS);
  const image = values.get('image');
  const size = values.get('size') ?? (main === '' ? undefined : main);
  if (main !== '' && values.has('size')) throw usageError('--disk: the size is given twice');
  if (image === undefined && size === undefined) throw usageError('--disk needs a size, as --disk 10G, or an image, as --disk image=NAME');
  const format = values.has('format')
    ? choice('--disk', 'format', values.get('format')!, ['raw', 'qcow2'])
    : image?.endsWith('.qcow2')
      ? 'qcow2'
      : 'raw';
  return {
    file: values.get('file') ?? `disk${at}.${format}`,
    bus: choice('--disk', 'bus', values.get('bus') ?? 'virtio', ['virtio', 'ide']),
    readOnly: values.has('readonly'),
    sizeBytes: size === undefined ? 0 : parseSize('--disk: size', size),
    format,
    origin: image === undefined ? { blank: true } : { image },
  };
}

/** `user`, `br0,adapter=pcnet,mac=52:54:00:12:34:56` */
export function networkOf(text: string): Input<VmNetworkSpec> {
  const { main, values } = parseSubOptions('--network', text, { adapter: true, mac: true });
  if (main === '') throw usageError('--network begins with the name of a network, as --network user');
  return {
    network: main,
    adapter: choice('--network', 'adapter', values.get('adapter') ?? 'virtio', ['virtio', 'pcnet']),
    mac: values.get('mac')?.toLowerCase() ?? '',
  };
}

const defined = <T extends object>(of: T): Partial<T> =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as Partial<T>;
