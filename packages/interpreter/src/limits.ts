/** Limits of the interpreter; each with its unit and the reason. */

/** Instructions a cached block holds at most: interrupts are looked at between blocks. */
export const BLOCK_INSTRUCTIONS = 32;
/** Iterations of a string instruction before interrupts are looked at again. */
export const STRING_CHUNK = 4096;
/** Blocks kept before the whole decode cache is dropped: bounds the heap (about 1.5 KB a block). */
export const CACHED_BLOCKS = 150_000;
/** Entries of the direct-mapped front of the decode cache; a power of two. */
export const FRONT_ENTRIES = 1 << 17;
/** TLB entries remembered for a cheap flush; beyond this the whole table is cleared. */
export const TLB_LIST = 1 << 14;
/** Physical address bits where CPUID leaf 8000_0008h does not say (SDM 3A, 4.1.4). */
export const PHYSICAL_BITS = 36;
