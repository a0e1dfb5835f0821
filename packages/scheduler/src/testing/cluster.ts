/** Hosts and VMs for tests: alike unless told otherwise. */
import type { CpuFacts, HostFacts, VmFacts } from '@godwit/migration';
import { type HostEntry, hostEntry, type MoveEntry, type VmEntry, vmEntry } from '../model';
import { DEFAULT_SETTINGS, type Settings } from '../settings';

export const NOW = 1_700_000_000_000;
export const GIB = 1024 ** 3;

export const CPUS = {
  old: { vendor: 'GenuineIntel', features: ['fpu', 'sse2'], xsaveBytes: 512 },
  middle: { vendor: 'GenuineIntel', features: ['fpu', 'sse2', 'avx'], xsaveBytes: 832 },
  new: { vendor: 'GenuineIntel', features: ['fpu', 'sse2', 'avx', 'avx2'], xsaveBytes: 832 },
  amd: { vendor: 'AuthenticAMD', features: ['fpu', 'sse2', 'avx', 'sse4a'], xsaveBytes: 832 },
} as const satisfies Record<string, CpuFacts>;

export function host(name: string, entry: Partial<HostEntry> = {}, facts: Partial<HostFacts> = {}): HostEntry {
  const memoryBytes = entry.memoryBytes ?? 16 * GIB;
  return hostEntry({
    id: `id-${name}`,
    name,
    factsReadMs: NOW,
    memoryBytes,
    facts: {
      hostId: `id-${name}`,
      name,
      cpu: CPUS.middle,
      cpus: 8,
      freeMemoryBytes: memoryBytes,
      protocol: { oldest: 1, newest: 1 },
      machineVersions: { oldest: 1, newest: 3 },
      datastores: ['shared'],
      networks: ['lan'],
      wallClockMs: NOW,
      maintenance: false,
      ...facts,
    },
    ...entry,
  });
}

/** On `on`, a host's name; null: nowhere, stopped. */
export function vm(name: string, on: string | null, entry: Partial<VmEntry> = {}, facts: Partial<VmFacts> = {}): VmEntry {
  return vmEntry({
    hostId: on && `id-${on}`,
    facts: {
      vmId: `vm-${name}`,
      name,
      state: on === null ? 'stopped' : 'running',
      cpu: CPUS.old,
      usedFeatures: null,
      vcpus: 1,
      memoryBytes: GIB,
      machineVersion: 2,
      datastores: ['shared'],
      networks: ['lan'],
      localDevices: [],
      ...facts,
    },
    ...entry,
  });
}

export const move = (of: VmEntry, to: string, entry: Partial<MoveEntry> = {}): MoveEntry => ({
  id: `move-${of.facts.name}`,
  vmId: of.facts.vmId,
  kind: of.hostId === null ? 'start' : 'live',
  sourceId: of.hostId,
  targetId: `id-${to}`,
  owner: 'somebody',
  bytesPerSecond: null,
  ...entry,
});

/** Without a reserve: a host of 16 GiB has 16 GiB. */
export const PLAIN: Settings = { ...DEFAULT_SETTINGS, hostReserveBytes: 0 };
