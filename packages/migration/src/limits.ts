/** Limits of this package, each with its unit and reason. What the other end sends is checked against them before anything is allocated. */

/** IA-32's own page, bytes. */
export const PAGE_BYTES = 4096;
export const PAGE_WORDS = PAGE_BYTES / 4;

/** Guest RAM in bytes: what IA-32 can address with PAE. */
export const MAX_MEMORY_BYTES = 64 * 1024 ** 3;

/**
 * Pages looked at for one message, 512 KiB of RAM: lz4 packs batches of 256 KiB as well
 * as it ever does, and HTTP/2 is at its fastest from there to 1 MiB; larger messages only
 * delay whoever waits for the event loop.
 */
export const BATCH_PAGES = 128;
export const BATCH_BYTES = BATCH_PAGES * PAGE_BYTES;

/** Pages that one message may name, 16 MiB of RAM: zero pages cost no data, but looking at them holds up the event loop. */
export const MAX_NAMED_PAGES = 4096;

/** Runs in one message: a batch of single pages of alternating kinds. */
export const MAX_RUNS = 2 * BATCH_PAGES;

/** Bytes of any message: a batch that does not pack, its runs and header, with room for a later version. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Bytes of a control message: the offer with the VM's configuration is the largest, a few KiB. */
export const MAX_CONTROL_BYTES = 256 * 1024;

/** Bytes of machine state: display memory of 16 MiB is the largest section known; as in a saved machine's file. */
export const MAX_STATE_BYTES = 256 * 1024 * 1024;

/** Bytes of one message of machine state. */
export const STATE_CHUNK_BYTES = 512 * 1024;

/** Bytes of a list of hot blocks: 8 bytes a block, 64 Ki blocks. */
export const MAX_HINT_BYTES = 512 * 1024;

/** Bytes of one message of late frames: what came for the guest on the network while it stood still. */
export const MAX_LATE_BYTES = 512 * 1024;

/** Milliseconds without a late frame after which switches are taken to have learned where the VM is now, and after which the source no longer looks. */
export const LATE_QUIET_MS = 8;
export const LATE_LIMIT_MS = 250;

/** Milliseconds that a target which runs the VM waits for the source to have no more late frames. */
export const LATE_WAIT_MS = 1_000;

/** Messages on their way into the transport at a time: one being sent, one queued, one being filled. */
export const SEND_AHEAD = 3;

/** A batch is sent packed if that leaves at most this share of it. */
export const WORTH_PACKING = 15 / 16;

/** A delta larger than this share of a page, in bytes, is no gain over a page that may yet be packed. */
export const MAX_DELTA_BYTES = 2048;

/** Bytes of sent pages that the source keeps to make deltas against, unless told otherwise. */
export const SENT_CACHE_BYTES = 128 * 1024 * 1024;

/** The guest should not notice: milliseconds, unless told otherwise. */
export const PAUSE_BUDGET_MS = 50;

/** A pause that `extend` may go to, milliseconds, unless told otherwise: below the 300 ms that others take as their default. */
export const MAX_PAUSE_MS = 250;

/** Rounds after which the last policy decides: twice what a guest at 98 % of the line rate needs. */
export const MAX_ROUNDS = 200;

/** Time of precopy after which the last policy decides, milliseconds: an hour moves 64 GiB at 20 MB/s. */
export const MAX_PRECOPY_MS = 60 * 60 * 1000;

/** Retreats from a pause that turned out too long, before it is taken as it is. */
export const MAX_RETREATS = 3;

/** Milliseconds that check and reserve may take on the target: opening disks on a slow file server. */
export const RESERVE_TIMEOUT_MS = 30_000;

/** Milliseconds without any progress of a round (no message taken, none confirmed) after which the target counts as gone. */
export const PROGRESS_TIMEOUT_MS = 15_000;

/** Milliseconds the guest may stand still before the commit, for all parts together; then it goes on at the source. */
export const SWITCHOVER_TIMEOUT_MS = 3_000;

/** Milliseconds from one look at the lease to the next while its outcome is unknown. */
export const LEASE_READ_MS = 100;

/** Milliseconds that the source waits, after the commit, for the target's word that the VM runs. */
export const HANDOVER_TIMEOUT_MS = 10_000;

/** Milliseconds that a target waits for the next message before the source counts as gone: a round may be held back by a low bandwidth cap. */
export const SOURCE_SILENCE_MS = 60_000;

/** Milliseconds from one attempt to start the committed VM to the next, and how many there are. */
export const START_RETRY_MS = 250;
export const START_TRIES = 20;

/** Clock difference between hosts that is a blocker, milliseconds: certificates and logs stop making sense; the guest's own clock travels with it. */
export const MAX_CLOCK_DIFFERENCE_MS = 5_000;

/** Rounds kept in the record of a migration; older ones are thinned out. */
export const MAX_RECORDED_ROUNDS = 256;
