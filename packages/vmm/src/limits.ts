/** The engine's limits, with unit and reason. */

/** Bytes of host code: a whole Linux boot with busybox takes about 20 MiB; a full cache is dropped as a whole. */
export const CODE_CACHE_BYTES = 96 * 1024 * 1024;
/** Of these, most that blocks translated ahead take: the rest is for what turns out to be needed. */
export const WARM_CODE_BYTES = 48 * 1024 * 1024;
/** Translating ahead goes on for so long at a time, nanoseconds: messages wait for it, and a guest that wakes up. */
export const WARM_SLICE_NS = 300e3;
/**
 * Rests between slices, nanoseconds: hot blocks get half of a CPU, others an eighth. The host's CPUs have more urgent
 * work while a VM arrives: measured on two busy CPUs, going on without rests made the pause half as long again.
 */
export const WARM_HOT_REST_NS = WARM_SLICE_NS;
export const WARM_REST_NS = 7 * WARM_SLICE_NS;
/** For so long a VM from a file is warmed before it goes on, nanoseconds: nothing beside the time its memory took; then while it halts. */
export const WARM_RESUME_NS = 30e6;
/** How often pages that arrive are looked at, nanoseconds; a page that kept still for so long is taken to be whole. */
export const WARM_REVIEW_NS = 3e6;
/** Blocks that wait for their pages: all of two full lists. */
export const WARM_MAX_WAITING = 131_072;
/** Forgetting links for the measurement of heat goes on for so long after a kick, nanoseconds. */
export const COOL_SLICE_NS = 300e3;
/** Kept free at the cache's end: one block plus the page where the interpreter's host instructions run. */
export const CODE_CACHE_RESERVE = 64 * 1024;
/** Writes into translated code of one page after which the page is interpreted for a while. */
export const SELF_MODIFY_LIMIT = 64;
/** Guest instructions interpreted at a time where code is not translated. */
export const INTERPRET_BURST = 20_000;
/** Bursts after which a page of self-modifying code may be translated again. */
export const SELF_MODIFY_DECAY_BURSTS = 64;
/** While a VM waits for its state: how long translated code is kept before it is translated anew, nanoseconds. */
export const REHEARSAL_PASS_NS = 25e6;
/** How long it rehearses, milliseconds: what V8 compiles after that gains little. */
export const REHEARSAL_MS = 600;

/** Longest sleep of a halted vCPU, nanoseconds: bounds how late a lost wake-up is noticed. */
export const MAX_SLEEP_NS = 1e9;
/** Serial bytes collected before they are posted though no line ended. */
export const SERIAL_BATCH_BYTES = 4096;
/** How often instructions that go through the software TLB are looked at again, nanoseconds. */
export const FIRST_TOUCH_REVIEW_NS = 20e6;
/** New pages between two looks below which the window serves an instruction better. */
export const FIRST_TOUCH_FEW = 16;
/** Repeated misses for each new page above which the software TLB is too small for an instruction. */
export const FIRST_TOUCH_REPEATS = 4;
/** … or misses on known pages that the guest had flushed: more, since the window keeps many of those. */
export const FIRST_TOUCH_FLUSHED = 200;
/** Reviews for which an instruction that touched the same pages over and over stays with the window: one second, doubled each time, at most a minute. */
export const FIRST_TOUCH_BAN_REVIEWS = 50;
export const FIRST_TOUCH_MAX_BAN_REVIEWS = 3000;
/** Most that the guest's clock leaps at once after a pause, nanoseconds: below what Linux' soft lockup watchdog (20 s) and its clock arithmetic (minutes) mind. */
export const CLOCK_STEP_NS = 10e9;
/** Between two leaps the guest runs this long, nanoseconds: its tick takes each leap into account. An hour is made up for in 4 s. */
export const CLOCK_STEP_INTERVAL_NS = 10e6;
/** Hosts whose TSC rates differ by less than this share it as it is: half of what NTP corrects, and more than a short measurement errs. */
export const TSC_TOLERANCE = 250e-6;
/** How often the TSC's rate is measured anew for deadlines, nanoseconds. */
export const TSC_MEASURE_INTERVAL_NS = 1e9;
/** Taken for the TSC's rate in the first milliseconds, kHz: faster than any, so that a deadline is looked at too early and never too late. */
export const NOMINAL_TSC_KHZ = 8e6;
/** How often the vCPU looks at its lease though nothing else happens, nanoseconds: its timer has expired when a stopped process is woken. */
export const LEASE_LOOK_NS = 1e9;
/** Rounds of the dirty log with which the machine's state is made up for practice: once costs the guest about 1 ms, later 0.3. */
export const SAVE_REHEARSALS = 4;
