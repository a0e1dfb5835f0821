/**
 * A VmSpec (spec.proto) and what stands in the VM's folder (vm.json, storage/vm-config.ts), both ways. Pure. What
 * vm.json has no field for lies in its `settings`: `boot` and `features` are the VMM's to read, `spec` the cluster's.
 */
import path from 'node:path';
import { VM_CONFIG_VERSION, type VmConfig } from '@godwit/storage';
import { OrderError } from '../errors';
import type { VmBoot, VmDiskSpec, VmSpec } from '../messages';

/** As VMMs know a disk's format: by its name, never by its content. */
export const formatOf = (file: string): 'raw' | 'qcow2' => (path.extname(file) === '.qcow2' ? 'qcow2' : 'raw');

/** The VM is suspended if its `state` folder has this file. As packages/vmm has it, whose engine no storage process is to load. */
export const SUSPENDED_STATE = 'suspended.godwit';

interface Kept {
  readonly vcpus?: number;
  readonly sizes?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly restart?: string;
  readonly migration?: Readonly<Record<string, unknown>>;
  readonly reservedMemoryBytes?: number;
  readonly machineVersion?: number;
  readonly priority?: number;
}

const DEFAULT_COMMAND_LINE = 'console=ttyS0';

/** @throws OrderError for what no VM can be */
export function configOf(spec: VmSpec, sizes: Readonly<Record<string, number>> = {}): VmConfig {
  const { vmId, name, memoryBytes, cpuFeatures, boot } = spec;
  const disks = spec.disks.map((disk) => {
    checkFormat(disk);
    return { file: disk.file, bus: disk.bus === 'ide' ? 'ide' : 'virtio', readOnly: disk.readOnly } as const;
  });
  const networks = spec.networks.map(
    ({ network, adapter, mac }) => ({ network, adapter: adapter === 'pcnet' ? 'pcnet' : 'virtio', mac }) as const,
  );
  const kept: Kept = {
    vcpus: spec.vcpus,
    sizes: Object.fromEntries(spec.disks.map(({ file, sizeBytes }) => [file, sizes[file] ?? sizeBytes])),
    labels: spec.labels,
    restart: spec.restart,
    migration: spec.migration ?? {},
    reservedMemoryBytes: spec.reservedMemoryBytes,
    machineVersion: spec.machineVersion,
    priority: spec.priority,
  };
  const settings = {
    ...(boot?.kernel ? { boot: bootSettings(boot) } : {}),
    ...(cpuFeatures.length > 0 ? { features: [...cpuFeatures] } : {}),
    spec: kept,
  };
  return { schema: VM_CONFIG_VERSION, vmId, name, memoryBytes, disks, networks, settings };
}

function bootSettings({ kernel, initrd, commandLine }: VmBoot): Record<string, string> {
  return { kernel: kernel!, ...(initrd ? { initrd } : {}), append: commandLine || DEFAULT_COMMAND_LINE };
}

function checkFormat({ file, format }: VmDiskSpec): void {
  const wanted = format || 'raw';
  if (formatOf(file) === wanted) return;
  throw new OrderError(
    'image',
    `disk ${file}: a disk's format shows in its name: name it ${wanted === 'qcow2' ? `${file}.qcow2` : 'without .qcow2 at its end'}`,
    true,
  );
}

/** What an operator, or an earlier version, may have written is taken as far as it can be. */
export function specOf(config: VmConfig): VmSpec {
  const { settings } = config;
  const kept = (isRecord(settings.spec) ? settings.spec : {}) as Kept;
  const boot = (isRecord(settings.boot) ? settings.boot : undefined) as { kernel?: string; initrd?: string; append?: string } | undefined;
  return {
    vmId: config.vmId,
    name: config.name,
    memoryBytes: config.memoryBytes,
    vcpus: kept.vcpus ?? 1,
    cpuFeatures: Array.isArray(settings.features) ? settings.features.filter((one): one is string => typeof one === 'string') : [],
    disks: config.disks.map((disk) => ({ ...disk, sizeBytes: kept.sizes?.[disk.file] ?? 0, format: formatOf(disk.file) })),
    networks: config.networks.map((one) => ({ ...one })),
    ...(boot?.kernel
      ? {
          boot: {
            kernel: boot.kernel,
            initrd: boot.initrd ?? '',
            commandLine: boot.append ?? DEFAULT_COMMAND_LINE,
            kernelOrigin: '',
            initrdOrigin: '',
          },
        }
      : {}),
    labels: kept.labels ?? {},
    restart: kept.restart ?? 'RESTART_POLICY_ALWAYS',
    migration: kept.migration ?? {},
    reservedMemoryBytes: kept.reservedMemoryBytes ?? 0,
    machineVersion: kept.machineVersion ?? 0,
    priority: kept.priority ?? 0,
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
