import { stateOffset, type VcpuState } from '@godwit/cpu';
import type { Native } from '@godwit/metal';
import { WARM_HOT_REST_NS, WARM_MAX_WAITING, WARM_REST_NS, WARM_REVIEW_NS } from './limits';
import type { GuestMemory } from './guest-memory';
import type { BlockTranslator } from './translate-block';
import { blocksOf, decodeWarmList, type HotBlock, NO_PAGE } from './warm-list';

/**
 * Translates ahead what is said to be hot: while a VM's memory arrives from
 * another host, and then whenever the guest halts, until the list is worked off:
 * what is known to be hot at once, the rest a little at a time.
 *
 * Memory changes meanwhile. `arrivals`, one byte a page, is shared with the thread
 * that writes memory, which marks a page *before* it writes; a marked page is left
 * alone until it has kept still between two looks, and what was translated from
 * it is then compared and, if need be, done again. That is for warmth alone: at
 * its first use each block's bytes are compared by the native layer (native/warm.cc),
 * so a page that changed unnoticed, or a list full of lies, costs time and nothing else.
 */

/** A page's byte in `arrivals`. */
const enum Page { Nothing = 0, Seen = 1, Marked = 2, Still = 3 }
export const PAGE_MARKED = Page.Marked;
const GONE = 0, GOOD = 1;
const MODES = 16;
/** Lists not worked off yet; a source sends one now and then. */
const MAX_LISTS = 8;

interface Ahead extends HotBlock {
  index: number;
}

export interface WarmCounts {
  /** Blocks in the lists that came, and how many were refused: nothing to translate, known already, no room. */
  listed: number;
  refused: number;
  translated: number;
  /** Those whose page changed before they were used; most are translated anew. */
  dropped: number;
  seconds: number;
}

export class WarmTarget {
  readonly counts: WarmCounts = { listed: 0, refused: 0, translated: 0, dropped: 0, seconds: 0 };
  private readonly lists: Generator<HotBlock>[] = [];
  /** Their page has kept still: to be translated now, from the end. */
  private hot: HotBlock[] = [];
  private rest: HotBlock[] = [];
  /** By page: blocks that wait for it, and those made from it. */
  private readonly waiting = new Map<number, HotBlock[]>();
  private readonly made = new Map<number, Ahead[]>();
  private waitingCount = 0;
  private reviewedNs = 0;
  private held = false;
  private flushes: number;

  constructor(
    private readonly native: Native,
    private readonly state: VcpuState,
    private readonly memory: GuestMemory,
    private readonly blocks: BlockTranslator,
    /** Undefined: all of memory is there. */
    private arrivals: Uint8Array | undefined,
  ) {
    this.flushes = blocks.flushes;
  }

  /** A list from another host or a file: untrusted. */
  add(bytes: Uint8Array): void {
    const list = decodeWarmList(bytes);
    if (!list || this.lists.length >= MAX_LISTS) return;
    this.held = false;
    for (const gpa of list.userAccesses) this.blocks.expectUserAccess(gpa);
    this.lists.push(blocksOf(list));
  }

  /** The VM stands still and its state is here: every moment counts, until `arrived`, or until a list says that this was a rehearsal. */
  hold(): void {
    this.held = true;
  }

  /** The VM goes on: memory is as the guest left it, and changes by its own doing only. */
  arrived(): void {
    this.held = false;
    this.arrivals = undefined;
    this.toDo([...this.waiting.values()].flat());
    this.waiting.clear();
    this.made.clear();
    this.waitingCount = 0;
  }

  /** All that was listed is translated, or never will be; pages may still change. */
  get idle(): boolean {
    return this.lists.length === 0 && this.hot.length === 0 && this.rest.length === 0 && this.waiting.size === 0;
  }

  /** Memory is still coming: there may be work though none is announced. */
  private get watching(): boolean {
    return this.arrivals !== undefined && (this.waiting.size > 0 || this.made.size > 0);
  }

  /** The guest was reset: what was hot is no more. */
  clear(): void {
    this.lists.length = 0;
    this.arrived();
    this.hot = [];
    this.rest = [];
  }

  /** Works for so long at most, less when the vCPU is kicked. In how many nanoseconds it is to be called again; 0: at once. */
  step(budgetNs: number): number {
    if (this.held) return Number.POSITIVE_INFINITY;
    if (this.lists.length === 0 && this.hot.length === 0 && this.rest.length === 0 && !this.watching) return Number.POSITIVE_INFINITY;
    if (this.flushes !== this.blocks.flushes) {
      // The code cache was full: it is the guest's now.
      this.flushes = this.blocks.flushes;
      this.clear();
      return Number.POSITIVE_INFINITY;
    }
    const began = this.native.monotonicNs();
    const kicked = stateOffset.kicked >> 2;
    if (this.watching && began - this.reviewedNs >= WARM_REVIEW_NS) this.review(began);
    let now = began, more = true, urgent = true;
    while (more && this.state.u32[kicked] === 0 && now - began < budgetNs) {
      const block = this.hot.pop() ?? this.fromLists() ?? this.rest.pop();
      more = block !== undefined;
      if (block) {
        urgent = block.hot;
        this.take(block);
      }
      now = this.native.monotonicNs();
    }
    this.counts.seconds += (now - began) / 1e9;
    if (!more) return this.watching ? WARM_REVIEW_NS : Number.POSITIVE_INFINITY;
    if (!urgent) return WARM_REST_NS;
    return this.arrivals ? WARM_HOT_REST_NS : 0;
  }

  private take(block: HotBlock): void {
    if (this.here(block)) this.translate(block);
    else this.wait(block);
  }

  /** @param blocks hottest first */
  private toDo(blocks: readonly HotBlock[]): void {
    for (let at = blocks.length - 1; at >= 0; at--) (blocks[at].hot ? this.hot : this.rest).push(blocks[at]);
  }

  private fromLists(): HotBlock | undefined {
    while (this.lists.length > 0) {
      const { value, done } = this.lists[0].next();
      if (!done) {
        this.counts.listed++;
        return value as HotBlock;
      }
      this.lists.shift();
    }
    return undefined;
  }

  /** All its pages have come and keep still. Those that no RAM stands behind are judged later. */
  private here({ gpaPage, gpaPage2 }: HotBlock): boolean {
    const { arrivals } = this;
    if (!arrivals) return true;
    const seen = (page: number): boolean => page >= arrivals.length || arrivals[page] === Page.Seen;
    return seen(gpaPage) && (gpaPage2 === NO_PAGE || seen(gpaPage2));
  }

  private wait(block: HotBlock): void {
    if (this.waitingCount >= WARM_MAX_WAITING) {
      this.counts.refused++;
      return;
    }
    this.waitingCount++;
    const { arrivals } = this;
    // The first page that is not there: the other is looked at when it is this block's turn again.
    const page = arrivals && arrivals[block.gpaPage] !== Page.Seen ? block.gpaPage : block.gpaPage2;
    const entries = this.waiting.get(page);
    if (entries) entries.push(block);
    else this.waiting.set(page, [block]);
  }

  private translate(block: HotBlock): void {
    const isRam = (page: number): boolean => this.memory.isRamRange(page * 4096, 4096);
    const possible = block.mode < MODES && isRam(block.gpaPage) && (block.gpaPage2 === NO_PAGE || isRam(block.gpaPage2));
    const index = possible ? this.blocks.translateAhead(block) : 0;
    if (index === 0) {
      this.counts.refused++;
      return;
    }
    this.counts.translated++;
    if (!this.arrivals) return;
    for (const page of block.gpaPage2 === NO_PAGE ? [block.gpaPage] : [block.gpaPage, block.gpaPage2]) {
      const entries = this.made.get(page);
      if (entries) entries.push({ ...block, index });
      else this.made.set(page, [{ ...block, index }]);
    }
  }

  /** Pages that were marked since the last look, and those that have kept still since. */
  private review(now: number): void {
    this.reviewedNs = now;
    const arrivals = this.arrivals!;
    for (const page of new Set([...this.waiting.keys(), ...this.made.keys()])) {
      const state = arrivals[page];
      if (state === Page.Marked) arrivals[page] = Page.Still;
      else if (state === Page.Still) this.settled(page, arrivals);
      else if (state === Page.Seen && this.waiting.has(page)) this.settled(page, arrivals);
    }
  }

  private settled(page: number, arrivals: Uint8Array): void {
    // Before the bytes are read: whoever writes from now on marks it again.
    arrivals[page] = Page.Seen;
    const entries = this.waiting.get(page) ?? [];
    this.waiting.delete(page);
    this.waitingCount -= entries.length;
    this.toDo(entries);
    const kept: Ahead[] = [];
    for (const entry of this.made.get(page) ?? []) {
      const what = this.native.reviewWarm(entry.index);
      if (what === GOOD) kept.push(entry);
      else if (what === GONE) {
        this.counts.dropped++;
        this.toDo([entry]);
      }
    }
    if (kept.length > 0) this.made.set(page, kept);
    else this.made.delete(page);
  }
}
