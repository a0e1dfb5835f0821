/**
 * Whether packing pays: it does when a batch is packed and sent sooner than sent as it is.
 * Ratio and speed are measured as batches go; while it does not pay, one in PACK_PROBE is
 * packed all the same, to notice a change.
 */
import { PACK_PROBE, WORTH_PACKING } from '../limits';

/** Weight of the newest batch. */
const NEWEST = 0.25;
/** What must be gained, so that the answer does not flutter. */
const GAIN = 0.9;

export class PackAdvisor {
  private ratio = 1;
  private bytesPerMs = 0;
  private sinceProbe = PACK_PROBE;

  /** Packed size as a share, and bytes a millisecond: as measured so far. */
  get measured(): { readonly ratio: number; readonly bytesPerMs: number } {
    return { ratio: this.ratio, bytesPerMs: this.bytesPerMs };
  }

  /**
   * @param wireBytesPerMs what the connection takes
   * @param beside packing is done by another thread, while the batch before is being sent
   */
  wants(rawBytes: number, wireBytesPerMs: number, beside: boolean): boolean {
    if (this.sinceProbe++ >= PACK_PROBE) {
      this.sinceProbe = 0;
      return true;
    }
    return this.pays(rawBytes, wireBytesPerMs, beside);
  }

  pays(rawBytes: number, wireBytesPerMs: number, beside: boolean): boolean {
    if (this.bytesPerMs === 0 || this.ratio > WORTH_PACKING) return false;
    const packMs = rawBytes / this.bytesPerMs;
    const wireMs = (rawBytes * this.ratio) / wireBytesPerMs;
    return (beside ? Math.max(packMs, wireMs) : packMs + wireMs) < (rawBytes / wireBytesPerMs) * GAIN;
  }

  /** @param packedBytes 0: it did not fit */
  note(rawBytes: number, packedBytes: number, ms: number): void {
    const ratio = packedBytes > 0 ? packedBytes / rawBytes : 1;
    const speed = rawBytes / Math.max(ms, 0.001);
    const first = this.bytesPerMs === 0;
    this.ratio = first ? ratio : this.ratio + (ratio - this.ratio) * NEWEST;
    this.bytesPerMs = first ? speed : this.bytesPerMs + (speed - this.bytesPerMs) * NEWEST;
  }
}
