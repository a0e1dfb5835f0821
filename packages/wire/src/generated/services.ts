// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.
import type { Bidi, ServerStream, Unary } from '../schema/kinds';
import type { AgentConsole, AgentMessage, ControllerConsole, ControllerMessage, JoinRequest, JoinResponse, RenewRequest, RenewResponse } from './agent';
import type { ApplyBaselineRequest, BalanceRequest, BalanceResponse, Baseline, CancelOperationRequest, ChangeSettingsRequest, ChangeVmRequest, CloneVmRequest, ClusterSettings, ClusterStatus, ComputeBaselineRequest, ConsoleRequest, ConsoleResponse, CreateJoinTokenRequest, CreateJoinTokenResponse, CreateTokenRequest, CreateTokenResponse, CreateVmRequest, DrainHostRequest, DrainHostResponse, FindMigrationsRequest, FindMigrationsResponse, GetBaselineRequest, GetSettingsRequest, GetStatusRequest, GetVmRequest, Host, HostChange, HostGroup, HostRequest, Identity, ListEventsRequest, ListEventsResponse, ListGroupsRequest, ListGroupsResponse, ListHostsRequest, ListHostsResponse, ListOperationsRequest, ListOperationsResponse, ListRulesRequest, ListRulesResponse, ListTokensRequest, ListTokensResponse, ListUsersRequest, ListUsersResponse, ListVmsRequest, ListVmsResponse, LoginRequest, LoginResponse, LogoutRequest, LogoutResponse, MigrateRequest, MigrateResponse, MigrationChange, MigrationRequest, MigrationView, Operation, OperationRequest, PlacementRule, PutRuleResponse, PutUserRequest, RemoveByNameRequest, RemoveHostRequest, RemoveHostResponse, RemoveResponse, RemoveVmRequest, RevokeTokenRequest, StartVmRequest, StopVmRequest, User, Vm, VmChange, VmRequest, WhoAmIRequest } from './controller';
import type { Event } from './event';
import type { MigrationData } from './migration';
import type { MigrationRecord } from './types';
import type { CallRequest, CallResponse, CancelMigrationRequest, ChangeMigrationRequest, ConsoleInput, ConsoleOutput, ExpectRequest, ExpectResponse, GetVmmStatsRequest, GetVmmStatusRequest, ListMigrationsRequest, ListMigrationsResponse, MigrateVmRequest, PauseRequest, PowerButtonRequest, PowerOffRequest, ResetRequest, ResumeRequest, SuspendRequest, SuspendResponse, VmmStats, VmmStatus, WatchMigrationRequest, WatchVmmStatusRequest } from './vmm';

/** Every service, with its methods by their names in TypeScript. */
export interface Services {
  readonly Agents: {
    /** Without a client's certificate. PERMISSION_DENIED: the token is wrong, used, or too old. */
    readonly join: Unary<JoinRequest, JoinResponse>;
    /** A new certificate for the caller's own host, before the old one ends; sessions go on. */
    readonly renew: Unary<RenewRequest, RenewResponse>;
    readonly session: Bidi<AgentMessage, ControllerMessage>;
    /** Opened by the agent when it is ordered to (OpenConsole): bytes of one console, both ways. */
    readonly console: Bidi<AgentConsole, ControllerConsole>;
  };
  readonly Vms: {
    readonly createVm: Unary<CreateVmRequest, Operation>;
    readonly getVm: Unary<GetVmRequest, Vm>;
    readonly listVms: Unary<ListVmsRequest, ListVmsResponse>;
    readonly watchVms: ServerStream<ListVmsRequest, VmChange>;
    readonly startVm: Unary<StartVmRequest, Operation>;
    readonly stopVm: Unary<StopVmRequest, Operation>;
    readonly suspendVm: Unary<VmRequest, Operation>;
    /** Out of `suspended` or `paused`, whichever it is. */
    readonly resumeVm: Unary<VmRequest, Operation>;
    readonly pauseVm: Unary<VmRequest, Operation>;
    readonly resetVm: Unary<VmRequest, Operation>;
    /** The VM that is copied must not run. */
    readonly cloneVm: Unary<CloneVmRequest, Operation>;
    /**
     * What may change while it runs (labels, restart, migration, priority, reservation) changes at once; the rest
     * needs a stopped VM: `wrong-state`.
     */
    readonly changeVm: Unary<ChangeVmRequest, Operation>;
    readonly removeVm: Unary<RemoveVmRequest, Operation>;
    /** The serial port or the screen. The first message names the VM. After a migration the stream goes on with the VM. */
    readonly console: Bidi<ConsoleRequest, ConsoleResponse>;
  };
  readonly Hosts: {
    readonly getHost: Unary<HostRequest, Host>;
    readonly listHosts: Unary<ListHostsRequest, ListHostsResponse>;
    readonly watchHosts: ServerStream<ListHostsRequest, HostChange>;
    /** A command for the new host, with its one-time token. */
    readonly createJoinToken: Unary<CreateJoinTokenRequest, CreateJoinTokenResponse>;
    /** Moves every VM away and lets none come. With dry_run only the plan: blockers first. */
    readonly drainHost: Unary<DrainHostRequest, DrainHostResponse>;
    /** Ends maintenance; VMs may come again. Cancels a drain under way. */
    readonly resumeHost: Unary<HostRequest, Host>;
    /** Forgets the host and refuses its certificate. Needs an empty host, or `force` for one that is dead. */
    readonly removeHost: Unary<RemoveHostRequest, RemoveHostResponse>;
  };
  readonly Migrations: {
    /** With dry_run: every host, with every reason against it, and which would be chosen. */
    readonly migrate: Unary<MigrateRequest, MigrateResponse>;
    readonly getMigration: Unary<MigrationRequest, MigrationView>;
    /** The newest first. */
    readonly listMigrations: Unary<FindMigrationsRequest, FindMigrationsResponse>;
    readonly watchMigrations: ServerStream<FindMigrationsRequest, MigrationChange>;
    /** One migration until it has ended. */
    readonly watchMigration: ServerStream<MigrationRequest, MigrationView>;
    readonly changeMigration: Unary<ChangeMigrationRequest, MigrationView>;
    /** In any phase; says where the VM runs. After the commit it is too late, and the answer says that. */
    readonly cancelMigration: Unary<CancelMigrationRequest, MigrationView>;
  };
  readonly Operations: {
    readonly getOperation: Unary<OperationRequest, Operation>;
    /** The newest first. */
    readonly listOperations: Unary<ListOperationsRequest, ListOperationsResponse>;
    /** Until it has ended. */
    readonly watchOperation: ServerStream<OperationRequest, Operation>;
    /** Those that have begun to copy or move are cancelled where they are; the answer says what became of it. */
    readonly cancelOperation: Unary<CancelOperationRequest, Operation>;
  };
  readonly Events: {
    /** The newest last. */
    readonly listEvents: Unary<ListEventsRequest, ListEventsResponse>;
    /** What matches and is newer than `after`, then what comes. Without `after`: only what comes. */
    readonly watchEvents: ServerStream<ListEventsRequest, Event>;
  };
  readonly Cluster: {
    readonly getStatus: Unary<GetStatusRequest, ClusterStatus>;
    readonly getSettings: Unary<GetSettingsRequest, ClusterSettings>;
    /** Complete, as they are to be. */
    readonly changeSettings: Unary<ChangeSettingsRequest, ClusterSettings>;
    /** The CPU features that all hosts have, and what that costs each. */
    readonly computeBaseline: Unary<ComputeBaselineRequest, Baseline>;
    /** For VMs that start from now on; running ones keep what they have, and the answer names those that need a restart. */
    readonly applyBaseline: Unary<ApplyBaselineRequest, Baseline>;
    readonly getBaseline: Unary<GetBaselineRequest, Baseline>;
    readonly listRules: Unary<ListRulesRequest, ListRulesResponse>;
    /** Makes or replaces the one of that name. */
    readonly putRule: Unary<PlacementRule, PutRuleResponse>;
    readonly removeRule: Unary<RemoveByNameRequest, RemoveResponse>;
    readonly listGroups: Unary<ListGroupsRequest, ListGroupsResponse>;
    readonly putGroup: Unary<HostGroup, HostGroup>;
    readonly removeGroup: Unary<RemoveByNameRequest, RemoveResponse>;
    readonly balance: Unary<BalanceRequest, BalanceResponse>;
  };
  readonly Access: {
    /** No role is needed for these two. */
    readonly whoAmI: Unary<WhoAmIRequest, Identity>;
    readonly login: Unary<LoginRequest, LoginResponse>;
    readonly logout: Unary<LogoutRequest, LogoutResponse>;
    readonly listUsers: Unary<ListUsersRequest, ListUsersResponse>;
    readonly putUser: Unary<PutUserRequest, User>;
    readonly removeUser: Unary<RemoveByNameRequest, RemoveResponse>;
    /** A token for a program. */
    readonly createToken: Unary<CreateTokenRequest, CreateTokenResponse>;
    readonly listTokens: Unary<ListTokensRequest, ListTokensResponse>;
    readonly revokeToken: Unary<RevokeTokenRequest, RemoveResponse>;
  };
  readonly Migration: {
    /**
     * UNAUTHENTICATED: no certificate, or not of this cluster. NOT_FOUND: no such migration is expected here.
     * PERMISSION_DENIED: the token is wrong or used, or another host was to call. RESOURCE_EXHAUSTED: a message is too long.
     */
    readonly exchange: Bidi<MigrationData, MigrationData>;
  };
  readonly Vmm: {
    readonly getStatus: Unary<GetVmmStatusRequest, VmmStatus>;
    /** What is now, then whatever changes; at least one message each `interval_ms`. */
    readonly watchStatus: ServerStream<WatchVmmStatusRequest, VmmStatus>;
    /** The engine's and devices' counters, by their names in docs/metrics.md without the prefix. */
    readonly getStats: Unary<GetVmmStatsRequest, VmmStats>;
    /** The operator's pause: kept over suspend and migration. */
    readonly pause: Unary<PauseRequest, VmmStatus>;
    readonly resume: Unary<ResumeRequest, VmmStatus>;
    /** Presses the power button: the guest decides. */
    readonly powerButton: Unary<PowerButtonRequest, VmmStatus>;
    /** The machine's reset line. */
    readonly reset: Unary<ResetRequest, VmmStatus>;
    /** Pulls the plug; the process ends. */
    readonly powerOff: Unary<PowerOffRequest, VmmStatus>;
    /** Writes the VM's state beside its disks; the process ends. On failure the VM goes on. */
    readonly suspend: Unary<SuspendRequest, SuspendResponse>;
    /** The serial port. First the last lines that were printed, then live; several may look and type at a time. */
    readonly console: Bidi<ConsoleInput, ConsoleOutput>;
    /**
     * Starts to move the VM; streams its record at each change, at most ten a second, the last one when it has
     * ended. Giving up the call does not cancel the migration.
     */
    readonly migrate: ServerStream<MigrateVmRequest, MigrationRecord>;
    readonly watchMigration: ServerStream<WatchMigrationRequest, MigrationRecord>;
    readonly changeMigration: Unary<ChangeMigrationRequest, MigrationRecord>;
    readonly cancelMigration: Unary<CancelMigrationRequest, MigrationRecord>;
    /** Those that this process has taken part in as their source, the newest first. */
    readonly listMigrations: Unary<ListMigrationsRequest, ListMigrationsResponse>;
    /** On a process that waits for its VM: who may bring it. Answers where to send it. */
    readonly expect: Unary<ExpectRequest, ExpectResponse>;
  };
  /** Served by a waiting VMM on its TCP port, mTLS: the source asks the target to call. */
  readonly Incoming: {
    /** The target calls `source_address` back (service Migration) with the same token. */
    readonly call: Unary<CallRequest, CallResponse>;
  };
}

export type ServiceName = keyof Services;
