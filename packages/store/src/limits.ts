/** Limits of the store, each with its unit and reason. */

/** Longest key (bytes; keys are ASCII): fits a NATS subject and a line on a screen. */
export const MAX_KEY_BYTES = 240;
/** Deepest key (segments). */
export const MAX_KEY_SEGMENTS = 12;
/** Largest value (bytes): well below a NATS server's default message limit of 1 MiB; a record, not a file. */
export const MAX_VALUE_BYTES = 256 * 1024;
/** Keys and values together (bytes), unless told otherwise: over NATS each controller holds them all in memory. */
export const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;

/** Past values kept for each key, the present one among them. */
export const HISTORY_PER_KEY = 8;
/** The newest changes that are held in memory, for watches that keep up. */
export const RECENT_CHANGES = 4_096;
/** Changes that a watch fetches at once; a slow one holds no more than this. */
export const WATCH_BATCH = 256;

/** Over NATS an operation ends after this time (ms), whatever happens; an election in a cluster takes 4 to 9 s. */
export const OPERATION_TIMEOUT_MS = 15_000;
/** One request to a NATS server (ms); then it is asked again, perhaps another one. */
export const REQUEST_TIMEOUT_MS = 2_000;
/** A server that is connected and through which nothing has worked for so long (ms) may be cut off from its cluster: the next one is tried. */
export const CHANGE_SERVER_MS = 6_000;
/** Pause before a write that another one came before is tried again (ms), at most; grows from a tenth of that. */
export const RETRY_PAUSE_MS = 50;
/** A log reader without a message or heartbeat for so long (ms) is set up anew. */
export const READER_SILENCE_MS = 3_000;
/** Heartbeat of a log reader (ms). */
export const READER_HEARTBEAT_MS = 1_000;
/** Without any hint, the end of the log is looked for every so often (ms). */
export const POLL_MS = 1_000;
/** Pauses (ms) before looking again for a message that was announced: it is on its way to a majority. */
export const HINT_PAUSES_MS = [0, 2, 8, 30, 120];
/** Requests on their way at once while the log is read for the first time. */
export const LOAD_PARALLEL = 64;
/** Messages of one key beyond which those that are superseded are removed. */
export const COMPACT_AT = 2 * HISTORY_PER_KEY;
/** The same for the messages that only mark a place. */
export const COMPACT_BARRIERS_AT = 64;
/** A view that was cut off for longer (ms) is read anew from the beginning, since deletions may have been tidied away meanwhile. */
export const MAX_GAP_MS = 5 * 60_000;

export interface DeletionLimits {
  /** Deleted keys whose deletion is remembered, so that a watch can be resumed over it. */
  readonly kept: number;
  /** With more than that many, the oldest are forgotten, down to `kept`. */
  readonly tidyAt: number;
  /** A younger one (ms) is never forgotten, over NATS. */
  readonly minAgeMs: number;
}
export const DEFAULT_DELETIONS: DeletionLimits = { kept: 10_000, tidyAt: 12_000, minAgeMs: 10 * MAX_GAP_MS };

/** Events kept, unless told otherwise. */
export const DEFAULT_MAX_EVENTS = 100_000;
/** Age (ms) after which an event goes, unless told otherwise: 30 days. */
export const DEFAULT_MAX_EVENT_AGE_MS = 30 * 24 * 3_600_000;
/** Largest event (bytes of JSON). */
export const MAX_EVENT_BYTES = 32 * 1024;
/** Events that one `read` returns, at most. */
export const MAX_EVENTS_READ = 1_000;
