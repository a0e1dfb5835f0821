/**
 * Slows a vCPU down by degrees: it runs for a slice and rests for as long as
 * the degree asks. Guest time runs on meanwhile, so the guest only seems to
 * have a slower, busier host. Pure: times are passed in, nanoseconds.
 */
export const THROTTLE_SLICE_NS = 5e6;
export const MAX_THROTTLE_PERCENT = 99;

export class Throttle {
  private percent = 0;
  private sliceEndsNs = Number.POSITIVE_INFINITY;
  private restEndsNs = 0;

  /** @param percent 0 (off) to 99: the share of time that the vCPU rests. */
  set(percent: number, nowNs: number): void {
    this.percent = Math.min(Math.max(0, percent), MAX_THROTTLE_PERCENT);
    this.restEndsNs = 0;
    this.sliceEndsNs = this.percent > 0 ? nowNs + THROTTLE_SLICE_NS : Number.POSITIVE_INFINITY;
  }

  /** When the vCPU is to be interrupted for its rest; Infinity while it is off. */
  get deadlineNs(): number {
    return this.sliceEndsNs;
  }

  /** How long the vCPU is to rest from now on; 0: it may run. */
  restNs(nowNs: number): number {
    if (this.percent === 0) return 0;
    if (nowNs < this.restEndsNs) return this.restEndsNs - nowNs;
    if (nowNs < this.sliceEndsNs) return 0;
    const rest = (THROTTLE_SLICE_NS * this.percent) / (100 - this.percent);
    this.restEndsNs = nowNs + rest;
    this.sliceEndsNs = this.restEndsNs + THROTTLE_SLICE_NS;
    return rest;
  }
}
