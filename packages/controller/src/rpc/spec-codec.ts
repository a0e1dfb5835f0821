/** VMs' specifications and settings of migrations, between messages (spec.proto, types.proto) and the core. */
import type { SettingsChange } from '../core/orders';
import type { DiskOrigin, VmPlace, VmSpec } from '../core/spec';
import { enumName, flag, inner, maybe, messages, number, text, textMap, texts, word } from './fields';
import type { Message } from './rpc';

export const readPlace = (message: Message | undefined): VmPlace | undefined =>
  message && { datastoreId: text(message, 'datastoreId'), folder: text(message, 'folder') };

export function readSpec(message: Message | undefined): VmSpec {
  const boot = inner(message, 'boot');
  const migration = inner(message, 'migration');
  return {
    vmId: text(message, 'vmId'),
    name: text(message, 'name'),
    memoryBytes: number(message, 'memoryBytes'),
    vcpus: number(message, 'vcpus'),
    cpuFeatures: texts(message, 'cpuFeatures'),
    disks: messages(message, 'disks').map((disk) => ({
      file: text(disk, 'file'),
      bus: text(disk, 'bus'),
      readOnly: flag(disk, 'readOnly'),
      sizeBytes: number(disk, 'sizeBytes'),
      format: text(disk, 'format'),
      ...(inner(disk, 'origin') ? { origin: readOrigin(inner(disk, 'origin')!) } : {}),
    })),
    networks: messages(message, 'networks').map((one) => ({
      network: text(one, 'network'),
      adapter: text(one, 'adapter'),
      mac: text(one, 'mac'),
    })),
    ...(boot
      ? {
          boot: {
            kernel: text(boot, 'kernel'),
            initrd: text(boot, 'initrd'),
            commandLine: text(boot, 'commandLine'),
            kernelOrigin: text(boot, 'kernelOrigin'),
            initrdOrigin: text(boot, 'initrdOrigin'),
          },
        }
      : {}),
    labels: textMap(message, 'labels'),
    restart: word(message, 'restart', 'RESTART_POLICY_') === 'never' ? 'never' : 'always',
    migration: {
      ...defined({
        pauseBudgetMs: maybe(migration, 'pauseBudgetMs'),
        maxPauseMs: maybe(migration, 'maxPauseMs'),
        bandwidthBytesPerSecond: maybe(migration, 'bandwidthBytesPerSecond'),
      }),
      manualOnly: flag(migration, 'manualOnly'),
    },
    reservedMemoryBytes: number(message, 'reservedMemoryBytes'),
    machineVersion: number(message, 'machineVersion'),
    priority: number(message, 'priority'),
  };
}

function readOrigin(origin: Message): DiskOrigin {
  const copy = inner(origin, 'copy');
  if (copy)
    return {
      copy: {
        place: readPlace(inner(copy, 'place')) ?? { datastoreId: '', folder: '' },
        file: text(copy, 'file'),
        linked: flag(copy, 'linked'),
      },
    };
  return text(origin, 'image') ? { image: text(origin, 'image') } : { blank: true };
}

export const writeSpec = (spec: VmSpec): Message => ({ ...spec, restart: enumName('RESTART_POLICY_', spec.restart) });

export function readSettings(message: Message | undefined): SettingsChange {
  const policies = texts(message, 'policies');
  const names = ['pauseBudgetMs', 'maxPauseMs', 'bandwidthBytesPerSecond', 'maxThrottlePercent', 'maxRounds', 'maxPrecopyMs'] as const;
  return {
    ...defined(Object.fromEntries(names.map((name) => [name, maybe(message, name)]))),
    ...(policies.length > 0 ? { policies } : {}),
  };
}

const defined = <T extends object>(of: T): Partial<T> =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as Partial<T>;
