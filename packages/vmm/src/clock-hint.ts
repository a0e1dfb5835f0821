/**
 * What the boot loader tells Linux about the TSC. The guest's TSC is the host's
 * plus an offset: constant in rate and continuous by construction. Linux would
 * measure it against the PIT and watch it against the PM timer, both of which
 * this machine emulates: when the vCPU is short of host CPU these lose time and
 * Linux distrusts the only clock that does not.
 */
export interface ClockSample {
  tsc: bigint;
  /** CLOCK_MONOTONIC, nanoseconds. */
  ns: number;
}

/** Shorter spans do not give the rate to the 100 ppm that Linux expects. */
const MIN_SPAN_NS = 5e6;

/** TSC rate in kHz, or undefined when the readings are too close to tell. */
export function tscKhz(first: ClockSample, second: ClockSample): number | undefined {
  const span = second.ns - first.ns;
  if (span < MIN_SPAN_NS) return undefined;
  return Math.round((Number(second.tsc - first.tsc) / span) * 1e6);
}

/** The command line with the hints added, unless it names a clock policy of its own. */
export function withClockHint(commandLine: string, khz: number | undefined): string {
  if (khz === undefined || /(^|\s)(tsc=|tsc_early_khz=|clocksource=|notsc)/.test(commandLine)) return commandLine;
  return `${commandLine} tsc=reliable tsc_early_khz=${khz}`;
}
