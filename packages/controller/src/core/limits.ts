/** Times and sizes of the core, each with its unit and reason. Times are milliseconds. */

/** For an operation on a running VM's process: pause, resume, reset, button, kill. */
export const QUICK_ORDER_MS = 60_000;
/** For a start: the lease of a dead owner lasts at most two minutes (lease/limits.ts), disks open, the guest begins. */
export const START_ORDER_MS = 4 * 60_000;
/** For writing or removing a VM's state or files. */
export const SLOW_ORDER_MS = 15 * 60_000;
/** For making disks, which may be copied from images over a network. */
export const COPY_ORDER_MS = 60 * 60_000;
/** A shutdown by the power button: distributions give their services 90 s to stop. */
export const BUTTON_ORDER_MS = 3 * 60_000;

/** A migration's target is given this long to start its waiting process. */
export const PREPARE_MS = 60_000;
/** The waiting process ends by itself after this long without a call: longer than it takes to order the source. */
export const INCOMING_WAIT_MS = 120_000;
/** From a migration's end at one side to the word of the other. */
export const SETTLE_MS = 30_000;
/** For the source's last record once the VM is known to run at the target: reports are a tenth of a second apart. */
export const LAST_RECORD_MS = 2_000;
/** For the answer that nothing is left on the target; the reaper sees to it later if there is none. */
export const CLEAN_MS = 20_000;
/** How long a cancelled migration may take to say that it has ended: the switchover's own limits are far below. */
export const CANCEL_MS = 60_000;
/** Times a migration begins anew by itself: after a change of controller in its midst. */
export const MIGRATION_ATTEMPTS = 2;

/** For everything together, unless the request says otherwise. */
export const MIGRATION_MS = 2 * 60 * 60_000;
export const BATCH_MS = 24 * 60 * 60_000;
/** The longest time that a request may ask for. */
export const MAX_OPERATION_MS = 7 * 24 * 60 * 60_000;

/** Hosts tried, one after the other, for a VM that may start anywhere. */
export const START_ATTEMPTS = 3;

/** Between restarts of one VM: doubled each time, up to the last. */
export const FIRST_RESTART_MS = 5_000;
export const LAST_RESTART_MS = 5 * 60_000;
/** A VM that has run for so long begins at the first again. */
export const RESTART_FORGOTTEN_MS = 10 * 60_000;

/** For the processes of VMs that have left a host that is being emptied to end. */
export const LEAVE_MS = 20_000;
/** Times that a drain looks again for VMs that came to the host while it was being emptied. */
export const DRAIN_PASSES = 3;

/** Balancing looks no more often than this: loads are means over a minute. */
export const MIN_BALANCE_MS = 60_000;

/** A removed VM does not come back by an old listing of its datastore. */
export const TOMBSTONE_MS = 60 * 60_000;

/** Between two listings of a datastore; and the time one may take before another host is asked. */
export const LISTING_MS = 10 * 60_000;
export const LISTING_ANSWER_MS = 2 * 60_000;

/** Ended operations and migrations that are kept, and for how long. */
export const MAX_ENDED = 10_000;
export const ENDED_KEPT_MS = 7 * 24 * 60 * 60_000;
/** A key used again within this time means the operation that it began. */
export const KEY_KEPT_MS = 24 * 60 * 60_000;

/** What one cluster may hold: the sizes that the benchmark measures, and room. */
export const MAX_HOSTS = 2_000;
export const MAX_VMS = 50_000;
/** Operations and migrations under way. */
export const MAX_RUNNING = 100_000;
/** Items of one batch in its record: the store takes 256 KiB a value. */
export const MAX_BATCH_ITEMS = 1_000;

/** Longest name of a VM, host, rule. */
export const MAX_NAME = 63;
/** Longest line in a record, UTF-16 units. */
export const MAX_LINE = 500;
