import { MAX_HINT_BYTES } from '@godwit/migration';

/**
 * The list of hot blocks, hottest first, as it travels to another host or lies in a
 * saved machine's file. Little-endian u32:
 *
 *     magic, version, n, hot, n × guest-physical address of a supervisor instruction that reaches user memory,
 *     then for each block (the words of those known to be hot are `hot`): eip, page | mode << 24 | crossing << 31 [, page of the last bytes, if crossing]
 *
 * `page`: the guest-physical page of the block's first byte, whose place in the page is
 * eip's. `mode`: the mode key (translator's Mode). Whoever reads a list believes none of it.
 */
const MAGIC = 0x42485747; // "GWHB"
const VERSION = 1;
const HEADER_WORDS = 4;
const CROSSING = 0x80000000;
const PAGE_MASK = 0xffffff, MODE_MASK = 0x7f;
export const NO_PAGE = 0xffffffff;

/** Instructions told in one list; a kernel has some hundreds. */
export const MAX_USER_ACCESSES = 8192;
/** Words of blocks that fit into a list of the most bytes that a migration carries. */
export const listRoom = (userAccesses: number): number => MAX_HINT_BYTES / 4 - HEADER_WORDS - userAccesses;

export interface HotBlock {
  eip: number;
  mode: number;
  gpaPage: number;
  /** NO_PAGE unless the block's one instruction crosses a page border. */
  gpaPage2: number;
  /** It ran shortly before the list was made. */
  hot: boolean;
}

export interface WarmList {
  userAccesses: Uint32Array;
  /** As they were encoded: read with `blocksOf`. */
  blocks: Uint32Array;
  /** Words of `blocks` that hold the hot ones. */
  hotWords: number;
}

export function encodeWarmList({ userAccesses, blocks, hotWords }: WarmList): Uint8Array {
  const words = new Uint32Array(HEADER_WORDS + userAccesses.length + blocks.length);
  words.set([MAGIC, VERSION, userAccesses.length, hotWords]);
  words.set(userAccesses, HEADER_WORDS);
  words.set(blocks, HEADER_WORDS + userAccesses.length);
  return new Uint8Array(words.buffer);
}

/** Undefined for what is no such list, or one of another version: it is a hint, not more. */
export function decodeWarmList(bytes: Uint8Array): WarmList | undefined {
  if (bytes.length % 4 !== 0 || bytes.length < HEADER_WORDS * 4 || bytes.length > MAX_HINT_BYTES) return undefined;
  const words = new Uint32Array(bytes.slice().buffer);
  const [magic, version, count, hotWords] = words;
  if (magic !== MAGIC || version !== VERSION || count > MAX_USER_ACCESSES || HEADER_WORDS + count > words.length) return undefined;
  return { userAccesses: words.subarray(HEADER_WORDS, HEADER_WORDS + count), blocks: words.subarray(HEADER_WORDS + count), hotWords };
}

/** The blocks one by one; ends early where a list is cut off. */
export function* blocksOf({ blocks: words, hotWords }: WarmList): Generator<HotBlock> {
  for (let at = 0; at + 1 < words.length; ) {
    const hot = at < hotWords, eip = words[at++], packed = words[at++];
    const crossing = packed >= CROSSING;
    if (crossing && at >= words.length) return;
    yield { eip, mode: (packed >>> 24) & MODE_MASK, gpaPage: packed & PAGE_MASK, gpaPage2: crossing ? words[at++] : NO_PAGE, hot };
  }
}
