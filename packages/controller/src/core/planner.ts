/** Where VMs may and should go: what the core asks of the scheduler. */
import type { ClusterState, Host, Vm } from './state';

export interface Verdict {
  readonly hostId: string;
  readonly name: string;
  readonly blockers: readonly { readonly code: string; readonly message: string }[];
  readonly instead: readonly string[];
  readonly missingFeatures: readonly string[];
  readonly missingUsedFeatures: readonly string[];
  readonly score: number;
  readonly reasons: readonly string[];
}

export interface PlaceRequest {
  readonly vm: Vm;
  /** live: it runs and is moved; resume: from its saved state; start: anew. */
  readonly move: 'live' | 'resume' | 'start';
  /** Only this one; empty: any. */
  readonly hostId: string;
  readonly exclude: ReadonlySet<string>;
  /** Soft rules may be broken, and the host may be chosen against the scores. */
  readonly force: boolean;
  /** Every host is looked at with all its reasons, also if one is found: for people. */
  readonly explain?: boolean;
  readonly purpose?: 'operator' | 'drain' | 'balance' | 'restart';
}

export interface Placement {
  /** Every host that was looked at. */
  readonly hosts: readonly Verdict[];
  /** Empty: none. */
  readonly hostId: string;
  /** Why that one, or why none. */
  readonly line: string;
}

export interface PlannedMove {
  readonly vmId: string;
  readonly toHostId: string;
  readonly line: string;
  /** Left out: live. */
  readonly how?: 'live' | 'suspend' | 'stop';
}

export interface DrainPlan {
  readonly blockers: readonly { readonly vmId: string; readonly hosts: readonly Verdict[]; readonly line: string }[];
  readonly moves: readonly PlannedMove[];
}

export interface BalancePlan {
  readonly moves: readonly PlannedMove[];
  readonly before: number;
  readonly after: number;
  readonly line: string;
}

export interface Planner {
  /** An entry of the state is no longer as it was; 'cluster': rules, groups, baseline or settings. */
  touched?(what: 'vm' | 'host' | 'cluster', id: string): void;
  place(state: ClusterState, request: PlaceRequest, now: number): Placement;
  drain(state: ClusterState, host: Host, now: number, otherwise?: 'suspend' | 'stop' | 'leave'): DrainPlan;
  balance(state: ClusterState, now: number): BalancePlan;
}
