/** Limits of the virtio devices, with unit and reason. */

/** Entries of virtio-blk's queue: requests in flight. A block port has 64 slots; the rest waits there. */
export const BLK_QUEUE_SIZE = 256;
/** Entries of each of virtio-net's data queues: a 64 KiB frame in 1500-byte buffers takes 44. */
export const NET_QUEUE_SIZE = 1024;
/** Entries of virtio-net's control queue: drivers wait for each command. */
export const NET_CONTROL_QUEUE_SIZE = 64;

/**
 * Descriptors in one chain, direct and indirect together. The largest queue
 * there is; drivers keep well below (blk: BLK_SEGMENTS + 2).
 */
export const CHAIN_DESCRIPTORS = 1024;
/** Data segments of one block request: a chain of them with header and status fits the queue. */
export const BLK_SEGMENTS = BLK_QUEUE_SIZE - 2;
/** Sectors (512 bytes) of one discard or write-zeroes: 2 GiB, so that each ends in reasonable time. */
export const BLK_DISCARD_SECTORS = 1 << 22;
/** Bytes of a virtio-blk serial number (VIRTIO 1.1, 5.2.6). */
export const BLK_ID_BYTES = 20;

/** Bytes of an Ethernet frame, without frame check sequence: header alone, and the largest segmentation offload makes. */
export const MIN_FRAME_BYTES = 14;
export const MAX_FRAME_BYTES = 65_550;
/** Addresses kept of each of the guest's two MAC tables; with more, the filter lets all of that kind pass. */
export const MAC_TABLE_ENTRIES = 64;

/** Virtqueues a device may have: bounds what a saved state can hold. */
export const MAX_QUEUES = 8;

/**
 * Nanoseconds that the interrupt for sent frames may wait, so that one serves
 * many. Drivers also look when they send or receive, so it is seldom missed.
 */
export const TX_INTERRUPT_DELAY_NS = 100_000;
/** Sent frames that end the wait at once: a quarter of the queue. */
export const TX_INTERRUPT_FRAMES = NET_QUEUE_SIZE / 4;
