/** Limits of this package, each with its unit and reason. */

/** Kinds of VM and host, as compatibility sees them, whose comparison is remembered; more, and the memory is emptied. */
export const MAX_REMEMBERED = 100_000;

/** Hosts tried for VMs that must stay together, best first: beyond, the cluster is full anyway. */
export const MAX_UNIT_HOSTS = 64;

/** VM and host pairs that one balancing plan looks at: a second's work; what is left is seen the next time. */
export const MAX_BALANCE_PAIRS = 200_000;

/** Rounds of a migration are taken to shrink no further at this ratio of dirty to transfer rate; the policies decide then. */
export const MAX_DIRTY_RATIO = 0.9;

/** VMs named in one line for people; the rest is counted. */
export const MAX_NAMED = 3;

/** Seconds of moving at which a host's score for it is halved: a minute is what people wait for. */
export const HALF_MOVE_SECONDS = 60;

/** Scores are compared to this many steps of 1: smaller differences are rounding, not a reason. */
export const SCORE_STEPS = 1e6;

/** VMs that found no host, for which a restart plan gives every host's reasons; the others have one line. */
export const MAX_EXPLAINED = 20;
