/** What agents say; the messages of proto/godwit/v1/agent.proto as plain data. */
import type { HostFacts, VmFacts } from '@godwit/migration';
import type { VmPlace, VmSpec } from './spec';

/** `unknown` is never reported: it is what the controller says of a host that is silent. */
export type VmState = 'starting' | 'running' | 'paused' | 'suspended' | 'stopped' | 'incoming' | 'unknown';

export interface VmmReport {
  readonly vmmId: string;
  readonly vmId: string;
  readonly name: string;
  readonly place: VmPlace | undefined;
  readonly state: VmState;
  readonly epoch: number;
  /** Why it does not run. */
  readonly pauses: readonly string[];
  readonly line: string;
  /** power-off, reset, stopped, triple-fault, error, migrated, suspended; empty while there is a VM. */
  readonly ended: string;
  readonly silent: boolean;
  readonly orderId: string;
  readonly incomingMigrationId: string;
  /** The migration under way. */
  readonly migrationId: string;
  readonly startedAtMs: number;
  readonly facts: Omit<VmFacts, 'state'> | undefined;
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
  /** http://HOST:PORT or https://HOST:PORT; empty or left out: it serves none. */
  readonly metricsAddress?: string;
}

export interface LeaseView {
  readonly epoch: number;
  readonly ownerHostId: string;
  readonly ownerHostName: string;
  readonly stillMs: number;
  readonly leaseMs: number;
}

export interface VmFolder {
  readonly folder: string;
  /** Undefined: it cannot be read. */
  readonly spec: VmSpec | undefined;
  readonly suspended: boolean;
  readonly lease: LeaseView | undefined;
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

/** A source's record (migration/statistics.ts); the core looks only at these fields and hands the rest on. */
export interface SourceRecord {
  readonly migrationId: string;
  readonly vmId: string;
  readonly phase: string;
  readonly vmIs: string;
  /** Empty while it runs. */
  readonly outcome: string;
  readonly line: string;
}

export interface MigrationReport {
  readonly migrationId: string;
  readonly vmId: string;
  readonly side: 'source' | 'target';
  readonly record: SourceRecord | undefined;
  readonly targetPhase: string;
  /** runs, discarded, lost; empty while it runs. */
  readonly targetOutcome: string;
  readonly line: string;
}

export type OrderState = 'working' | 'done' | 'failed' | 'refused' | 'unknown';

export interface OrderResult {
  readonly orderId: string;
  readonly state: OrderState;
  readonly code: string;
  readonly line: string;
  readonly progress: number;
  readonly vmm?: VmmReport;
  /** Of PrepareIncoming. The token is secret. */
  readonly waiting?: { readonly vmm: VmmReport | undefined; readonly address: string; readonly token: string };
  readonly folder?: VmFolder;
  readonly migration?: SourceRecord;
}

export interface Hello {
  readonly bootId: string;
  readonly agentId: string;
  readonly agentVersion: string;
  readonly host: HostReport;
  readonly vmms: readonly VmmReport[];
  readonly datastores: readonly DatastoreReport[];
  readonly results: readonly OrderResult[];
  readonly migrations: readonly MigrationReport[];
}
