/** What this host can give and what the VM has, as both are compared before a move. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { cpuFacts, hostFeatures } from '@godwit/cpu';
import { loadNative } from '@godwit/metal';
import { type HostFacts, PROTOCOL, type VmFacts } from '@godwit/migration';
import { hostCpuidQuery } from '../host-cpuid';
import { MACHINE_VERSION } from '../state-file';
import type { Vm } from '../vm';

/** What of a host's CPU a VM may be given. @param allowed the host's own restriction; absent: all of it */
export function allowedFeatures(allowed?: readonly string[]): string[] {
  const has = hostFeatures(hostCpuidQuery(loadNative()));
  return [...has].filter((name) => !allowed || allowed.includes(name)).sort();
}

export interface HostDescription {
  readonly hostId: string;
  readonly hostName: string;
  readonly features: readonly string[];
  readonly datastores: readonly string[];
  readonly networks: readonly string[];
}

export function hostFactsOf(host: HostDescription): HostFacts {
  return {
    hostId: host.hostId,
    name: host.hostName,
    cpu: cpuFacts(hostCpuidQuery(loadNative()), host.features),
    cpus: os.availableParallelism(),
    freeMemoryBytes: availableMemory(),
    protocol: PROTOCOL,
    machineVersions: { oldest: MACHINE_VERSION, newest: MACHINE_VERSION },
    datastores: host.datastores,
    networks: host.networks,
    wallClockMs: Date.now(),
    maintenance: false,
  };
}

export interface VmDescription {
  readonly vmId: string;
  readonly name: string;
  readonly datastores: readonly string[];
  readonly networks: readonly string[];
  /** Disks and media that only this host has. */
  readonly localMedia?: readonly string[];
}

export function vmFactsOf(vm: Vm, description: VmDescription, used: readonly string[] | null): VmFacts {
  return {
    vmId: description.vmId,
    name: description.name,
    state: vm.pauses.includes('operator') ? 'paused' : 'running',
    cpu: cpuFacts(hostCpuidQuery(loadNative()), vm.spec.features),
    usedFeatures: used,
    vcpus: 1,
    memoryBytes: vm.spec.memoryBytes,
    machineVersion: MACHINE_VERSION,
    datastores: description.datastores,
    networks: description.networks,
    localDevices: (description.localMedia ?? []).map((name) => ({ kind: 'media', name })),
  };
}

/** Bytes that programs can still have without swapping (proc(5), MemAvailable). */
function availableMemory(): number {
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return line ? Number(line[1]) * 1024 : os.freemem();
}
