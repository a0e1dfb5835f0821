/** What the target's machine (target-machine.ts) knows, hears and orders. */
import type { TargetPhase } from './phases';
import type { LeaseVerdict } from './ports';
import type { OfferMessage, SourceMessage, TargetMessage } from './protocol';
import type { VmPlace } from './statistics';
import type { Sum } from './stream/page-sum';

/** What has arrived, as the decoder counts it: comes with every message. */
export interface Arrived {
  readonly messages: number;
  readonly pages: number;
  readonly sum: Sum;
  readonly stateBytes: number;
  readonly stateSum: Sum;
}

export type TargetEvent = { readonly at: number } & (
  | { readonly type: 'start' | 'pagesTaken' | 'reserved' | 'restored' | 'started' | 'announced' | 'discarded' | 'tick' }
  | { readonly type: 'message'; readonly message: SourceMessage; readonly arrived: Arrived }
  | { readonly type: 'checked'; readonly version: number; readonly blockers: readonly string[] }
  | { readonly type: 'verdict'; readonly verdict: LeaseVerdict }
  | { readonly type: 'cancel' | 'failed' | 'closed' | 'startFailed'; readonly why: string }
);

export type TargetCommand =
  | { readonly do: 'send'; readonly message: TargetMessage }
  /** Compare the offer with this host. Answer: checked. */
  | { readonly do: 'check'; readonly offer: OfferMessage }
  /** Answer: reserved. */
  | { readonly do: 'reserve'; readonly offer: OfferMessage }
  /** Answer: restored. */
  | { readonly do: 'restore' }
  /** Answer: verdict. */
  | { readonly do: 'watchLease'; readonly migrationId: string }
  | { readonly do: 'lookAtLease' }
  | { readonly do: 'unwatchLease' }
  /** Answer: started or startFailed. */
  | { readonly do: 'startVm'; readonly epoch: number; readonly userPaused: boolean; readonly afterMs: number }
  /** Answer: announced, whatever happens. */
  | { readonly do: 'announce' }
  /** Answer: discarded, whatever happens. */
  | { readonly do: 'discardVm' }
  | { readonly do: 'close' }
  | { readonly do: 'trace'; readonly name: string; readonly line: string };

export interface TargetState {
  readonly phase: TargetPhase;
  /** A 'tick' is due then. */
  readonly deadline: number;
  readonly offer: OfferMessage | null;
  /** The lease is being watched. */
  readonly watching: boolean;
  readonly userPaused: boolean;
  readonly epoch: number;
  readonly startTries: number;
  /** The connection has ended. */
  readonly sourceGone: boolean;
  readonly announced: boolean;
  readonly cancelWhy: string | null;
  readonly vmIs: VmPlace;
  readonly outcome: 'completed' | 'cancelled' | 'failed' | null;
  readonly line: string;
  readonly sum: Sum;
  /** When what happened, on the clock of the events. */
  readonly marks: {
    readonly started?: number;
    readonly reserved?: number;
    readonly pausing?: number;
    readonly complete?: number;
    readonly ready?: number;
    readonly acquired?: number;
    readonly running?: number;
    readonly ended?: number;
  };
}

export interface TargetStep {
  readonly state: TargetState;
  readonly commands: readonly TargetCommand[];
}
