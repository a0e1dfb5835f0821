// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.

export interface CpuFacts {
  /** As CPUID leaf 0 spells it: GenuineIntel, AuthenticAMD. */
  readonly vendor: string;
  /** Names as in /proc/cpuinfo, sorted. */
  readonly features: readonly string[];
  /** Size of the XSAVE area for those features; 512 without XSAVE. */
  readonly xsaveBytes: number;
}

export interface Versions {
  readonly oldest: number;
  readonly newest: number;
}

/** A host as a VM sees it that wants to go there. */
export interface HostFacts {
  readonly hostId: string;
  readonly name: string;
  /** After the host's own restrictions. */
  readonly cpu?: CpuFacts;
  readonly cpus: number;
  readonly freeMemoryBytes: number;
  readonly protocol?: Versions;
  readonly machineVersions?: Versions;
  /** Identities, not paths. */
  readonly datastores: readonly string[];
  readonly networks: readonly string[];
  readonly wallClockMs: number;
  readonly maintenance: boolean;
}

/** Something of a host that a VM uses and that cannot come along. */
export interface LocalDevice {
  /** usb, serial, parallel, pci, media */
  readonly kind: string;
  readonly name: string;
}

export type VmState = 'VM_STATE_UNSPECIFIED' | 'VM_STATE_STARTING' | 'VM_STATE_RUNNING' | 'VM_STATE_PAUSED' | 'VM_STATE_SUSPENDED' | 'VM_STATE_STOPPED' | 'VM_STATE_INCOMING' | 'VM_STATE_UNKNOWN';

export interface VmFacts {
  readonly vmId: string;
  readonly name: string;
  readonly state: VmState;
  /** What CPUID shows the guest. */
  readonly cpu?: CpuFacts;
  /** Those features that the guest has really executed. */
  readonly usedFeatures: readonly string[];
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly machineVersion: number;
  readonly datastores: readonly string[];
  readonly networks: readonly string[];
  readonly localDevices: readonly LocalDevice[];
}

/** One reason why a VM cannot go to a host, in one line for people. */
export interface Blocker {
  /** cpu-vendor, cpu-features, memory, datastore, …: fixed words. */
  readonly code: string;
  readonly message: string;
}

export interface MigrationSettings {
  readonly pauseBudgetMs: number;
  /** What the policy `extend` may extend the pause to. */
  readonly maxPauseMs: number;
  /** Cap for precopy; 0: none. */
  readonly bandwidthBytesPerSecond: number;
  /** throttle, extend, force, abort: in this order, when rounds stop shrinking. */
  readonly policies: readonly string[];
  readonly maxThrottlePercent: number;
  readonly maxRounds: number;
  readonly maxPrecopyMs: number;
}

/** The settings to change: those that are set. */
export interface MigrationSettingsChange {
  readonly pauseBudgetMs?: number;
  readonly maxPauseMs?: number;
  readonly bandwidthBytesPerSecond?: number;
  /** Empty: as they are. */
  readonly policies: readonly string[];
  readonly maxThrottlePercent?: number;
  readonly maxRounds?: number;
  readonly maxPrecopyMs?: number;
}

export interface MigrationRound {
  readonly round: number;
  readonly pages: number;
  readonly wireBytes: number;
  readonly durationMs: number;
  /** Dirty when it was over. */
  readonly leftPages: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  readonly throttlePercent: number;
  readonly predictedPauseMs: number;
  readonly decision: string;
}

export interface MigrationCounts {
  readonly zeroPages: number;
  readonly fillPages: number;
  readonly deltaPages: number;
  readonly rawPages: number;
  /** Written but found as the target has them. */
  readonly unchangedPages: number;
  /** Dirty again before their turn. */
  readonly skippedPages: number;
  readonly packedPages: number;
  readonly deltaBytes: number;
  readonly packedBytes: number;
  readonly rawBytes: number;
  readonly fillBytes: number;
  /** Of messages as a whole, with headers, control, state. */
  readonly wireBytes: number;
  readonly stateBytes: number;
  readonly messages: number;
}

/** The pause by parts; a part that has not been measured is not set. */
export interface MigrationPause {
  readonly stopMs?: number;
  readonly pagesMs?: number;
  readonly stateMs?: number;
  readonly leaseMs?: number;
  readonly startMs?: number;
}

/** A migration as its source sees it, live and kept. */
export interface MigrationRecord {
  readonly migrationId: string;
  readonly vmId: string;
  /** checking, reserving, precopy, pausing, final, committing, uncertain, handover, recovering, discarding, ended */
  readonly phase: string;
  /** source, target, elsewhere, unknown (the lease decides), nowhere (the VM has ended) */
  readonly vmIs: string;
  /** completed, cancelled, failed, lost; empty while it runs. */
  readonly outcome: string;
  /** Why it ended as it did, or what it waits for. */
  readonly line: string;
  readonly totalMs: number;
  readonly setupMs: number;
  readonly precopyMs: number;
  readonly memoryBytes: number;
  readonly rounds: readonly MigrationRound[];
  readonly roundCount: number;
  readonly counts?: MigrationCounts;
  readonly remainingPages: number;
  readonly dirtyBytesPerSecond: number;
  readonly transferBytesPerSecond: number;
  readonly throttlePercent: number;
  readonly stalls: number;
  readonly retreats: number;
  readonly expectedPauseMs: number;
  /** Until the switch; not set: never at these rates. */
  readonly expectedRemainingMs?: number;
  readonly settings?: MigrationSettings;
  /** Not set before the pause. */
  readonly pause?: MigrationPause;
  readonly pauseMs?: number;
  readonly predictedPauseMs?: number;
  /** Wall clock of the source. */
  readonly startedAtMs: number;
  /** Names of the hosts. */
  readonly sourceHost: string;
  readonly targetHost: string;
}
