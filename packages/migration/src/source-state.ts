/** What the source's machine (source-machine.ts) knows, hears and orders. */
import type { Convergence, Settings } from './convergence';
import type { VmFacts } from './facts';
import type { SourcePhase } from './phases';
import type { LeaseAnswer, LeaseOwner } from './ports';
import type { SourceMessage, TargetMessage } from './protocol';
import type { PauseParts } from './rates';
import type { Counts, MigrationRecord, RoundRecord, VmPlace } from './statistics';

/** Fixed for the whole migration. */
export interface SourceSetup {
  readonly migrationId: string;
  readonly vm: VmFacts;
  readonly config: unknown;
  readonly owner: LeaseOwner;
  /** This host's wall clock, milliseconds since 1970: the target compares it with its own. */
  readonly wallClockMs: number;
  readonly settings: Settings;
  /** Parts of earlier pauses from here (learnParts). */
  readonly knownParts?: Partial<PauseParts>;
}

export type SourceEvent = { readonly at: number } & (
  | { readonly type: 'start' | 'paused' | 'stateSent' | 'discarded' | 'force' | 'tick' | 'vmReset' }
  | { readonly type: 'message'; readonly message: TargetMessage }
  /** The dirty log is read: so many pages are to be sent, those left over from before among them. */
  | { readonly type: 'roundBegun'; readonly round: number; readonly pages: number }
  /** All of the round, and its sums, are given to the transport. */
  | { readonly type: 'roundSent'; readonly round: number; readonly pages: number; readonly pacedMs: number }
  | { readonly type: 'progress'; readonly counts: Partial<Counts> }
  | { readonly type: 'stateSaved'; readonly userPaused: boolean }
  | { readonly type: 'lease'; readonly answer: LeaseAnswer }
  | { readonly type: 'recovered'; readonly error?: string }
  | { readonly type: 'cancel' | 'failed' | 'closed' | 'vmEnded'; readonly why: string }
  | { readonly type: 'configure'; readonly settings: Settings }
);

export type SourceCommand =
  | { readonly do: 'send'; readonly message: SourceMessage }
  /** Answer: roundBegun. */
  | { readonly do: 'beginRound'; readonly round: number }
  /** Answers: progress, roundSent. `final`: the VM stands; no cap, no roundEnd. */
  | { readonly do: 'sendRound'; readonly round: number; readonly final: boolean }
  | { readonly do: 'throttle'; readonly percent: number }
  /** Answer: paused. */
  | { readonly do: 'pauseVm' }
  /** A pause is taken back; the migration goes on. */
  | { readonly do: 'resumeVm' }
  /** Answer: stateSaved. */
  | { readonly do: 'saveState' }
  /** State and the sums. Answer: stateSent. */
  | { readonly do: 'sendState'; readonly userPaused: boolean }
  | { readonly do: 'announceLease'; readonly target: LeaseOwner | null }
  /** Answer: lease. */
  | { readonly do: 'passLease'; readonly target: LeaseOwner }
  | { readonly do: 'readLease'; readonly afterMs: number }
  /** Sending stops; dirty log and throttle off; with `resume`, the guest goes on. Answer: recovered, whatever happens. */
  | { readonly do: 'recover'; readonly resume: boolean }
  /** Answer: discarded, whatever happens. */
  | { readonly do: 'discardVm' }
  | { readonly do: 'close' }
  | { readonly do: 'trace'; readonly name: string; readonly line: string };

/** When what happened, on the clock of the events. */
export interface Marks {
  readonly started?: number;
  readonly precopy?: number;
  readonly roundBegun?: number;
  readonly roundSent?: number;
  readonly received?: number;
  readonly pause?: number;
  readonly paused?: number;
  readonly pagesSent?: number;
  readonly ready?: number;
  readonly passed?: number;
  readonly running?: number;
  readonly ended?: number;
}

export interface SourceState {
  readonly setup: SourceSetup;
  readonly phase: SourcePhase;
  /** A 'tick' is due then. */
  readonly deadline: number;
  readonly settings: Settings;
  readonly convergence: Convergence;
  readonly target: LeaseOwner | null;
  readonly round: number;
  /** Of the round under way. */
  readonly roundPages: number;
  readonly pacedMs: number;
  /** wireBytes when the round began. */
  readonly wireBefore: number;
  readonly marks: Marks;
  readonly finalSent: boolean;
  readonly stateSaved: boolean;
  readonly userPaused: boolean;
  readonly forced: boolean;
  readonly cancelWhy: string | null;
  readonly vmEnded: string | null;
  readonly vmIs: VmPlace;
  readonly outcome: MigrationRecord['outcome'];
  readonly line: string;
  readonly counts: Counts;
  readonly rounds: readonly RoundRecord[];
  readonly roundCount: number;
  readonly stallCount: number;
  readonly predictedPauseMs: number | null;
}

export interface SourceStep {
  readonly state: SourceState;
  readonly commands: readonly SourceCommand[];
}
