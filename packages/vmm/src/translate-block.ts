import { Counter, stateOffset, type VcpuState } from '@godwit/cpu';
import { Mailbox, type Buffers, type Native } from '@godwit/metal';
import type { Translator } from '@godwit/translator';
import type { GuestMemory } from './guest-memory';
import { CODE_CACHE_RESERVE, WARM_CODE_BYTES } from './limits';
import { type HotBlock, MAX_USER_ACCESSES, NO_PAGE } from './warm-list';

const PAGE = 4096;
const CROSSING_WINDOW = 30;
/** No instruction is longer (SDM 2A 2.3.11). */
const MAX_INSTRUCTION_BYTES = 15;
/** All that a block of the translator's 64 instructions can read, and the instruction behind it. */
const MAX_BLOCK_BYTES = 65 * MAX_INSTRUCTION_BYTES;
/** Linear to physical for an instruction fetch; -1: not present, not executable, or not RAM. */
export type FetchAddress = (linear: number) => number;

/** Which user instructions go through the software TLB, by guest-physical address. */
export interface FirstTouches {
  has(gpa: number): boolean;
  change(gpa: number): void;
}

/**
 * Miss → translated and installed block. Owns the cursor into the block maps
 * and the scratch bytes for instructions that cross a page border.
 */
export class BlockTranslator {
  blocks = 0;
  instructions = 0;
  guestBytes = 0;
  hostBytes = 0;
  nanoseconds = 0;
  flushes = 0;
  /** Blocks that went with a full cache. */
  evictedBlocks = 0;
  private mapCursor = 0;
  /** Host bytes of blocks translated ahead. */
  private aheadBytes = 0;
  private readonly source = new Uint8Array(MAX_BLOCK_BYTES);
  private readonly metaBytes: Uint8Array;
  /** Guest-physical addresses of supervisor instructions that reach user memory. */
  private readonly userAccesses = new Set<number>();
  private readonly mailbox: Uint32Array;
  private readonly crossing = new Uint8Array(64);

  constructor(
    private readonly native: Native,
    private readonly buffers: Buffers,
    private readonly state: VcpuState,
    private readonly memory: GuestMemory,
    private readonly translator: Translator,
    private readonly fetchAddress: FetchAddress,
    private readonly firstTouches: FirstTouches,
  ) {
    this.mailbox = new Uint32Array(buffers.mailbox);
    this.metaBytes = new Uint8Array(buffers.meta);
  }

  /** Bytes of host code that there is room for. */
  get limitBytes(): number {
    return this.buffers.code.byteLength;
  }

  /** As after construction: the guest whose code this was is no more. */
  forget(): void {
    this.flush();
    this.userAccesses.clear();
    this.blocks = this.instructions = this.guestBytes = this.hostBytes = this.nanoseconds = this.flushes = this.evictedBlocks = 0;
  }

  /** Guest-physical addresses of supervisor instructions that were seen to reach user memory, some of them if there are many. */
  userAccessList(): Uint32Array {
    return Uint32Array.from([...this.userAccesses].slice(-MAX_USER_ACCESSES));
  }

  /** Somebody says that the supervisor instruction there reaches user memory. If it does not, it is a little slower. */
  expectUserAccess(gpa: number): void {
    if (this.userAccesses.size < MAX_USER_ACCESSES && this.memory.isRam(gpa)) this.userAccesses.add(gpa);
  }

  noteFirstTouch(eip: number): void {
    const gpa = this.fetchAddress(eip);
    if (gpa >= 0) this.firstTouches.change(gpa);
  }

  /** False: this instruction was noted before and still went through the supervisor's window. */
  noteUserAccess(eip: number): boolean {
    const gpa = this.fetchAddress(eip);
    if (gpa < 0 || this.userAccesses.has(gpa)) return false;
    this.userAccesses.add(gpa);
    return true;
  }

  /** False: there is nothing to translate at eip (the interpreter shall raise the fault). */
  translateAt(eip: number): boolean {
    const gpa = this.fetchAddress(eip);
    if (gpa < 0) return false;
    const started = this.native.monotonicNs();
    if (
      this.native.codeCursor() + CODE_CACHE_RESERVE > this.buffers.code.byteLength ||
      this.mapCursor + CODE_CACHE_RESERVE > this.buffers.meta.byteLength
    ) this.flush();
    const mode = this.state.get('modeKey');
    const hostStart = this.native.codeCursor();
    const request = {
      eip, mode, guest: this.memory.ram, offset: gpa, available: PAGE - (gpa & (PAGE - 1)),
      crossing: false, hostStart, mapStart: this.mapCursor >> 1,
      reachesUser: (at: number) => this.userAccesses.has(gpa + at - eip),
      touchesFirst: (at: number) => this.firstTouches.has(gpa + at - eip),
    };
    let gpaPage2 = NO_PAGE;
    let result = this.translator.translate(request);
    if (result === 'truncated') {
      const next = this.fetchAddress(((eip | (PAGE - 1)) + 1) >>> 0);
      if (next < 0) return false;
      const first = request.available;
      this.crossing.fill(0);
      this.crossing.set(this.memory.ram.subarray(gpa, gpa + first));
      this.crossing.set(this.memory.ram.subarray(next, next + CROSSING_WINDOW - first), first);
      request.guest = this.crossing;
      request.offset = 0;
      request.available = CROSSING_WINDOW;
      request.crossing = true;
      gpaPage2 = next >>> 12;
      result = this.translator.translate(request);
      if (result === 'truncated') return false;
    }
    const m = this.mailbox;
    m[Mailbox.HostStart] = hostStart;
    m[Mailbox.HostBytes] = result.hostBytes;
    m[Mailbox.Eip] = eip;
    m[Mailbox.GpaPage] = gpa >>> 12;
    m[Mailbox.GpaPage2] = gpaPage2;
    m[Mailbox.Mode] = mode;
    m[Mailbox.MapOffset] = this.mapCursor;
    m[Mailbox.MapCount] = result.mapCount;
    this.mapCursor += result.mapCount * 4;
    if (this.native.install() === 0) {
      this.flush();
      return this.translateAt(eip);
    }
    this.blocks++;
    this.instructions += result.instructions;
    this.guestBytes += result.guestBytes;
    this.hostBytes += result.hostBytes;
    this.nanoseconds += this.native.monotonicNs() - started;
    return true;
  }

  /**
   * Translates a block that may be wanted later from bytes that may change until then. It is installed
   * so that its first use compares them. Its index; 0: there is nothing to translate, it is known, or no room.
   */
  translateAhead({ eip, mode, gpaPage, gpaPage2 }: HotBlock): number {
    const hostStart = this.native.codeCursor();
    const full = hostStart + CODE_CACHE_RESERVE > this.buffers.code.byteLength || this.mapCursor + CODE_CACHE_RESERVE > this.buffers.meta.byteLength;
    if (full || this.aheadBytes > WARM_CODE_BYTES) return 0;
    const { ram } = this.memory;
    const gpa = gpaPage * PAGE + (eip & (PAGE - 1));
    // A copy: what is decoded and what is emitted must be the same bytes, whoever writes to the page meanwhile.
    const { source } = this;
    const first = Math.min(PAGE - (gpa & (PAGE - 1)), source.length);
    const crossing = gpaPage2 !== NO_PAGE;
    source.fill(0);
    source.set(ram.subarray(gpa, gpa + first));
    if (crossing) source.set(ram.subarray(gpaPage2 * PAGE, gpaPage2 * PAGE + Math.max(0, CROSSING_WINDOW - first)), first);
    const request = {
      eip, mode, guest: source, offset: 0, available: first, crossing: false, hostStart, mapStart: this.mapCursor >> 1,
      reachesUser: (at: number) => this.userAccesses.has(gpa + at - eip),
      touchesFirst: (at: number) => this.firstTouches.has(gpa + at - eip),
    };
    let result = this.translator.translate(request);
    if (result === 'truncated') {
      if (!crossing) return 0;
      request.available = CROSSING_WINDOW;
      request.crossing = true;
      result = this.translator.translate(request);
    }
    if (result === 'truncated' || result.guestBytes === 0) return 0;
    // How a block ends may hang on the instruction behind it.
    const sourceBytes = request.crossing ? result.guestBytes : Math.min(first, result.guestBytes + MAX_INSTRUCTION_BYTES);
    const sourceAt = this.mapCursor + result.mapCount * 4;
    this.metaBytes.set(source.subarray(0, sourceBytes), sourceAt);
    const m = this.mailbox;
    m[Mailbox.HostStart] = hostStart;
    m[Mailbox.HostBytes] = result.hostBytes;
    m[Mailbox.Eip] = eip;
    m[Mailbox.GpaPage] = gpaPage;
    m[Mailbox.GpaPage2] = request.crossing ? gpaPage2 : NO_PAGE;
    m[Mailbox.Mode] = mode;
    m[Mailbox.MapOffset] = this.mapCursor;
    m[Mailbox.MapCount] = result.mapCount;
    m[Mailbox.Source] = sourceAt;
    m[Mailbox.SourceBytes] = sourceBytes;
    const index = this.native.installWarm();
    if (index === 0) return 0;
    this.mapCursor = (sourceAt + sourceBytes + 3) & ~3;
    this.aheadBytes += result.hostBytes;
    return index;
  }

  /** Drops every block: the cache or one of its tables is full. */
  flush(): void {
    this.evictedBlocks += Number(this.state.u64[(stateOffset.counters >> 3) + Counter.BlocksHeld]);
    this.native.flushCode();
    this.mapCursor = 0;
    this.aheadBytes = 0;
    this.flushes++;
  }
}
