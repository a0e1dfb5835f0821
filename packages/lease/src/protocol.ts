/** What goes in and out of the lease's state machine; see lease.ts. */
import type { Beat, Claim, Owner } from './record';

/** The lease folder as one look found it: the highest claim, then that epoch's heartbeat, in this order. */
export interface Seen {
  /** Highest epoch there is a claim for; 0: none. */
  readonly epoch: number;
  /** Undefined: none, or unreadable. */
  readonly claim: Claim | undefined;
  /** The heartbeat's raw text, '' for none: only compared with the one seen before. */
  readonly beat: string;
}

/**
 * 'won': this very claim was made. 'exists': another (or an earlier copy of this
 * one) holds the epoch. 'unsent': it was not made and never will be. 'unknown':
 * it may have been made, or may yet be.
 */
export type ClaimOutcome = 'won' | 'exists' | 'unsent' | 'unknown';

/** What the shell is to do; it answers with the same id, or never. Its answers need no order. */
export type Command =
  /** Look, past every cache. Answer: `observed`. */
  | { readonly do: 'observe'; readonly id: number }
  /** Create the claim of its epoch exclusively, durably. Answer: `claimed`. */
  | { readonly do: 'claim'; readonly id: number; readonly claim: Claim }
  /** Replace the epoch's heartbeat atomically. Answer: `beaten`. */
  | { readonly do: 'beat'; readonly id: number; readonly beat: Beat }
  /** Remove claims and heartbeats of lower epochs, some time. No answer. */
  | { readonly do: 'tidy'; readonly below: number };

export type LeaseEvent =
  /** The VM is ours and may run while `mayRun` says so. */
  | { readonly event: 'acquired'; readonly epoch: number; readonly takenFrom: Owner | null }
  /** Somebody else has it and is alive, or got it first. */
  | { readonly event: 'refused'; readonly owner: Owner | null }
  /** Stop the vCPU now; `mayResume` or `lost` will follow. */
  | { readonly event: 'mustPause' }
  | { readonly event: 'mayResume'; readonly epoch: number }
  /** Another owner has it (null: nobody): this copy of the VM must never run again. */
  | { readonly event: 'lost'; readonly owner: Owner | null }
  /** The target has it. */
  | { readonly event: 'passed'; readonly epoch: number }
  /** The VM is still ours: `mayRun` is true again, unless a `mustPause` comes with it. */
  | { readonly event: 'passFailed' }
  | { readonly event: 'released'; readonly clean: boolean };

export interface Step {
  readonly commands: readonly Command[];
  readonly events: readonly LeaseEvent[];
}
