import type { VcpuState } from '@godwit/cpu';
import type { Buffers, Native } from '@godwit/metal';
import { FIRST_TOUCH_FEW, FIRST_TOUCH_REPEATS, FIRST_TOUCH_REVIEW_NS } from './limits';

/** Entries of each table in `Buffers.sites`; native/vm.h, kSites. */
const SITES = 4096;
const siteOf = (eip: number): number => (eip ^ (eip >>> 12)) & (SITES - 1);

/**
 * User instructions that go through the software TLB because they keep
 * touching new pages (native/soft-tlb.cc). The native layer proposes them; here
 * they are kept, and turned back when the window would serve them better: few
 * new pages since the last look, or the same pages over and over.
 */
export class FirstTouchSites {
  /** Guest-physical address of the instruction → index in the counters. */
  private readonly sites = new Map<number, number>();
  private readonly faults: Uint16Array;
  private readonly first: Uint16Array;
  private readonly again: Uint16Array;
  private reviewedNs = 0;
  /** Instructions changed over, and turned back, so far. */
  adopted = 0;
  dropped = 0;

  constructor(private readonly native: Native, buffers: Buffers, private readonly state: VcpuState) {
    this.faults = new Uint16Array(buffers.sites, 0, SITES);
    this.first = new Uint16Array(buffers.sites, SITES * 2, SITES);
    this.again = new Uint16Array(buffers.sites, SITES * 4, SITES);
  }

  has(gpa: number): boolean {
    return this.sites.size > 0 && this.sites.has(gpa);
  }

  /** The native layer proposed the instruction at eip, which lies at gpa. Other blocks may hold it too: all of the page's go. */
  adopt(gpa: number): void {
    this.sites.set(gpa, siteOf(this.state.eip));
    this.adopted++;
    this.native.dropBlocks(gpa >>> 12);
  }

  review(nowNs: number): void {
    if (this.sites.size === 0 || nowNs - this.reviewedNs < FIRST_TOUCH_REVIEW_NS) return;
    this.reviewedNs = nowNs;
    for (const [gpa, site] of this.sites) {
      const worthwhile = this.first[site] >= FIRST_TOUCH_FEW && this.again[site] <= this.first[site] * FIRST_TOUCH_REPEATS;
      if (worthwhile) continue;
      this.sites.delete(gpa);
      this.faults[site] = 0;
      this.dropped++;
      this.native.dropBlocks(gpa >>> 12);
    }
    this.first.fill(0);
    this.again.fill(0);
  }
}
