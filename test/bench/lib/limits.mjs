/* What a row must reach, and the sizes and times that a run keeps to. */

/** User code: native time / guest time, percent. A single row, and the geometric mean over all of them. */
export const userRowPercent = 40;
export const userMeanPercent = 80;
/** System rows and boot: QEMU's time / Godwit's time. */
export const systemTimesQemu = 1;

export const userGroups = ['integer', 'fp', 'memory'];

export const guestMemoryMiB = 512;
/** max / min over the rounds above which a row is marked as noisy. */
export const noisyRatio = 1.3;
/** Difference of the guest's clock from the host's above which the guest's clock is called wrong. */
export const clockSkewPercent = 10;
/** … and that much at least: the arrival of a line on a busy host is no finer. */
export const clockSkewMs = 50;
/** The guest waits so long at its end, for the host to look at the VMM's memory. */
export const settleSeconds = 3;
/** Time for the guest to power off after its last line. */
export const powerOffMs = 20_000;
