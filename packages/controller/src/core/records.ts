/**
 * What the controller keeps in its store: one JSON value each, with all that must change together.
 * They hold no secrets of migrations: those live only in the leader's memory.
 */
import type { CpuFacts } from '@godwit/migration';
import type { SettingsChange } from './orders';
import type { SourceRecord } from './reports';
import type { VmPlace, VmSpec } from './spec';

export type WantedState = 'running' | 'paused' | 'suspended' | 'stopped';

export interface VmRecord {
  readonly id: string;
  spec: VmSpec;
  place: VmPlace;
  wanted: WantedState;
  /** The host that may be running it: written before it is ordered there, emptied only when it is known to have ended. */
  hostId: string;
  /** Highest lease epoch seen at its runner. */
  epoch: number;
  /** What its guest was given, when it last began; undefined: it never ran. */
  cpu: CpuFacts | undefined;
  machineVersion: number;
  movedAtMs: number;
  /** When a process began it from its disks or its saved state; a move changes nothing of it. Absent: never, or before this was kept. */
  begunAtMs?: number;
  /** There is a saved state. */
  suspended: boolean;
  /** Being made: its folder may not be there yet. */
  creating: boolean;
  /** It was asked to be removed, and nobody could tell whether that was done. */
  removing?: boolean;
  /** Found, not made here. */
  adopted: boolean;
  line: string;
  createdAtMs: number;
  restarts: number;
  restartedAtMs: number;
  revision: number;
}

export type Maintenance = 'no' | 'draining' | 'yes';

export interface HostRecord {
  readonly id: string;
  name: string;
  maintenance: Maintenance;
  bootId: string;
  joinedAtMs: number;
  certificateEndsAtMs: number;
}

export type OperationState = 'running' | 'succeeded' | 'failed' | 'cancelled' | 'partial' | 'unknown';

export type OperationKind =
  | 'create-vm'
  | 'start-vm'
  | 'stop-vm'
  | 'suspend-vm'
  | 'resume-vm'
  | 'pause-vm'
  | 'reset-vm'
  | 'clone-vm'
  | 'change-vm'
  | 'remove-vm'
  | 'restart-vm'
  | 'drain-host'
  | 'balance';

/** What a kind of operation needs beside the VM; see kinds.ts and batches.ts. */
export interface OperationArguments {
  /** The host was asked for: no other is tried. */
  readonly hostWanted?: boolean;
  readonly paused?: boolean;
  readonly discardSavedState?: boolean;
  readonly takeOver?: boolean;
  readonly kill?: boolean;
  readonly killAfterMs?: number;
  readonly start?: boolean;
  readonly spec?: VmSpec;
  readonly place?: VmPlace;
  readonly sourceVmId?: string;
  /** Epoch of the VM's lease when it began: a runner with a higher one is what it made. */
  readonly epoch?: number;
  readonly wantedBefore?: WantedState;
  readonly hostBefore?: string;
  readonly triedHosts?: readonly string[];
  readonly otherwise?: 'suspend' | 'stop' | 'leave';
  readonly settings?: SettingsChange;
  readonly concurrent?: number;
  readonly pass?: number;
  /** Of a drain: when the last VM had left, ms. */
  readonly leftAtMs?: number;
}

export interface OperationItem {
  readonly vmId: string;
  readonly vmName: string;
  state: OperationState | '';
  line: string;
  errorCode: string;
  migrationId: string;
  /** Of a child that is no migration. */
  operationId: string;
  toHostId: string;
  toHostName: string;
  how: 'live' | 'suspend' | 'stop' | 'leave';
}

export interface OperationRecord {
  readonly id: string;
  readonly kind: OperationKind;
  state: OperationState;
  vmId: string;
  vmName: string;
  hostId: string;
  line: string;
  errorCode: string;
  items: OperationItem[];
  createdAtMs: number;
  endedAtMs: number;
  deadlineAtMs: number;
  actor: string;
  /** operator, drain, balance, restart */
  cause: string;
  /** Idempotency: the user and the user's key; empty: none. */
  key: string;
  progress: number;
  cancelWanted: boolean;
  /** The step it is at, of kinds.ts. */
  phase: string;
  /** The order it waits for; empty: none. */
  orderId: string;
  /** The batch it is part of. */
  parentId: string;
  arguments: OperationArguments;
}

export type MigrationStage = 'queued' | 'preparing' | 'sending' | 'settling' | 'ended';
export type MigrationOutcome = '' | 'completed' | 'cancelled' | 'failed' | 'lost' | 'unknown';
export type VmIs = 'source' | 'target' | 'elsewhere' | 'unknown' | 'nowhere';

export interface MigrationRecord {
  /** Also its operation's id. */
  readonly id: string;
  vmId: string;
  vmName: string;
  sourceHostId: string;
  targetHostId: string;
  /** The target was asked for: no other is chosen. */
  hostWanted: boolean;
  stage: MigrationStage;
  /** Of 'settling', too: what it will end as, once nothing is left on the target. */
  outcome: MigrationOutcome;
  vmIs: VmIs;
  line: string;
  errorCode: string;
  record: SourceRecord | undefined;
  targetPhase: string;
  targetOutcome: string;
  cause: string;
  actor: string;
  key: string;
  parentId: string;
  settings: SettingsChange;
  createdAtMs: number;
  endedAtMs: number;
  deadlineAtMs: number;
  cancelWanted: boolean;
  force: boolean;
  attempt: number;
  /** The VM's epoch at the source: a runner with a higher one is the target. */
  epoch: number;
  prepareOrderId: string;
  sendOrderId: string;
  dropOrderId: string;
  cancelOrderId: string;
}

export interface RuleRecord {
  readonly name: string;
  readonly kind: 'together' | 'apart' | 'on' | 'off';
  readonly soft: boolean;
  readonly vms: readonly string[];
  readonly labels: readonly string[];
  readonly group: string;
}

export interface GroupRecord {
  readonly name: string;
  /** By name or id. */
  readonly hosts: readonly string[];
}

export interface BaselineRecord {
  readonly vendor: string;
  /** Empty: none is applied. */
  readonly features: readonly string[];
}

export interface Settings {
  readonly migration: SettingsChange;
  readonly migrationsPerHost: number;
  readonly migrationsInCluster: number;
  readonly hostUnreachableMs: number;
  readonly hostDeadMs: number;
  readonly restartVms: boolean;
  readonly hostReserveBytes: number;
  readonly hostFailures: number;
  readonly balanceMode: 'off' | 'propose' | 'automatic';
  readonly balanceIntervalMs: number;
  readonly operationMs: number;
  readonly revision: number;
}

export const DEFAULT_SETTINGS: Settings = {
  migration: {},
  migrationsPerHost: 2,
  migrationsInCluster: 16,
  // Three missed reports of 5 s.
  hostUnreachableMs: 16_000,
  // Longer than an agent's or a controller's restart. Never what keeps a VM from running twice: that is its lease.
  hostDeadMs: 60_000,
  restartVms: true,
  hostReserveBytes: 512 * 2 ** 20,
  hostFailures: 0,
  balanceMode: 'off',
  balanceIntervalMs: 5 * 60_000,
  operationMs: 30 * 60_000,
  revision: 0,
};

/** One value of the store: its folder there and its id. */
export interface Stored {
  vm: VmRecord;
  host: HostRecord;
  operation: OperationRecord;
  migration: MigrationRecord;
  rule: RuleRecord;
  group: GroupRecord;
  baseline: BaselineRecord;
  settings: Settings;
  tombstone: { readonly id: string; readonly atMs: number };
}
export type StoredKind = keyof Stored;
