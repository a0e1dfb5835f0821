// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.
import type { VmPlace, VmSpec } from './spec';
import type { HostFacts, MigrationRecord, MigrationSettingsChange } from './types';
import type { VmmStatus } from './vmm';

export interface JoinRequest {
  /** Secret, good once. */
  readonly token: string;
  /** PKCS #10, PEM. */
  readonly csrPem: string;
  /** The host's own UUID, kept in its state folder; a host that joins again keeps it. */
  readonly hostId: string;
  readonly hostName: string;
}

export interface JoinResponse {
  readonly hostId: string;
  readonly certificatePem: string;
  /** The cluster's CA, and during its exchange the old one too. */
  readonly caPem: string;
  /** HOST:PORT of the controllers. */
  readonly controllers: readonly string[];
}

export interface RenewRequest {
  readonly csrPem: string;
}

export interface RenewResponse {
  readonly certificatePem: string;
  readonly caPem: string;
}

export interface AgentMessage {
  /** The term of the session that this is said in; 0 in Hello. */
  readonly term: number;
  /** First, and only once a session. */
  readonly hello?: Hello;
  /** At least each Welcome.report_interval_ms: also the agent's sign of life. */
  readonly host?: HostReport;
  /** One VMM has changed, appeared, or ended. */
  readonly vmm?: VmmReport;
  /** At each change, at most ten a second; the last one has an outcome. */
  readonly migration?: MigrationReport;
  readonly result?: OrderResult;
  /** At most each Welcome.counters_interval_ms. */
  readonly counters?: CountersReport;
  /** What lies in a datastore, when it changed or was asked for. */
  readonly datastore?: DatastoreReport;
  /** Which of them is set. */
  readonly kind?: 'hello' | 'host' | 'vmm' | 'migration' | 'result' | 'counters' | 'datastore';
}

export interface Hello {
  readonly protocol: number;
  readonly agentVersion: string;
  /** Of the kernel: another one than before means that nothing of before runs there. */
  readonly bootId: string;
  /** One start of the agent. */
  readonly agentId: string;
  readonly host?: HostReport;
  /** Every VMM process that is on this host, also those waiting for a VM and those that nobody ordered. */
  readonly vmms: readonly VmmReport[];
  /** Every datastore that is configured here. What lies in it is not listed: the controller asks one host for that. */
  readonly datastores: readonly DatastoreReport[];
  /** Results that no controller has acknowledged yet, and orders still being worked on. */
  readonly results: readonly OrderResult[];
  /** Migrations that have ended since they were last acknowledged, and those under way, seen from this host. */
  readonly migrations: readonly MigrationReport[];
  /** The highest term this agent has obeyed. */
  readonly highestTerm: number;
}

export interface HostReport {
  readonly facts?: HostFacts;
  readonly load?: HostLoad;
  /** One line each: a datastore that hangs, a bridge that is down, a clock that is off. */
  readonly warnings: readonly string[];
  readonly totalMemoryBytes: number;
  /** HOST on which VMMs of this host take part in migrations. */
  readonly migrationHost: string;
  /** Where Prometheus finds this host's metrics: http://HOST:PORT or https://HOST:PORT; empty: nowhere. */
  readonly metricsAddress: string;
}

export interface HostLoad {
  /** Of all CPUs together, 0 to 1. */
  readonly cpuUsed: number;
  readonly load1m: number;
  readonly memoryUsedBytes: number;
  readonly networkRxBytesPerSecond: number;
  readonly networkTxBytesPerSecond: number;
  readonly migrationsIn: number;
  readonly migrationsOut: number;
  /** Share of time that somebody waited for memory (PSI some avg10), 0 to 1. */
  readonly memoryPressure: number;
  readonly cpuPressure: number;
}

export interface VmmReport {
  readonly vmmId: string;
  readonly place?: VmPlace;
  /** As the VMM's own WatchStatus gives it. With `ended` set, this is its last report. */
  readonly status?: VmmStatus;
  /** The process is there and does not answer: everything in `status` is what was last known. */
  readonly silent: boolean;
  /** By which order it was started; empty: not known. */
  readonly orderId: string;
  /** Set for a VMM that waits for its VM, or that received it. */
  readonly incomingMigrationId: string;
  /** vCPU time over wall time since the report before, 0 to 1. */
  readonly cpuUsed: number;
  /** Bytes a second that the guest writes to memory, when a migration measured it. */
  readonly dirtyBytesPerSecond: number;
}

export interface DatastoreReport {
  readonly datastoreId: string;
  /** As this host is configured: a path or nfs:// URL. */
  readonly where: string;
  readonly name: string;
  readonly reachable: boolean;
  /** Why not. */
  readonly line: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Every VM in it, whoever runs it, at most 200 a message. Empty with `vms_listed` false: not looked. */
  readonly vms: readonly VmFolder[];
  readonly vmsListed: boolean;
  /** The next DatastoreReport of it goes on with the list. */
  readonly vmsMore: boolean;
}

/** A VM as its folder says. */
export interface VmFolder {
  readonly folder: string;
  readonly spec?: VmSpec;
  /** There is a saved state. */
  readonly suspended: boolean;
  readonly lease?: LeaseView;
  /** The folder cannot be read, or its vm.json is damaged. */
  readonly line: string;
}

/** A VM's lease as one look found it. */
export interface LeaseView {
  /** 0: never held. */
  readonly epoch: number;
  /** Empty: free. */
  readonly ownerHostId: string;
  readonly ownerHostName: string;
  readonly ownerVmmId: string;
  /**
   * How long the heartbeat has stood still while this agent looked, ms; the owner may be taken over once this
   * exceeds the lease and its slack. A lower bound.
   */
  readonly stillMs: number;
  readonly leaseMs: number;
}

export interface MigrationReport {
  readonly migrationId: string;
  readonly vmId: string;
  /** source, target */
  readonly side: string;
  /** Set by the source; its phase and numbers. */
  readonly record?: MigrationRecord;
  /** Set by the target: waiting, checking, agreed, reserving, receiving, restoring, awaiting, starting, announcing, discarding, ended */
  readonly targetPhase: string;
  /** Set by the target once it has ended: runs, discarded, lost. */
  readonly targetOutcome: string;
  readonly line: string;
  /** What the target measured, ms from reading the lease to the vCPU running. */
  readonly startMs?: number;
}

export interface CountersReport {
  /** Since the agent's or the VMM's start; names as in docs/metrics.md without the prefix. */
  readonly host: Readonly<Record<string, number>>;
  readonly vms: readonly VmCounters[];
}

export interface VmCounters {
  readonly vmId: string;
  readonly vmmId: string;
  readonly counters: Readonly<Record<string, number>>;
}

/** How far an order has come. */
export type OrderState = 'ORDER_STATE_UNSPECIFIED' | 'ORDER_STATE_WORKING' | 'ORDER_STATE_DONE' | 'ORDER_STATE_FAILED' | 'ORDER_STATE_REFUSED' | 'ORDER_STATE_UNKNOWN';

export interface OrderResult {
  readonly orderId: string;
  readonly state: OrderState;
  /**
   * Of FAILED and REFUSED, fixed words:
   * old-term      a newer controller has spoken                lease-held    the VM runs, or may run, elsewhere
   * not-here      no such VM or migration on this host         exists        there is one of that name or id
   * wrong-state   the VM is not in a state for that            busy          another order or migration is at it
   * no-memory     the host cannot hold it                      storage       the datastore refused or is away
   * no-network    a network is missing                         image         the origin cannot be read
   * cpu           the host lacks CPU features                  host          another reason of the host
   * time          not done in the order's time                 unsupported   an order this agent does not know
   * cancelled     a later order cancelled it                   internal      a defect; the line names the log
   */
  readonly code: string;
  /** One line for people; says where the VM runs. */
  readonly line: string;
  /** Of StartVm, ResumeSuspended: the VMM. */
  readonly vmm?: VmmReport;
  /** Of PrepareIncoming. */
  readonly waiting?: OrderResultWaitingVmm;
  /** Of CreateVm, ChangeVm: the folder as it now is. */
  readonly folder?: VmFolder;
  readonly saved?: OrderResultSavedState;
  /** Of MigrateOut, ChangeMigration, CancelMigration: the record as it is. */
  readonly migration?: MigrationRecord;
  /** Of CreateVm and others that copy: how far it is, 0 to 1. */
  readonly progress: number;
  /** Which of them is set. */
  readonly answer?: 'vmm' | 'waiting' | 'folder' | 'saved' | 'migration';
}

export interface OrderResultWaitingVmm {
  readonly vmm?: VmmReport;
  /** Where the source is to call. */
  readonly address: string;
  /** Secret, good for this migration; the controller hands it to the source and keeps it nowhere. */
  readonly token: string;
}

export interface OrderResultSavedState {
  readonly stateBytes: number;
  readonly pauseMs: number;
}

export interface ControllerMessage {
  readonly welcome?: Welcome;
  /** The last message: dial one of these. */
  readonly notLeader?: NotLeader;
  readonly order?: Order;
  readonly acknowledge?: Acknowledge;
  readonly ask?: AskReport;
  /** Which of them is set. */
  readonly kind?: 'welcome' | 'notLeader' | 'order' | 'acknowledge' | 'ask';
}

export interface Welcome {
  readonly protocol: number;
  /** Grows with each leader; orders of an older one are refused. */
  readonly term: number;
  readonly controllerId: string;
  readonly controllerVersion: string;
  readonly reportIntervalMs: number;
  readonly countersIntervalMs: number;
  /** Every controller there is, for the next dial. */
  readonly controllers: readonly string[];
  /** The host is in maintenance: HostFacts.maintenance is to say so. */
  readonly maintenance: boolean;
}

export interface NotLeader {
  /** The leader first; empty: none is known, try again. */
  readonly controllers: readonly string[];
}

/** These results and ended migrations are kept by the controller; the agent may forget them. */
export interface Acknowledge {
  readonly orderIds: readonly string[];
  readonly migrationIds: readonly string[];
}

/** Report it now. */
export interface AskReport {
  readonly host: boolean;
  readonly vmms: boolean;
  /** Identities; with their folders' leases. */
  readonly datastoreIds: readonly string[];
}

export interface Order {
  readonly orderId: string;
  readonly term: number;
  /** For logs and events. */
  readonly operationId: string;
  readonly vmId: string;
  /** The agent gives up, and cleans up, after this long; 0: its own limit. */
  readonly timeMs: number;
  readonly start?: StartVm;
  readonly stop?: StopVm;
  readonly reset?: ResetVm;
  readonly pause?: PauseVm;
  readonly resume?: ResumeVm;
  readonly suspend?: SuspendVm;
  readonly resumeSuspended?: ResumeSuspended;
  readonly prepareIncoming?: PrepareIncoming;
  readonly dropIncoming?: DropIncoming;
  readonly migrateOut?: MigrateOut;
  readonly changeMigration?: ChangeMigration;
  readonly cancelMigration?: CancelMigration;
  readonly create?: CreateVm;
  readonly change?: ChangeVm;
  readonly remove?: RemoveVm;
  readonly openConsole?: OpenConsole;
  readonly setMaintenance?: SetMaintenance;
  /** Which of them is set. */
  readonly kind?: 'start' | 'stop' | 'reset' | 'pause' | 'resume' | 'suspend' | 'resumeSuspended' | 'prepareIncoming' | 'dropIncoming' | 'migrateOut' | 'changeMigration' | 'cancelMigration' | 'create' | 'change' | 'remove' | 'openConsole' | 'setMaintenance';
}

/** Done when the VMM holds the lease and its vCPU runs (or is paused, if asked). */
export interface StartVm {
  readonly place?: VmPlace;
  /** What the VMM is to be given; what vm.json says where it is not set. */
  readonly spec?: VmSpec;
  /**
   * The lease's owner is thought dead: wait until its lease has run out, then take over. Without this a lease that is
   * held is refused at once (`lease-held`). An owner that lives is never taken over.
   */
  readonly takeOver: boolean;
  /** The vCPU does not run before a ResumeVm. */
  readonly paused: boolean;
  /** A saved state is thrown away; without this it is refused (`wrong-state`). */
  readonly discardSavedState: boolean;
}

/** Starts the VM from its saved state; done as StartVm. */
export interface ResumeSuspended {
  readonly place?: VmPlace;
  readonly spec?: VmSpec;
  readonly takeOver: boolean;
}

export interface StopVm {
  readonly how: StopVmHow;
}

export type StopVmHow = 'HOW_UNSPECIFIED' | 'BUTTON' | 'KILL';

export type ResetVm = Readonly<Record<never, never>>;

/** Kept over suspend and migration. */
export type PauseVm = Readonly<Record<never, never>>;

export type ResumeVm = Readonly<Record<never, never>>;

/** Done when the state is durable and the VMM has ended. */
export type SuspendVm = Readonly<Record<never, never>>;

/**
 * Starts a VMM that waits for this migration, holding nothing but its memory. It ends by itself when nobody has called
 * within `wait_ms`.
 */
export interface PrepareIncoming {
  readonly migrationId: string;
  readonly place?: VmPlace;
  readonly spec?: VmSpec;
  readonly waitMs: number;
}

/** Ends the VMM that waits for this migration, if it does not run the VM. Done, too, when there is none. */
export interface DropIncoming {
  readonly migrationId: string;
}

/** Done (`migration` set) as soon as the source has begun; MigrationReports follow. */
export interface MigrateOut {
  readonly migrationId: string;
  readonly targetAddress: string;
  /** Secret. */
  readonly token: string;
  readonly settings?: MigrationSettingsChange;
  readonly targetHost: string;
}

export interface ChangeMigration {
  readonly migrationId: string;
  readonly settings?: MigrationSettingsChange;
}

export interface CancelMigration {
  readonly migrationId: string;
  readonly why: string;
}

/** Makes the folder, the disks and what it boots from. WORKING with progress while it copies. On failure nothing remains. */
export interface CreateVm {
  readonly place?: VmPlace;
  readonly spec?: VmSpec;
}

/** Writes vm.json of a VM that does not run; a name in it other than the folder's renames the folder. */
export interface ChangeVm {
  readonly place?: VmPlace;
  readonly spec?: VmSpec;
  /** The disks to grow, by file; others stay as they are. */
  readonly growDisks: Readonly<Record<string, number>>;
}

/** Takes the lease, then removes the folder. Done, too, when there is none. */
export interface RemoveVm {
  readonly place?: VmPlace;
}

export interface OpenConsole {
  /** A secret name: the agent's Console call begins with it. */
  readonly consoleId: string;
  readonly console: ConsoleKind;
}

export type ConsoleKind = 'CONSOLE_KIND_UNSPECIFIED' | 'CONSOLE_KIND_SERIAL' | 'CONSOLE_KIND_SCREEN';

export interface SetMaintenance {
  readonly maintenance: boolean;
}

export interface AgentConsole {
  /** In the first message. */
  readonly consoleId: string;
  readonly data: Buffer;
}

export interface ControllerConsole {
  readonly data: Buffer;
}
