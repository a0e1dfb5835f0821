/**
 * What the scheduler looks at: hosts, VMs, moves under way, rules. Plain data, never changed in place:
 * what changes is put into the index anew. Memory is in bytes, CPU in whole CPUs (1.5: one and a half),
 * moments in milliseconds on the clock of whoever keeps the index.
 */
import type { CpuFacts, HostFacts, Move, VmFacts } from '@godwit/migration';

/**
 * draining: being emptied for maintenance. unreachable: silent, its VMs may well run. dead: silent for so long
 * that its VMs are to be restarted elsewhere. Only a ready host takes VMs.
 */
export type HostState = 'ready' | 'draining' | 'maintenance' | 'unreachable' | 'dead';

/** Smoothed over about a minute, or balancing follows noise. */
export interface HostLoad {
  /** Of all CPUs together, 0 to 1. */
  readonly cpuUsed: number;
  /** Share of time that somebody waited for it (PSI), 0 to 1. */
  readonly cpuPressure: number;
  readonly memoryPressure: number;
}

export interface HostEntry {
  readonly id: string;
  readonly name: string;
  readonly state: HostState;
  /** Null: it has not reported yet. `freeMemoryBytes` is what it measured to be free for VMs; `maintenance` is not read, `state` is. */
  readonly facts: HostFacts | null;
  /** When `facts` were read: compared with `facts.wallClockMs`. */
  readonly factsReadMs: number;
  /** All that is built in. What the host keeps for itself is in the settings. */
  readonly memoryBytes: number;
  readonly load: HostLoad | null;
  /** Links that its migrations pass, from its own card outwards; see `Link`. */
  readonly links: readonly string[];
  /** When balancing last moved a VM from or to it; null: never. */
  readonly balancedAtMs: number | null;
}

/**
 * A stretch of network with a limited rate. A migration passes those links that only one of its two hosts is on:
 * each host's own card, and the uplinks of their racks if the racks differ. In and out are counted apart.
 */
export interface Link {
  readonly id: string;
  readonly bytesPerSecond: number;
}

export interface LeaseFacts {
  /** Whose claim stands in it; null: released. */
  readonly hostId: string | null;
  /** From when on it may be taken over unless another beat is seen; null: nobody has watched it. */
  readonly takeableAtMs: number | null;
}

export interface VmEntry {
  /** `machineVersion` 0: any. `cpu` counts only for a VM that runs or is suspended. */
  readonly facts: VmFacts;
  /** Where it runs, starts or stands paused, or may run if that host is silent. Null: nowhere; it then takes nothing of any host. */
  readonly hostId: string | null;
  readonly wanted: 'running' | 'paused' | 'suspended' | 'stopped';
  readonly labels: Readonly<Record<string, string>>;
  /** Higher ones are placed and restarted first. */
  readonly priority: number;
  /** Promised to it, of its memory; 0: all. */
  readonly reservedMemoryBytes: number;
  readonly reservedCpus: number;
  /** What the guest is to see, as asked for; null: the cluster's baseline, or without one what its first host has. */
  readonly cpuFeatures: readonly string[] | null;
  /** What becomes of it when its host dies. */
  readonly restart: 'always' | 'never';
  /** Drains and balancing leave it where it is. */
  readonly manualOnly: boolean;
  /** CPUs that it keeps busy, smoothed; or is expected to, where it has not run yet. */
  readonly cpuUsed: number;
  /** Its host's own figure for CPUs contains it. */
  readonly cpuMeasured: boolean;
  /** Null: never measured. */
  readonly dirtyBytesPerSecond: number | null;
  /** Where it ran last: its disks may still be in that host's memory. */
  readonly lastHostId: string | null;
  readonly movedAtMs: number | null;
  /** As somebody last read it; null: not read. */
  readonly lease: LeaseFacts | null;
}

/** start: anew or for the first time, in answer to a start. The others are those of @godwit/migration. */
export type MoveKind = Move | 'start';

/** A migration or start that has begun and not ended. A VM has at most one. It takes memory at both ends. */
export interface MoveEntry {
  readonly id: string;
  readonly vmId: string;
  readonly kind: MoveKind;
  /** Null: it ran nowhere. */
  readonly sourceId: string | null;
  readonly targetId: string;
  /** Whose it is, for fair turns: a drain's id, a user's name. */
  readonly owner: string;
  /** Its own limit; null: none. */
  readonly bytesPerSecond: number | null;
}

/**
 * together: the VMs on one host. apart: each on another. on, off: only on hosts of the group, or never there.
 * Soft: broken only if nothing else is possible.
 */
export interface Rule {
  readonly name: string;
  readonly kind: 'together' | 'apart' | 'on' | 'off';
  readonly soft: boolean;
  /** Members by id or name, and all with one of the labels (`key=value` or `key`). */
  readonly vms: readonly string[];
  readonly labels: readonly string[];
  /** Of on and off. A group that does not exist has no hosts. */
  readonly group: string;
}

export interface HostGroup {
  readonly name: string;
  /** By id or name. */
  readonly hosts: readonly string[];
}

/** What a VM is shown that asks for no features of its own. */
export interface Baseline {
  readonly vendor: string;
  readonly features: readonly string[];
}

/** What may be left out when an entry is made with `hostEntry` or `vmEntry`. */
const HOST_DEFAULTS = { state: 'ready', load: null, links: [], balancedAtMs: null } as const;
const VM_DEFAULTS = {
  wanted: 'running',
  labels: {},
  priority: 0,
  reservedMemoryBytes: 0,
  reservedCpus: 0,
  cpuFeatures: null,
  restart: 'always',
  manualOnly: false,
  cpuUsed: 0,
  cpuMeasured: true,
  dirtyBytesPerSecond: null,
  lastHostId: null,
  movedAtMs: null,
  lease: null,
} as const;

export const hostEntry = (given: Omit<HostEntry, keyof typeof HOST_DEFAULTS> & Partial<HostEntry>): HostEntry => ({
  ...HOST_DEFAULTS,
  ...given,
});
export const vmEntry = (given: Omit<VmEntry, keyof typeof VM_DEFAULTS> & Partial<VmEntry>): VmEntry => ({ ...VM_DEFAULTS, ...given });

/** Of a VM that never ran. */
export const NO_CPU: CpuFacts = { vendor: '', features: [], xsaveBytes: 0 };
