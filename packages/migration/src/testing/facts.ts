import type { HostFacts, VmFacts } from '../facts';
import { PROTOCOL } from '../protocol';

/** A VM and a host that fit each other; tests change what they are about. */
export const vmFacts = (changes: Partial<VmFacts> = {}): VmFacts => ({
  vmId: 'vm-1',
  name: 'web1',
  state: 'running',
  cpu: { vendor: 'GenuineIntel', features: ['fpu', 'sse2', 'avx'], xsaveBytes: 832 },
  usedFeatures: ['fpu', 'sse2'],
  vcpus: 1,
  memoryBytes: 64 * 4096,
  machineVersion: 3,
  datastores: ['store-1'],
  networks: ['lan'],
  localDevices: [],
  ...changes,
});

export const hostFacts = (changes: Partial<HostFacts> = {}): HostFacts => ({
  hostId: 'h2',
  name: 'host-2',
  cpu: { vendor: 'GenuineIntel', features: ['fpu', 'sse2', 'avx', 'avx2'], xsaveBytes: 832 },
  cpus: 4,
  freeMemoryBytes: 2 ** 30,
  protocol: PROTOCOL,
  machineVersions: { oldest: 2, newest: 3 },
  datastores: ['store-1', 'store-2'],
  networks: ['lan', 'dmz'],
  wallClockMs: 1_000_000,
  maintenance: false,
  ...changes,
});
