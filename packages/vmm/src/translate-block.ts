import type { VcpuState } from '@godwit/cpu';
import { Mailbox, type Buffers, type Native } from '@godwit/metal';
import type { Translator } from '@godwit/translator';
import type { GuestMemory } from './guest-memory';
import { CODE_CACHE_RESERVE } from './limits';

const NO_PAGE = 0xffffffff;
const PAGE = 4096;
const CROSSING_WINDOW = 30;
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
  private mapCursor = 0;
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

  /** Drops every block: the cache or one of its tables is full. */
  flush(): void {
    this.native.flushCode();
    this.mapCursor = 0;
    this.flushes++;
  }
}
