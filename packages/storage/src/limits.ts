/** Limits of the storage package, each with its unit and reason. */

/** An NFS request without an answer for so long fails (ms): a busy server answers within seconds. */
export const NFS_TIMEOUT_MS = 20_000;
/** Largest single read or write handed to libnfs (bytes): it keeps a copy of each. */
export const NFS_CHUNK_BYTES = 1 << 20;
/** Chunks of one request on their way at once: enough to fill a fast link. */
export const NFS_CHUNKS_IN_FLIGHT = 8;

/** Longest name of a VM or a file (bytes in ASCII): leaves room for suffixes below the 255 of every file system. */
export const MAX_NAME_LENGTH = 64;
/** Largest datastore.json, claim or heartbeat (bytes). */
export const MAX_SMALL_FILE_BYTES = 8_192;
/** Largest vm.json (bytes): what is read in one piece past the page cache. */
export const MAX_CONFIG_BYTES = 16_384;
/** VMs in one datastore that are listed. */
export const MAX_VMS = 10_000;

/** How often the lease's clock is looked at (ms), at most; a quarter of a heartbeat if that is less. */
export const LEASE_TICK_MS = 100;
/** Operations on the lease's files that may hang at once before more are refused: each holds a thread of libuv's pool. */
export const MAX_HUNG_OPERATIONS = 3;
/** Looks at the lease that may fail in a row before starting a VM is given up. */
export const MAX_FAILED_LOOKS = 3;
/** Answer time on an NFS connection for leases (ms): well within the 8 s that a holder of the usual lease has. */
export const LEASE_NFS_TIMEOUT_MS = 2_500;
/** How often a small file is opened anew that is replaced while it is read. */
export const READ_TRIES = 4;
