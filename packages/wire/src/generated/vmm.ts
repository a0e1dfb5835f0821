// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.
import type { MigrationRecord, MigrationSettingsChange, VmFacts } from './types';

export type GetVmmStatusRequest = Readonly<Record<never, never>>;

export interface WatchVmmStatusRequest {
  readonly intervalMs: number;
}

export interface VmmStatus {
  readonly vm?: VmFacts;
  /** Why it does not run, empty if it does: operator, storage, lease, save, restore, migration. */
  readonly pauses: readonly string[];
  /** One line for people; about storage, lease or the end. */
  readonly line: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly vmmId: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly leaseEpoch: number;
  /** Empty: none under way. */
  readonly migrationId: string;
  /** HOST:PORT where this process takes part in migrations; empty: nowhere. */
  readonly migrationAddress: string;
  /** power-off, reset, stopped, triple-fault, error, migrated, suspended; empty while there is a VM. */
  readonly ended: string;
}

export type GetVmmStatsRequest = Readonly<Record<never, never>>;

export interface VmmStats {
  readonly counters: Readonly<Record<string, number>>;
}

export type PauseRequest = Readonly<Record<never, never>>;

export type ResumeRequest = Readonly<Record<never, never>>;

export type PowerButtonRequest = Readonly<Record<never, never>>;

export type ResetRequest = Readonly<Record<never, never>>;

export type PowerOffRequest = Readonly<Record<never, never>>;

export type SuspendRequest = Readonly<Record<never, never>>;

export interface SuspendResponse {
  readonly stateBytes: number;
  readonly pauseMs: number;
}

export interface ConsoleInput {
  readonly data: Buffer;
}

export interface ConsoleOutput {
  readonly data: Buffer;
}

export interface MigrateVmRequest {
  /** A UUID; empty: the VMM makes one. */
  readonly migrationId: string;
  /** HOST:PORT of the waiting VMM. */
  readonly targetAddress: string;
  /** As `Expect` gave it. */
  readonly token: string;
  readonly settings?: MigrationSettingsChange;
  /** For the record. */
  readonly targetHost: string;
  /** Only compares; nothing is reserved or sent. */
  readonly dryRun: boolean;
}

export interface WatchMigrationRequest {
  readonly migrationId: string;
}

export interface ChangeMigrationRequest {
  readonly migrationId: string;
  readonly settings?: MigrationSettingsChange;
}

export interface CancelMigrationRequest {
  readonly migrationId: string;
  readonly why: string;
}

export type ListMigrationsRequest = Readonly<Record<never, never>>;

export interface ListMigrationsResponse {
  readonly migrations: readonly MigrationRecord[];
}

export interface ExpectRequest {
  /** Empty: any, for two terminals. */
  readonly migrationId: string;
  readonly vmId: string;
}

export interface ExpectResponse {
  readonly address: string;
  /** Good for one migration. Secret. */
  readonly token: string;
}

export interface CallRequest {
  readonly migrationId: string;
  readonly token: string;
  readonly sourceAddress: string;
}

export type CallResponse = Readonly<Record<never, never>>;
