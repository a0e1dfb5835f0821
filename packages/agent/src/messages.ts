/**
 * The messages of proto/godwit/v1 as the agent handles them: camelCase, enums by name, 64-bit numbers as
 * numbers. Only the fields that are looked at here; the rest travels along untouched.
 */
import type { HostFacts } from '@godwit/migration';

export interface VmPlace {
  readonly datastoreId: string;
  readonly folder: string;
}

export interface DiskOfVm {
  readonly place: VmPlace;
  readonly file: string;
  readonly linked?: boolean;
}

export interface DiskOrigin {
  readonly blank?: boolean;
  readonly image?: string;
  readonly copy?: DiskOfVm | null;
}

export interface VmDiskSpec {
  readonly file: string;
  readonly bus: string;
  readonly readOnly: boolean;
  readonly sizeBytes: number;
  readonly format: string;
  readonly origin?: DiskOrigin | null;
}

export interface VmBoot {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly commandLine?: string;
  readonly kernelOrigin?: string;
  readonly initrdOrigin?: string;
}

export interface VmSpec {
  readonly vmId: string;
  readonly name: string;
  readonly memoryBytes: number;
  readonly vcpus: number;
  readonly cpuFeatures: readonly string[];
  readonly disks: readonly VmDiskSpec[];
  readonly networks: readonly { readonly network: string; readonly adapter: string; readonly mac: string }[];
  readonly boot?: VmBoot | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly restart: string;
  readonly migration?: Readonly<Record<string, unknown>> | null;
  readonly reservedMemoryBytes: number;
  readonly machineVersion: number;
  readonly priority: number;
}

/** VmmStatus (vmm.proto). */
export interface VmmStatus {
  readonly vm?: {
    readonly vmId: string;
    readonly name: string;
    readonly state: string;
    readonly memoryBytes?: number;
    readonly vcpus?: number;
    readonly usedFeatures?: readonly string[];
  } | null;
  readonly pauses: readonly string[];
  readonly line: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly vmmId: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly leaseEpoch: number;
  readonly migrationId: string;
  readonly migrationAddress: string;
  readonly ended: string;
}

/** MigrationRecord (types.proto). */
export interface MigrationRecord {
  readonly migrationId: string;
  readonly vmId: string;
  readonly phase: string;
  readonly vmIs: string;
  /** Empty while it runs. */
  readonly outcome: string;
  readonly line: string;
  readonly dirtyBytesPerSecond?: number;
}

export interface VmmReport {
  readonly vmmId: string;
  readonly place?: VmPlace;
  readonly status: VmmStatus;
  readonly silent: boolean;
  readonly orderId: string;
  readonly incomingMigrationId: string;
  readonly cpuUsed: number;
  readonly dirtyBytesPerSecond: number;
}

export interface HostLoad {
  readonly cpuUsed: number;
  readonly load1m: number;
  readonly memoryUsedBytes: number;
  readonly networkRxBytesPerSecond: number;
  readonly networkTxBytesPerSecond: number;
  readonly migrationsIn: number;
  readonly migrationsOut: number;
  readonly memoryPressure: number;
  readonly cpuPressure: number;
}

export interface HostReport {
  readonly facts: HostFacts;
  readonly load: HostLoad;
  readonly warnings: readonly string[];
  readonly totalMemoryBytes: number;
  readonly migrationHost: string;
  readonly metricsAddress: string;
}

export interface LeaseView {
  readonly epoch: number;
  readonly ownerHostId: string;
  readonly ownerHostName: string;
  readonly ownerVmmId: string;
  readonly stillMs: number;
  readonly leaseMs: number;
}

export interface VmFolder {
  readonly folder: string;
  readonly spec?: VmSpec;
  readonly suspended: boolean;
  readonly lease?: LeaseView;
  readonly line: string;
}

export interface DatastoreReport {
  readonly datastoreId: string;
  readonly where: string;
  readonly name: string;
  readonly reachable: boolean;
  readonly line: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly vms: readonly VmFolder[];
  readonly vmsListed: boolean;
  readonly vmsMore: boolean;
}

export interface MigrationReport {
  readonly migrationId: string;
  readonly vmId: string;
  readonly side: 'source' | 'target';
  readonly record?: MigrationRecord;
  readonly targetPhase: string;
  readonly targetOutcome: string;
  readonly line: string;
}

export type OrderState = 'ORDER_STATE_WORKING' | 'ORDER_STATE_DONE' | 'ORDER_STATE_FAILED' | 'ORDER_STATE_REFUSED' | 'ORDER_STATE_UNKNOWN';

/** What an order answers besides its state. */
export interface OrderAnswer {
  readonly vmm?: VmmReport;
  readonly waiting?: { readonly vmm: VmmReport; readonly address: string; readonly token: string };
  readonly folder?: VmFolder;
  readonly saved?: { readonly stateBytes: number; readonly pauseMs: number };
  readonly migration?: MigrationRecord;
}

export interface OrderResult extends OrderAnswer {
  readonly orderId: string;
  readonly state: OrderState;
  readonly code: string;
  readonly line: string;
  readonly progress: number;
}

/** The bodies of Order by their field's name. */
export interface OrderBodies {
  readonly start: {
    readonly place: VmPlace;
    readonly spec: VmSpec;
    readonly takeOver: boolean;
    readonly paused: boolean;
    readonly discardSavedState: boolean;
  };
  readonly stop: { readonly how: 'HOW_UNSPECIFIED' | 'BUTTON' | 'KILL' };
  readonly reset: object;
  readonly pause: object;
  readonly resume: object;
  readonly suspend: object;
  readonly resumeSuspended: { readonly place: VmPlace; readonly spec: VmSpec; readonly takeOver: boolean };
  readonly prepareIncoming: { readonly migrationId: string; readonly place: VmPlace; readonly spec: VmSpec; readonly waitMs: number };
  readonly dropIncoming: { readonly migrationId: string };
  readonly migrateOut: {
    readonly migrationId: string;
    readonly targetAddress: string;
    readonly token: string;
    readonly settings?: object | null;
    readonly targetHost: string;
  };
  readonly changeMigration: { readonly migrationId: string; readonly settings?: object | null };
  readonly cancelMigration: { readonly migrationId: string; readonly why: string };
  readonly create: { readonly place: VmPlace; readonly spec: VmSpec };
  readonly change: { readonly place: VmPlace; readonly spec: VmSpec; readonly growDisks: Readonly<Record<string, number>> };
  readonly remove: { readonly place: VmPlace };
  readonly openConsole: { readonly consoleId: string; readonly console: string };
  readonly setMaintenance: { readonly maintenance: boolean };
}
export type OrderKind = keyof OrderBodies;

export interface Order<K extends OrderKind = OrderKind> {
  readonly orderId: string;
  readonly term: number;
  readonly operationId: string;
  readonly vmId: string;
  readonly timeMs: number;
  readonly kind: K;
  readonly body: OrderBodies[K];
}

export interface Welcome {
  readonly protocol: number;
  readonly term: number;
  readonly controllerId: string;
  readonly controllerVersion: string;
  readonly reportIntervalMs: number;
  readonly countersIntervalMs: number;
  readonly controllers: readonly string[];
  readonly maintenance: boolean;
}

export interface AskReport {
  readonly host: boolean;
  readonly vmms: boolean;
  readonly datastoreIds: readonly string[];
}
