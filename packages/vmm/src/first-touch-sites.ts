import type { VcpuState } from '@godwit/cpu';
import type { Buffers, Native } from '@godwit/metal';
import { FIRST_TOUCH_BAN_REVIEWS, FIRST_TOUCH_FEW, FIRST_TOUCH_FLUSHED, FIRST_TOUCH_MAX_BAN_REVIEWS, FIRST_TOUCH_REPEATS, FIRST_TOUCH_REVIEW_NS } from './limits';

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
  private readonly flushed: Uint16Array;
  /** Site → reviews until it may be proposed again, and the length of its next ban. */
  private readonly bans = new Map<number, { left: number; next: number }>();
  private reviewedNs = 0;
  /** Instructions changed over, and turned back, so far. */
  adopted = 0;
  dropped = 0;

  constructor(
    private readonly native: Native,
    buffers: Buffers,
    private readonly state: VcpuState,
  ) {
    this.faults = new Uint16Array(buffers.sites, 0, SITES);
    this.first = new Uint16Array(buffers.sites, SITES * 2, SITES);
    this.again = new Uint16Array(buffers.sites, SITES * 4, SITES);
    this.flushed = new Uint16Array(buffers.sites, SITES * 6, SITES);
  }

  has(gpa: number): boolean {
    return this.sites.size > 0 && this.sites.has(gpa);
  }

  /** The native layer proposed to change the way of the instruction at eip, which lies at gpa. Other blocks may hold it too: all of the page's go. */
  change(gpa: number): void {
    const site = siteOf(this.state.eip);
    if (this.sites.delete(gpa)) {
      this.dropped++;
      this.ban(site);
    } else {
      this.sites.set(gpa, site);
      this.adopted++;
    }
    this.native.dropBlocks(gpa >>> 12);
  }

  /** The guest whose instructions these were is no more. */
  forget(): void {
    this.sites.clear();
    this.bans.clear();
    for (const table of [this.faults, this.first, this.again, this.flushed]) table.fill(0);
    this.adopted = this.dropped = 0;
  }

  review(nowNs: number): void {
    if (this.sites.size + this.bans.size === 0 || nowNs - this.reviewedNs < FIRST_TOUCH_REVIEW_NS) return;
    this.reviewedNs = nowNs;
    for (const [site, ban] of this.bans) if (ban.left > 0 && --ban.left === 0) this.faults[site] = 0;
    for (const [gpa, site] of this.sites) {
      const gained = this.first[site] + this.flushed[site];
      const enough = this.first[site] >= FIRST_TOUCH_FEW || this.flushed[site] >= FIRST_TOUCH_FLUSHED;
      const worthwhile = enough && this.again[site] <= gained * FIRST_TOUCH_REPEATS;
      if (worthwhile) continue;
      this.sites.delete(gpa);
      if (enough) this.ban(site);
      else this.faults[site] = 0;
      this.dropped++;
      this.native.dropBlocks(gpa >>> 12);
    }
    this.first.fill(0);
    this.again.fill(0);
    this.flushed.fill(0);
  }

  /** The same pages over and over: the window needs time to fill before this instruction is looked at again. */
  private ban(site: number): void {
    const left = this.bans.get(site)?.next ?? FIRST_TOUCH_BAN_REVIEWS;
    this.bans.set(site, { left, next: Math.min(left * 2, FIRST_TOUCH_MAX_BAN_REVIEWS) });
    this.faults[site] = 0xffff;
  }
}
