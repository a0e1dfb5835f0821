// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.

export type Severity = 'SEVERITY_UNSPECIFIED' | 'SEVERITY_INFO' | 'SEVERITY_WARNING' | 'SEVERITY_ERROR';

export interface Event {
  /** Position in the timeline: grows, may have gaps. As decimal digits; to be handed back, not to be reckoned with. */
  readonly cursor: string;
  /** A UUID: the same event delivered twice has the same. */
  readonly eventId: string;
  readonly atMs: number;
  /** vm.started, host.unreachable, migration.completed, … */
  readonly kind: string;
  readonly severity: Severity;
  /** One sentence for people; about a migration it says where the VM runs. */
  readonly line: string;
  /** What it is about; empty where it does not apply. */
  readonly vmId: string;
  readonly vmName: string;
  readonly hostId: string;
  readonly hostName: string;
  readonly migrationId: string;
  readonly operationId: string;
  /** Who asked: a user's name; `agent`, `controller` for what they do by themselves. */
  readonly actor: string;
  /** What it follows from: operator, drain, balance, restart, policy, report. */
  readonly cause: string;
  /** The event that led to this one, if there is one. */
  readonly causeEventId: string;
  /** The controller's term when it was written. */
  readonly term: number;
  /** Figures and names that the line was made of. */
  readonly attributes: Readonly<Record<string, string>>;
}
