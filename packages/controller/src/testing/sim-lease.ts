/**
 * The lease of one VM in the simulation: one record that changes atomically. Its protocol on real
 * storage is proved in packages/lease; here it is what decides, as it does there.
 */
import type { SimVmm } from './sim-vmm';

export const LEASE_MS = 10_000;
export const BEAT_MS = 2_000;
/** What a taker waits while the record stands still. */
export const TAKEOVER_MS = LEASE_MS + 1_000;

export class SimLease {
  /** Processes of this VM, some of them over. */
  readonly vmms = new Set<SimVmm>();
  epoch = 0;
  owner = '';
  beatAt = 0;

  /** The new epoch; 0: somebody has it, or had it too lately. */
  acquire(vmmId: string, now: number): number {
    if (this.owner && now - this.beatAt < TAKEOVER_MS) return 0;
    return this.give(vmmId, now);
  }

  pass(from: string, to: string, now: number): boolean {
    if (this.owner !== from || now - this.beatAt >= LEASE_MS) return false;
    this.give(to, now);
    return true;
  }

  beat(vmmId: string, now: number): boolean {
    if (this.owner !== vmmId) return false;
    this.beatAt = now;
    return true;
  }

  release(vmmId: string): void {
    if (this.owner === vmmId) this.owner = '';
  }

  private give(vmmId: string, now: number): number {
    this.owner = vmmId;
    this.beatAt = now;
    return ++this.epoch;
  }
}
