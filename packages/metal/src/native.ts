import path from 'node:path';

/**
 * The native contract: the twin of native/addon.cc, same names in the same
 * order. Bulk data lives in shared buffers; no call carries more than a few
 * numbers, and none allocates on the hot path.
 */
export interface Native {
  /** `unsupported` says in one sentence what this host lacks, or is null. `fields` are the state block's names and offsets as C++ sees them. */
  hostInfo(): { unsupported: string | null; fsgsbase: boolean; fields: [string, number][] };
  /** Reserves everything for the process's one VM. Throws with a clear message when the host refuses. */
  create(ramBytes: number, codeBytes: number): Buffers;
  /** Makes the calling thread the vCPU. */
  attach(): void;
  /** Runs guest code until TypeScript is needed; returns an ExitReason. */
  run(): number;
  /** Installs the block described in the mailbox (see Mailbox); its index, or 0 when the table is full. */
  install(): number;
  /**
   * Installs the block described in the mailbox, `Source` and `SourceBytes` included, for when it is first found:
   * it is used if the guest's bytes there are the same then. Its index; 0: no room, or there is such a block.
   */
  installWarm(): number;
  /** What became of it: 0 gone (now at the latest, if its bytes have changed), 1 good so far, 2 in use. */
  reviewWarm(index: number): number;
  /** Forgets some of the links and table entries, so that blocks in use are found anew; false: all are forgotten. vCPU's thread, outside run(). */
  coolSlice(begin: boolean): boolean;
  /**
   * Blocks found since the last call (or since cooling began), then with `all` the others, newest first. Two words each: eip;
   * page | mode << 24; three with bit 31 set in the second: the page of its last bytes. How many words. Any thread; untrustworthy.
   */
  listHot(out: Uint32Array, all: boolean): number;
  /** How many of the last list's words are of blocks found in its period. */
  listedHot(): number;
  /** RAM of this guest page is about to be written from TypeScript. */
  invalidatePage(gpaPage: number): void;
  /** That page's code is to be translated anew. */
  dropBlocks(gpaPage: number): void;
  /** 0: CR3 reload, 1: global entries too, 2: everything changed (paging mode, WP, NX). */
  flushTlb(kind: 0 | 1 | 2): void;
  flushPage(linear: number): void;
  /** Drops every block; the code cache starts empty. */
  flushCode(): void;
  /** Delivers an interrupt or exception by the fast path; `errorCode` -1: none. False: nothing was done. */
  deliver(vector: number, errorCode: number): boolean;
  executeHost(code: Uint8Array): number;
  /** From any thread: makes run() return soon and ends sleep(). */
  kick(): void;
  /** Kicks the vCPU in that many nanoseconds; <= 0 disarms. */
  setDeadline(nanoseconds: number): void;
  /** Waits until kicked, at most that long. */
  sleep(nanoseconds: number): void;
  /** First free byte of the code cache. */
  codeCursor(): number;
  hostCpuid(leaf: number, subleaf: number, out: Uint32Array): void;
  /** XCR0 as the host's kernel set it: which state components there are. */
  hostXcr0(): number;
  hostTsc(): bigint;
  /** The host's TSC at the guest's rate (state field tscScale), without the guest's offset. */
  vcpuTsc(): bigint;
  /** Guest RAM as an ArrayBuffer of the calling thread's own; for threads other than the one that called create(). */
  ram(): ArrayBuffer;
  /** The dirty log as it stands, one byte a page; any thread may look. */
  dirtyPages(): ArrayBuffer;
  /** Stretches of RAM with memory behind them: (first page, pages) pairs into `out`; how many pairs. The rest is zero. Any thread. */
  populated(out: Uint32Array): number;
  /**
   * Begins a round of the dirty log: `out` gets one byte a page, 1 = written since
   * the last round (or since logging ended). vCPU's thread only, outside run().
   */
  beginDirtyRound(out: Uint8Array): void;
  endDirtyLog(): void;
  /** The sum of packages/migration/src/stream/page-sum.ts over `count` words from word `from` on, into `out`. Any thread, no VM needed; the next two, too. */
  sumWords(words: Int32Array, from: number, count: number, seed: number, out: Uint32Array): void;
  /**
   * Looks at pages by number. Five words each into `found`: kind (0 zero, 1 raw, 2 filled with one word), sum (2), that word (2). Raw ones
   * are copied to `area`, one behind the other from its page `slot` on; how many. What is summed is what was copied.
   */
  gatherPages(ram: Int32Array, pages: Uint32Array, count: number, area: Int32Array, slot: number, found: Uint32Array): number;
  /** Copies pages of `area` into RAM from page `first` on; two words of sum each. `fresh`: most have no memory behind them yet. */
  scatterPages(area: Uint8Array, slot: number, ram: Int32Array, first: number, count: number, fresh: boolean, sums: Uint32Array): void;
  monotonicNs(): number;
  destroy(): void;
}

export interface Buffers {
  ram: ArrayBuffer;
  state: ArrayBuffer;
  /** One byte a guest page: bit 0: translated code was taken from it; bit 1: the dirty log waits for its first write. Non-zero: tell invalidatePage before writing. */
  watched: ArrayBuffer;
  dirty: ArrayBuffer;
  selfModify: ArrayBuffer;
  /** The code cache, writable view. */
  code: ArrayBuffer;
  /** (host offset, guest offset) pairs of u16 for every block. */
  meta: ArrayBuffer;
  mailbox: ArrayBuffer;
  /** Four u16 tables by site (see first-touch sites in packages/vmm): faults, first touches, misses on known pages: pushed out, flushed. */
  sites: ArrayBuffer;
}

/** u32 indices into the mailbox. */
export const enum Mailbox {
  HostStart = 0,
  HostBytes = 1,
  Eip = 2,
  GpaPage = 3,
  /** Second guest page for a block that crosses a border, or 0xFFFFFFFF. */
  GpaPage2 = 4,
  Mode = 5,
  MapOffset = 6,
  MapCount = 7,
  /** Of a warm block: where in `meta` the guest's bytes lie, and how many. */
  Source = 8,
  SourceBytes = 9,
}

let loaded: Native | undefined;

/** Loads the addon; throws an Error with code GODWIT_METAL whose message tells what to do when it is not built. */
export function loadNative(): Native {
  if (loaded) return loaded;
  const file = path.join(__dirname, '..', 'build', process.env.GODWIT_NATIVE ?? 'Release', 'godwit_metal.node');
  try {
    loaded = require(file) as Native;
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    throw Object.assign(new Error(`the native layer is not built for this Node (${why}): run npm run build`), { code: 'GODWIT_METAL' });
  }
  return loaded;
}
