/** What is compared before a VM moves: facts of the VM and of a host, plain JSON. */

/** Features and instruction-set names are those of /proc/cpuinfo. */
export interface CpuFacts {
  /** As CPUID leaf 0 spells it: GenuineIntel, AuthenticAMD. */
  readonly vendor: string;
  readonly features: readonly string[];
  /** Size of the XSAVE area for what `features` hold, in bytes (CPUID leaf 0xD); 512 without XSAVE. */
  readonly xsaveBytes: number;
}

/** Something of this host that a VM uses and that cannot come along. */
export interface LocalDevice {
  readonly kind: 'usb' | 'serial' | 'parallel' | 'pci' | 'media';
  /** What the user calls it: `usb 046d:c52b`, `/dev/ttyS0`, `/root/cd.iso`. */
  readonly name: string;
}

export interface VmFacts {
  readonly vmId: string;
  readonly name: string;
  readonly state: 'running' | 'paused' | 'suspended' | 'stopped';
  /** What CPUID shows the guest. */
  readonly cpu: CpuFacts;
  /** Those features that the guest has really executed or enabled; null when nobody kept count. */
  readonly usedFeatures: readonly string[] | null;
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** Version of the emulated PC. */
  readonly machineVersion: number;
  /** Identities (not paths) of the datastores that its disks lie on. */
  readonly datastores: readonly string[];
  readonly networks: readonly string[];
  readonly localDevices: readonly LocalDevice[];
}

export interface Versions {
  readonly oldest: number;
  readonly newest: number;
}

export interface HostFacts {
  readonly hostId: string;
  readonly name: string;
  /** What a VM can be given here, after the host's own restrictions. */
  readonly cpu: CpuFacts;
  readonly cpus: number;
  readonly freeMemoryBytes: number;
  /** Migration protocol. */
  readonly protocol: Versions;
  readonly machineVersions: Versions;
  readonly datastores: readonly string[];
  readonly networks: readonly string[];
  /** Wall clock, milliseconds since 1970, as read for this record. */
  readonly wallClockMs: number;
  readonly maintenance: boolean;
}
