// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.
import type { ConsoleKind, HostLoad } from './agent';
import type { Event, Severity } from './event';
import type { VmPlace, VmSpec } from './spec';
import type { Blocker, CpuFacts, HostFacts, MigrationRecord, MigrationSettings, MigrationSettingsChange, VmState } from './types';

/** What is wanted of a VM. */
export type WantedState = 'WANTED_STATE_UNSPECIFIED' | 'WANTED_STATE_RUNNING' | 'WANTED_STATE_PAUSED' | 'WANTED_STATE_SUSPENDED' | 'WANTED_STATE_STOPPED';

export interface Vm {
  readonly spec?: VmSpec;
  readonly place?: VmPlace;
  readonly wanted: WantedState;
  /** As its host last reported it; UNKNOWN while that host is silent: it may well run. */
  readonly state: VmState;
  /** Where it runs, or last ran. */
  readonly hostId: string;
  readonly hostName: string;
  /** Why it does not run although it should, or another remark; one line. */
  readonly line: string;
  /** The migration under way. */
  readonly migrationId: string;
  /** The operation under way. */
  readonly operationId: string;
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  /** When its host last spoke of it. */
  readonly seenAtMs: number;
  readonly leaseEpoch: number;
  /** Why it stands still, empty if it runs: as VmmStatus.pauses. */
  readonly pauses: readonly string[];
  readonly cpuUsed: number;
  readonly dirtyBytesPerSecond: number;
  /** For ChangeVmRequest. */
  readonly revision: number;
  /** Found on a host or datastore, not made here. */
  readonly adopted: boolean;
  readonly vmmId: string;
  /** What CPUID shows the guest; empty until it first ran. */
  readonly cpu?: CpuFacts;
}

export interface CreateVmRequest {
  /** vm_id is ignored. */
  readonly spec?: VmSpec;
  /** Empty: the one with the most room that a suitable host sees. */
  readonly datastore: string;
  /** Empty: the scheduler chooses. */
  readonly host: string;
  readonly start: boolean;
  readonly idempotencyKey: string;
}

export interface GetVmRequest {
  readonly vm: string;
}

export interface ListVmsRequest {
  /** All that are set must hold. */
  readonly host: string;
  /** `key=value` or `key`. */
  readonly labels: readonly string[];
  readonly states: readonly VmState[];
  /** Part of the name. */
  readonly nameContains: string;
}

export interface ListVmsResponse {
  /** By name. */
  readonly vms: readonly Vm[];
}

export type ChangeKind = 'CHANGE_KIND_UNSPECIFIED' | 'CHANGE_KIND_PUT' | 'CHANGE_KIND_REMOVED' | 'CHANGE_KIND_SYNCED';

export interface VmChange {
  readonly change: ChangeKind;
  /** Of REMOVED, as it last was. */
  readonly vm?: Vm;
}

export interface VmRequest {
  readonly vm: string;
  readonly idempotencyKey: string;
  /** Longest time for the operation; 0: the cluster's setting. */
  readonly timeMs: number;
}

export interface StartVmRequest {
  readonly vm: string;
  readonly host: string;
  readonly paused: boolean;
  readonly discardSavedState: boolean;
  readonly idempotencyKey: string;
  readonly timeMs: number;
}

export interface StopVmRequest {
  readonly vm: string;
  /** Pulls the plug instead of pressing the power button. */
  readonly kill: boolean;
  /** Pulls the plug if the guest has not stopped after this long; not set: never. */
  readonly killAfterMs?: number;
  readonly idempotencyKey: string;
  readonly timeMs: number;
}

export interface CloneVmRequest {
  readonly vm: string;
  readonly name: string;
  readonly datastore: string;
  /** Disks show the original's through and keep only what differs; the original can then no longer start. */
  readonly linked: boolean;
  readonly start: boolean;
  readonly idempotencyKey: string;
}

export interface ChangeVmRequest {
  readonly vm: string;
  /** Complete, as it is to be. With another name: renames. */
  readonly spec?: VmSpec;
  /** From the Vm that `spec` was made of; 0: whatever it is now. */
  readonly revision: number;
  readonly idempotencyKey: string;
}

export interface RemoveVmRequest {
  readonly vm: string;
  /** Also if it runs: pulls the plug first. */
  readonly force: boolean;
  readonly idempotencyKey: string;
}

export interface ConsoleRequest {
  /** First message. */
  readonly vm: string;
  readonly console: ConsoleKind;
  readonly data: Buffer;
}

export interface ConsoleResponse {
  readonly data: Buffer;
  /** For people, not from the guest: `moved to host-b`. */
  readonly note: string;
}

export type HostState = 'HOST_STATE_UNSPECIFIED' | 'HOST_STATE_READY' | 'HOST_STATE_UNREACHABLE' | 'HOST_STATE_DEAD' | 'HOST_STATE_DRAINING' | 'HOST_STATE_MAINTENANCE';

export interface Host {
  readonly hostId: string;
  readonly name: string;
  readonly state: HostState;
  readonly facts?: HostFacts;
  readonly load?: HostLoad;
  readonly totalMemoryBytes: number;
  /** Of VMs that run here or are on their way. */
  readonly promisedMemoryBytes: number;
  readonly datastores: readonly HostDatastore[];
  /** VMs that are here, by id. */
  readonly vmIds: readonly string[];
  readonly agentVersion: string;
  readonly bootId: string;
  readonly joinedAtMs: number;
  readonly seenAtMs: number;
  readonly certificateEndsAtMs: number;
  readonly warnings: readonly string[];
  readonly groups: readonly string[];
  /** In maintenance, nothing runs here, nothing is on its way, and no saved state lies on its local disks. */
  readonly safeToPowerOff: boolean;
  /** Why not; or what the host waits for. */
  readonly line: string;
  /** Of a drain. */
  readonly operationId: string;
}

export interface HostDatastore {
  readonly datastoreId: string;
  readonly name: string;
  readonly where: string;
  readonly reachable: boolean;
  readonly line: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export interface HostRequest {
  readonly host: string;
}

export type ListHostsRequest = Readonly<Record<never, never>>;

export interface ListHostsResponse {
  /** By name. */
  readonly hosts: readonly Host[];
}

export interface HostChange {
  readonly change: ChangeKind;
  readonly host?: Host;
}

export interface CreateJoinTokenRequest {
  /** Only a host of this name may use it; empty: any. */
  readonly hostName: string;
  /** 0: an hour. */
  readonly validMs: number;
}

export interface CreateJoinTokenResponse {
  /** Secret; holds the CA's fingerprint. Shown this once. */
  readonly token: string;
  readonly endsAtMs: number;
  /** HOST:PORT of the controllers. */
  readonly controllers: readonly string[];
}

export interface DrainHostRequest {
  readonly host: string;
  readonly dryRun: boolean;
  /** VMs that cannot move live: suspend (here, resumed elsewhere), stop, or leave them (then the drain fails in the end). */
  readonly otherwise: string;
  readonly settings?: MigrationSettingsChange;
  /** 0: the cluster's limit. */
  readonly concurrent: number;
  readonly idempotencyKey: string;
  readonly timeMs: number;
}

export interface DrainHostResponse {
  readonly plan?: DrainPlan;
  /** Not set with dry_run. */
  readonly operation?: Operation;
}

export interface DrainPlan {
  /** VMs that cannot go, with all reasons; first. */
  readonly blockers: readonly DrainBlocker[];
  /** In the order in which they go. */
  readonly moves: readonly DrainMove[];
}

export interface DrainBlocker {
  readonly vmId: string;
  readonly vmName: string;
  /** For each other host. */
  readonly hosts: readonly HostVerdict[];
  /** One line: the nearest to a way out. */
  readonly line: string;
}

export interface DrainMove {
  readonly vmId: string;
  readonly vmName: string;
  readonly toHostId: string;
  readonly toHostName: string;
  /** live, suspend, stop, cold (it does not run: only its place changes) */
  readonly how: string;
  /** Why there. */
  readonly line: string;
}

export interface RemoveHostRequest {
  readonly host: string;
  readonly force: boolean;
}

export type RemoveHostResponse = Readonly<Record<never, never>>;

export interface MigrateRequest {
  readonly vm: string;
  /** Empty: the scheduler chooses. */
  readonly toHost: string;
  readonly settings?: MigrationSettingsChange;
  readonly dryRun: boolean;
  readonly idempotencyKey: string;
  /** Against soft rules too (affinity); a hard blocker stays one. */
  readonly force: boolean;
  /** Longest time for all of it; 0: the cluster's setting. */
  readonly timeMs: number;
}

export interface MigrateResponse {
  /** Empty with dry_run. */
  readonly migrationId: string;
  readonly operation?: Operation;
  /** Every host but the VM's own. */
  readonly hosts: readonly HostVerdict[];
  /** The one it goes, or would go, to; empty: none can take it. */
  readonly chosenHostId: string;
  readonly chosenHostName: string;
  /** Why that one, or why none. */
  readonly line: string;
}

/** What speaks for and against one host. */
export interface HostVerdict {
  readonly hostId: string;
  readonly name: string;
  /** Empty: it can go there. */
  readonly blockers: readonly Blocker[];
  /** What could be done instead, one line each. */
  readonly instead: readonly string[];
  /** CPU features that the guest was given and the host lacks, and those of them it has used. */
  readonly missingFeatures: readonly string[];
  readonly missingUsedFeatures: readonly string[];
  /** Comparable within one answer; higher is better. */
  readonly score: number;
  /** What the score is made of, one line each. */
  readonly reasons: readonly string[];
}

export interface MigrationView {
  readonly migrationId: string;
  readonly vmId: string;
  readonly vmName: string;
  readonly sourceHostId: string;
  readonly sourceHostName: string;
  readonly targetHostId: string;
  readonly targetHostName: string;
  /** queued, preparing (the target's process starts), sending, settling (it is being found out where the VM is), ended */
  readonly stage: string;
  /** completed, cancelled, failed, lost, unknown; empty while it runs */
  readonly outcome: string;
  /** source, target, elsewhere, unknown, nowhere */
  readonly vmIs: string;
  /** What is going on or how it ended; says where the VM runs. */
  readonly line: string;
  /** The source's record: live, then as it was last. */
  readonly record?: MigrationRecord;
  /** operator, drain, balance */
  readonly cause: string;
  readonly operationId: string;
  readonly actor: string;
  readonly createdAtMs: number;
  readonly endedAtMs: number;
  readonly cancelWanted: boolean;
}

export interface MigrationRequest {
  readonly migrationId: string;
}

export interface FindMigrationsRequest {
  readonly vm: string;
  readonly host: string;
  readonly runningOnly: boolean;
  /** 0: 100. */
  readonly limit: number;
}

export interface FindMigrationsResponse {
  readonly migrations: readonly MigrationView[];
}

export interface MigrationChange {
  readonly change: ChangeKind;
  readonly migration?: MigrationView;
}

export type OperationState = 'OPERATION_STATE_UNSPECIFIED' | 'OPERATION_STATE_RUNNING' | 'OPERATION_STATE_SUCCEEDED' | 'OPERATION_STATE_FAILED' | 'OPERATION_STATE_CANCELLED' | 'OPERATION_STATE_PARTIAL' | 'OPERATION_STATE_UNKNOWN';

export interface Operation {
  readonly operationId: string;
  /**
   * create-vm, start-vm, stop-vm, suspend-vm, resume-vm, pause-vm, reset-vm, clone-vm, change-vm, remove-vm,
   * migrate-vm, drain-host, balance, restart-vm
   */
  readonly kind: string;
  readonly state: OperationState;
  readonly vmId: string;
  readonly vmName: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly migrationId: string;
  /** What it does now, or how it ended. */
  readonly line: string;
  /** Of FAILED, CANCELLED, UNKNOWN: as in the table at the head of this file. */
  readonly errorCode: string;
  /** Of one VM. */
  readonly items: readonly OperationItem[];
  readonly createdAtMs: number;
  readonly endedAtMs: number;
  readonly deadlineAtMs: number;
  readonly actor: string;
  /** 0 to 1, never less than before; 0 when it cannot be told. */
  readonly progress: number;
  readonly cancelWanted: boolean;
}

/** One part of a batch. */
export interface OperationItem {
  readonly vmId: string;
  readonly vmName: string;
  /** Unspecified: not begun yet. */
  readonly state: OperationState;
  readonly line: string;
  readonly errorCode: string;
  readonly migrationId: string;
  readonly toHostName: string;
}

export interface OperationRequest {
  readonly operationId: string;
}

export interface CancelOperationRequest {
  readonly operationId: string;
  readonly why: string;
}

export interface ListOperationsRequest {
  readonly runningOnly: boolean;
  readonly vm: string;
  readonly host: string;
  /** 0: 100. */
  readonly limit: number;
}

export interface ListOperationsResponse {
  readonly operations: readonly Operation[];
}

export interface ListEventsRequest {
  /** An event's cursor. */
  readonly after: string;
  /** 0: 100; the newest that match. */
  readonly limit: number;
  readonly vm: string;
  readonly host: string;
  readonly migrationId: string;
  readonly operationId: string;
  /** `vm.started`, or `vm.` for all that begin so. */
  readonly kinds: readonly string[];
  readonly atLeast: Severity;
}

export interface ListEventsResponse {
  readonly events: readonly Event[];
}

export type GetStatusRequest = Readonly<Record<never, never>>;

export interface ClusterStatus {
  readonly clusterId: string;
  readonly name: string;
  readonly leader: string;
  readonly term: number;
  readonly controllers: readonly ControllerStatus[];
  /** embedded, nats */
  readonly store: string;
  readonly storeReachable: boolean;
  readonly hosts: number;
  readonly hostsReady: number;
  readonly vms: number;
  readonly vmsRunning: number;
  readonly vmsUnknown: number;
  readonly migrationsRunning: number;
  readonly memoryBytes: number;
  readonly memoryPromisedBytes: number;
  readonly cpus: number;
  /** ok, degraded, failing */
  readonly health: string;
  /** Everything that is not as it should be, one line each. */
  readonly problems: readonly string[];
  readonly atMs: number;
}

export interface ControllerStatus {
  readonly controllerId: string;
  readonly address: string;
  readonly leads: boolean;
  readonly version: string;
}

export type GetSettingsRequest = Readonly<Record<never, never>>;

export interface ClusterSettings {
  readonly migration?: MigrationSettings;
  readonly migrationsPerHost: number;
  readonly migrationsInCluster: number;
  /** Silent for so long, a host counts as unreachable; and as dead. */
  readonly hostUnreachableMs: number;
  readonly hostDeadMs: number;
  readonly restartVms: boolean;
  /** Memory that a host keeps for itself. */
  readonly hostReserveBytes: number;
  /** Hosts whose death the others' memory must be able to bear (admission control); 0: not looked at. */
  readonly hostFailures: number;
  /** off, propose, automatic */
  readonly balanceMode: string;
  readonly balanceIntervalMs: number;
  readonly operationMs: number;
  readonly revision: number;
}

export interface ChangeSettingsRequest {
  readonly settings?: ClusterSettings;
}

export interface ComputeBaselineRequest {
  /** Empty: all. */
  readonly hosts: readonly string[];
}

export interface ApplyBaselineRequest {
  readonly vendor: string;
  /** Empty: takes the baseline off. */
  readonly features: readonly string[];
}

export type GetBaselineRequest = Readonly<Record<never, never>>;

export interface Baseline {
  readonly vendor: string;
  readonly features: readonly string[];
  /** Applied, not only computed. */
  readonly applied: boolean;
  readonly hosts: readonly BaselineHost[];
  /** Running VMs that were given more. */
  readonly vmsToRestart: readonly string[];
  /** Remarks; hosts of several vendors, hosts that lack something of it. */
  readonly lines: readonly string[];
}

export interface BaselineHost {
  readonly hostId: string;
  readonly name: string;
  /** What this host has beyond it. */
  readonly maskedFeatures: readonly string[];
  /** What this host lacks of it; VMs cannot run here. */
  readonly missingFeatures: readonly string[];
}

export interface PlacementRule {
  readonly name: string;
  /** together (VMs on one host), apart (each on another), on (VMs on a group's hosts), off (not there) */
  readonly kind: string;
  /** Broken only if nothing else is possible. */
  readonly soft: boolean;
  /** By name or id, and by `key=value` of their labels. */
  readonly vms: readonly string[];
  readonly labels: readonly string[];
  /** A host group. */
  readonly group: string;
}

export interface PutRuleResponse {
  readonly rule?: PlacementRule;
  /** VMs that break it as they are now. */
  readonly brokenBy: readonly string[];
}

export type ListRulesRequest = Readonly<Record<never, never>>;

export interface ListRulesResponse {
  readonly rules: readonly PlacementRule[];
}

export interface HostGroup {
  readonly name: string;
  /** By name or id. */
  readonly hosts: readonly string[];
}

export type ListGroupsRequest = Readonly<Record<never, never>>;

export interface ListGroupsResponse {
  readonly groups: readonly HostGroup[];
}

export interface RemoveByNameRequest {
  readonly name: string;
}

export type RemoveResponse = Readonly<Record<never, never>>;

export interface BalanceRequest {
  readonly dryRun: boolean;
  readonly idempotencyKey: string;
}

export interface BalanceResponse {
  readonly moves: readonly DrainMove[];
  /** How uneven it is, and would be: 0 all equal. */
  readonly before: number;
  readonly after: number;
  /** Why nothing is to be done, or what for. */
  readonly line: string;
  readonly operation?: Operation;
}

export type Role = 'ROLE_UNSPECIFIED' | 'ROLE_VIEW' | 'ROLE_OPERATE' | 'ROLE_ADMIN';

export type WhoAmIRequest = Readonly<Record<never, never>>;

export interface Identity {
  /** Empty: nobody; log in. */
  readonly user: string;
  readonly role: Role;
  /** certificate, session, token */
  readonly by: string;
  readonly endsAtMs: number;
  readonly clusterId: string;
  readonly clusterName: string;
}

export interface LoginRequest {
  readonly user: string;
  /** Secret. */
  readonly password: string;
}

export interface LoginResponse {
  /** Secret; `authorization: Bearer …`. */
  readonly token: string;
  readonly identity?: Identity;
}

export type LogoutRequest = Readonly<Record<never, never>>;

export type LogoutResponse = Readonly<Record<never, never>>;

export interface User {
  readonly name: string;
  readonly role: Role;
  readonly createdAtMs: number;
  readonly hasPassword: boolean;
}

export type ListUsersRequest = Readonly<Record<never, never>>;

export interface ListUsersResponse {
  readonly users: readonly User[];
}

export interface PutUserRequest {
  readonly name: string;
  /** Unspecified: as it is. */
  readonly role: Role;
  /** Secret; empty: as it is. */
  readonly password: string;
}

export interface CreateTokenRequest {
  /** For people: what it is for. */
  readonly name: string;
  readonly role: Role;
  /** 0: a year. */
  readonly validMs: number;
}

export interface CreateTokenResponse {
  readonly tokenId: string;
  /** Secret; shown this once. */
  readonly token: string;
  readonly endsAtMs: number;
}

export type ListTokensRequest = Readonly<Record<never, never>>;

export interface ListTokensResponse {
  readonly tokens: readonly Token[];
}

export interface Token {
  readonly tokenId: string;
  readonly name: string;
  readonly user: string;
  readonly role: Role;
  readonly createdAtMs: number;
  readonly endsAtMs: number;
  readonly usedAtMs: number;
}

export interface RevokeTokenRequest {
  readonly tokenId: string;
}
