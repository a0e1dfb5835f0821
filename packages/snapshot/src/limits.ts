/** Limits of this package, each with its unit and reason. What is read is checked against them before anything is allocated. */

/** Bytes of one named section: the largest known is a display adapter's memory of 16 MiB. */
export const MAX_SECTION_BYTES = 64 * 1024 * 1024;

/** Bytes of all named sections: they are held in memory together until the VM takes them over. */
export const MAX_SECTIONS_BYTES = 256 * 1024 * 1024;

/** Named sections of one file; a machine has some twenty. */
export const MAX_SECTIONS = 256;

/** Bytes of the file's header that a future version may use; more is not a header. */
export const MAX_HEADER_BYTES = 4096;

/** Guest RAM in bytes: what IA-32 can address with PAE. */
export const MAX_MEMORY_BYTES = 64 * 1024 ** 3;

/** Guest RAM is saved in pages of this many bytes, IA-32's own. */
export const PAGE_BYTES = 4096;

/** Pages of one batch, 256 KiB: larger ones compress no better, smaller ones worse (1.56 against 1.80 for single pages). */
export const BATCH_PAGES = 64;
export const BATCH_BYTES = BATCH_PAGES * PAGE_BYTES;

/** A batch is stored compressed if that leaves at most this share of it: unpacking for less gain costs more than reading. */
export const WORTH_COMPRESSING = 15 / 16;

/** Bytes of one write to the sink and one read from the source: amortises a round trip to a file server. */
export const IO_BYTES = 2 * 1024 * 1024;

/** Writes under way at a time: one at the disk, one queued, one being filled. */
export const IO_BUFFERS = 3;

/** Characters of a section's name and of the writer's version: fixed fields of the format. */
export const NAME_BYTES = 32;
