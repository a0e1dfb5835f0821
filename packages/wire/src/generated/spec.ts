// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.

/** A VM's folder `vms/<folder>` in a datastore. */
export interface VmPlace {
  /** The datastore's identity (datastore.json), the same on every host. */
  readonly datastoreId: string;
  readonly folder: string;
}

export interface VmSpec {
  /** Stays when the VM is renamed. Set by the controller. */
  readonly vmId: string;
  /** Letters, digits and . _ - ; unique in the cluster. */
  readonly name: string;
  readonly memoryBytes: number;
  readonly vcpus: number;
  /**
   * CPU features that the guest is to see, names as in /proc/cpuinfo; empty: the cluster's baseline,
   * or without one all that the host of its first start has.
   */
  readonly cpuFeatures: readonly string[];
  readonly disks: readonly VmDiskSpec[];
  readonly networks: readonly VmNetworkSpec[];
  readonly boot?: VmBoot;
  /** For people and rules: `team=db`. */
  readonly labels: Readonly<Record<string, string>>;
  /** What is done when the VM's host dies, or its process. */
  readonly restart: RestartPolicy;
  /** For each of its migrations, unless the migration says otherwise. */
  readonly migration?: VmMigrationDefaults;
  /** Memory promised to it, of memory_bytes; a host never promises more than it has. 0: all of it. */
  readonly reservedMemoryBytes: number;
  /** Machine version of the emulated PC; 0: the newest that its first host knows. */
  readonly machineVersion: number;
  /** Higher ones are placed and restarted first; default 0. */
  readonly priority: number;
}

export interface VmDiskSpec {
  /** File in the VM's `disks` folder. */
  readonly file: string;
  /** virtio, ide */
  readonly bus: string;
  readonly readOnly: boolean;
  readonly sizeBytes: number;
  /** raw, qcow2 */
  readonly format: string;
  readonly origin?: DiskOrigin;
}

/** What a new disk holds. */
export interface DiskOrigin {
  /** Zeros. */
  readonly blank?: boolean;
  /** A file that the agent can read: a path in a datastore, as `<datastore id>:<path>`, or of its image folder by name. */
  readonly image?: string;
  /** Another VM's disk. */
  readonly copy?: DiskOfVm;
  /** Which of them is set. */
  readonly kind?: 'blank' | 'image' | 'copy';
}

export interface DiskOfVm {
  readonly place?: VmPlace;
  readonly file: string;
  /** A qcow2 that shows the other disk through and keeps only what differs. The other disk must not change. */
  readonly linked: boolean;
}

export interface VmNetworkSpec {
  /** The bridge's name, or `user`. */
  readonly network: string;
  /** virtio, pcnet */
  readonly adapter: string;
  /** Empty: the controller makes one. */
  readonly mac: string;
}

export interface VmBoot {
  /** Files in the VM's `boot` folder; no kernel: the firmware boots the first disk. */
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
  /** Where the files are to be copied from when the VM is made; as DiskOrigin.image. */
  readonly kernelOrigin: string;
  readonly initrdOrigin: string;
}

export type RestartPolicy = 'RESTART_POLICY_UNSPECIFIED' | 'RESTART_POLICY_ALWAYS' | 'RESTART_POLICY_NEVER';

export interface VmMigrationDefaults {
  readonly pauseBudgetMs?: number;
  readonly maxPauseMs?: number;
  readonly bandwidthBytesPerSecond?: number;
  /** Balancing and draining leave it where it is: the operator moves it. */
  readonly manualOnly: boolean;
}
