/** What a VM is to be; the messages of proto/godwit/v1/spec.proto as plain data. */

export interface VmPlace {
  readonly datastoreId: string;
  readonly folder: string;
}

export interface DiskOrigin {
  readonly blank?: boolean;
  readonly image?: string;
  readonly copy?: { readonly place: VmPlace; readonly file: string; readonly linked: boolean };
}

export interface VmDiskSpec {
  readonly file: string;
  readonly bus: string;
  readonly readOnly: boolean;
  readonly sizeBytes: number;
  readonly format: string;
  readonly origin?: DiskOrigin;
}

export interface VmNetworkSpec {
  readonly network: string;
  readonly adapter: string;
  readonly mac: string;
}

export interface VmBoot {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  readonly kernelOrigin: string;
  readonly initrdOrigin: string;
}

export interface VmMigrationDefaults {
  readonly pauseBudgetMs?: number;
  readonly maxPauseMs?: number;
  readonly bandwidthBytesPerSecond?: number;
  readonly manualOnly: boolean;
}

export interface VmSpec {
  readonly vmId: string;
  readonly name: string;
  readonly memoryBytes: number;
  readonly vcpus: number;
  readonly cpuFeatures: readonly string[];
  readonly disks: readonly VmDiskSpec[];
  readonly networks: readonly VmNetworkSpec[];
  readonly boot?: VmBoot;
  readonly labels: Readonly<Record<string, string>>;
  readonly restart: 'always' | 'never';
  readonly migration: VmMigrationDefaults;
  /** 0: all of it. */
  readonly reservedMemoryBytes: number;
  /** 0: the newest of its first host. */
  readonly machineVersion: number;
  readonly priority: number;
}
