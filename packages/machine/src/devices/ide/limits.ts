/** Limits of the IDE controller, with unit and reason. */

/** Sectors that READ and WRITE MULTIPLE move between two interrupts: what drives of the time had, and small beside the buffer. */
export const MAX_MULTIPLE = 16;
/** Bytes of a channel's own buffer: the largest byte count of a packet command's phase, and more than MAX_MULTIPLE sectors. */
export const BUFFER_BYTES = 64 * 1024;
/** Entries of a physical region table that are looked at: the table is at most 64 KiB long (Bus Master IDE 1.0, 1.2). */
export const MAX_REGIONS = 8192;
/** Sectors that a PIO command asks of the disk at a time: the buffer. A request a sector would wait for the disk's thread each time. */
export const STEP_SECTORS = 128;
/** 512-byte blocks of ranges in one DATA SET MANAGEMENT: 64 ranges of at most 32 MiB end in reasonable time. */
export const TRIM_BLOCKS = 1;
/** CD blocks of 2048 bytes that are read at a time by PIO: a byte count of 16 bits holds no more. */
export const CD_BUFFER_BLOCKS = 31;
/** CD blocks of an 80-minute disc: what is larger calls itself a DVD. */
export const CD_MAX_BLOCKS = 80 * 60 * 75;
