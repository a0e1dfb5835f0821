/**
 * Whether packing pays: found by trying. Batches go packed and as they are in turns of
 * TRIAL_BYTES, each turn's throughput is measured as a whole (finding, packing, sending,
 * waiting), and what was quicker goes on; the other is tried again now and then, in case
 * guest or network have changed. A model of processor and line would have to know what
 * both ends do beside it.
 */
import { WORTH_PACKING } from '../limits';

/** Raw bytes of a turn: some batches, so that what is on its way counts little. */
const TRIAL_BYTES = 4 * 1024 * 1024;
/** Turns of the better way between two of the other. */
const TURNS_BETWEEN = 12;
/** Weight of the newest turn. */
const NEWEST = 0.5;
/** What packing must gain, so that it is not done for nothing: it costs both ends' processors. */
const GAIN = 1.25;

export class PackAdvisor {
  /** Raw bytes a millisecond; 0: not tried yet. */
  private plainRate = 0;
  private packedRate = 0;
  private packing = false;
  private bytes = 0;
  private beganAt = 0;
  private turns = 0;
  private ratio = 0;

  /** A round begins: what was between it and the last one is no matter of this. */
  begin(now: number): void {
    this.bytes = 0;
    this.beganAt = now;
  }

  /** Of the next batch with that many bytes of raw pages. `final`: nothing is tried any more. */
  wants(rawBytes: number, now: number, final: boolean): boolean {
    if (final) return this.pays;
    if (this.bytes >= TRIAL_BYTES) this.endTurn(now);
    this.bytes += rawBytes;
    return this.packing;
  }

  /** A batch was packed. @param packedBytes 0: it did not fit */
  note(rawBytes: number, packedBytes: number): void {
    const ratio = packedBytes > 0 ? packedBytes / rawBytes : 1;
    this.ratio = this.ratio === 0 ? ratio : this.ratio + (ratio - this.ratio) * NEWEST;
  }

  get pays(): boolean {
    return this.ratio < WORTH_PACKING && this.packedRate > this.plainRate * GAIN;
  }

  private endTurn(now: number): void {
    // The very first one is slow for reasons of its own: everything is done for the first time.
    if (this.turns++ === 0) return this.begin(now);
    const rate = this.bytes / Math.max(now - this.beganAt, 0.001);
    const blend = (old: number): number => (old === 0 ? rate : old + (rate - old) * NEWEST);
    if (this.packing) this.packedRate = blend(this.packedRate);
    else this.plainRate = blend(this.plainRate);
    this.begin(now);
    const tried = this.packedRate > 0 && this.plainRate > 0;
    const tryOther = !tried || this.turns % TURNS_BETWEEN === 0;
    this.packing = tryOther ? (tried ? !this.pays : this.packedRate === 0) : this.pays;
  }
}
