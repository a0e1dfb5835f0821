/** Limits of the agent, each with its unit and reason. */

/** Version of our protocol with controllers (proto/godwit/v1/agent.proto). */
export const AGENT_PROTOCOL = 1;

/** Bytes of a unix socket's path (unix(7)): the VMMs' control sockets lie in the state folder. */
export const MAX_SOCKET_PATH = 107;

/** How often a VMM says something even if nothing changes, ms. */
export const STATUS_INTERVAL_MS = 2_000;
/** A VMM that has said nothing for so long is reported as silent, ms: five of its intervals. */
export const SILENT_MS = 10_000;
/** Between two looks whether a process is still there, ms: one /proc read a VM. Own children are heard of at once. */
export const ALIVE_INTERVAL_MS = 500;
/** Between two tries to reach a VMM's control socket, ms. */
export const RECONNECT_MS = 250;
/** Answer time of a VMM to a short question, ms: its main thread never works for long. */
export const VMM_ANSWER_MS = 10_000;
/** A VMM writes a saved state at disk speed: several GiB on slow storage, ms. */
export const SUSPEND_MS = 600_000;
/** How often it is looked whether a VM's saved state has been loaded, ms. */
export const RESUMED_LOOK_MS = 200;
/** A VMM that was told to end and does not, ms: then its process is ended. */
export const VMM_END_MS = 15_000;
/** Folders of VMMs that have ended, kept for their logs. */
export const MAX_ENDED_FOLDERS = 32;
/** Bytes at the end of a VMM's log in which the reason of its end is looked for. */
export const LOG_TAIL_BYTES = 16 * 1024;

/** Order's time when the controller gives none, ms. */
export const DEFAULT_ORDER_MS = 120_000;
/** Longest time of an order, ms: copying a large disk. */
export const MAX_ORDER_MS = 24 * 3600_000;
/** A start with `take_over` waits for a dead owner's lease to run out; the look before that takes the rest, ms. */
export const START_MS = 90_000;
/** Results that were acknowledged are remembered so long, ms, and at most so many: orders may come again for a while. */
export const RESULT_MEMORY_MS = 3600_000;
export const MAX_REMEMBERED_RESULTS = 4_096;
/** Orders that wait for their turn on this host; more are refused as `busy`. */
export const MAX_WAITING_ORDERS = 1_024;
/** Journal lines after which it is written anew. */
export const JOURNAL_LINES = 2_000;
/** Migrations that were called off before their PrepareIncoming came, remembered. */
export const MAX_DROPPED_MIGRATIONS = 256;
/** Migrations that have ended and that no controller has acknowledged, kept. */
export const MAX_ENDED_MIGRATIONS = 256;
/** Progress of a copy is told of so often, ms. */
export const PROGRESS_MS = 1_000;

/** Between two looks at a datastore, ms. */
export const PROBE_INTERVAL_MS = 15_000;
/** A datastore that has not answered a look in this time hangs, ms: beyond what a loaded host takes. */
export const PROBE_TIMEOUT_MS = 15_000;
/** A storage process that was called off cleans up in this time, or is ended, ms. */
export const CALL_OFF_MS = 5_000;
/** Until a storage process is loaded, ms, on a loaded host. */
export const STORAGE_UP_MS = 60_000;
/** Listing many VM folders on a slow datastore, ms. */
export const LIST_TIMEOUT_MS = 60_000;
/** Wait between two processes for a datastore, ms: the last one hung or died. */
export const PROBER_RESTART_MS = 5_000;
/** VMs in one DatastoreReport (agent.proto). */
export const VMS_A_REPORT = 200;
/** VM folders that are looked at concurrently. */
export const FOLDERS_AT_ONCE = 8;
/** Bytes of a copy of a boot file in one piece. */
export const COPY_BYTES = 1 << 20;
/** Largest kernel or initial RAM disk, bytes (as the VMM takes it). */
export const MAX_BOOT_BYTES = 256 << 20;

/** Changes are collected for so long before they are sent, ms: at most ten messages a second for one VM or migration. */
export const FLUSH_MS = 100;
/** Until the controller has answered Hello, ms. */
export const WELCOME_MS = 20_000;
/** Wait before the next dial, ms: doubles from the first to the last, with jitter of half. */
export const DIAL_FIRST_MS = 250;
export const DIAL_LAST_MS = 15_000;
/** A session that lasted so long was a good one: the next dial is quick again, ms. */
export const GOOD_SESSION_MS = 30_000;
/** Report intervals when the controller names none, and the bounds that hold whatever it names, ms. */
export const REPORT_INTERVAL_MS = 5_000;
export const COUNTERS_INTERVAL_MS = 15_000;
export const MIN_INTERVAL_MS = 500;
export const MAX_INTERVAL_MS = 60_000;
/** One Join or Renew, ms. */
export const JOIN_MS = 15_000;
/** A line about a controller that cannot be reached is repeated so often, ms. */
export const REPEAT_LINE_MS = 60_000;

/** Between two looks at a network of this host, ms. */
export const NETWORK_INTERVAL_MS = 5_000;
/** Until a user-mode network that was started answers, ms. */
export const USERNET_UP_MS = 30_000;
/** One that ended because another agent's has its address: that one answers in this time, ms. */
export const USERNET_OTHER_MS = 3_000;

/** Consoles that are relayed at a time, and bytes that wait for a slow side. */
export const MAX_CONSOLES = 256;

/** Between two looks at the VMs' counters, ms: a scrape shows what came last. */
export const METRICS_INTERVAL_MS = 10_000;
/** Where metrics are served unless the configuration says otherwise; another port when it is taken. */
export const METRICS_LISTEN = '127.0.0.1:7444';
/** A lease that was lost is shown for so long after its VM's process has ended, ms: as the alert looks back. */
export const LEASE_LOSS_SHOWN_MS = 15 * 60_000;
