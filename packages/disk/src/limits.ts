/** Every limit of this package, with its unit and its reason. */

/** Unit of disks' addresses and sizes. */
export const SECTOR_BYTES = 512;

/** Smallest and largest qcow2 cluster, as powers of two: 512 bytes (qcow2 specification) to 2 MiB (QEMU's limit). */
export const MIN_CLUSTER_BITS = 9;
export const MAX_CLUSTER_BITS = 21;
/** What new images get: 64 KiB, QEMU's default, at which one L2 table maps 512 MiB. */
export const DEFAULT_CLUSTER_BYTES = 65_536;

/** Bytes of an L1 table that are taken into memory: QEMU's limit; at 64 KiB clusters it maps 2 PiB. */
export const MAX_L1_BYTES = 32 * 1024 * 1024;
/** Bytes of a refcount table that are taken into memory: QEMU's limit. */
export const MAX_REFCOUNT_TABLE_BYTES = 8 * 1024 * 1024;
/** Bytes of a backing file's name (qcow2 specification). */
export const MAX_BACKING_NAME_BYTES = 1023;
/** Images in a chain, the top one included: each costs open files, caches and a step in every read of old data. */
export const MAX_CHAIN_IMAGES = 32;
/** Bytes of a virtual disk: 2^52, so that sums of offsets stay exact in a double. */
export const MAX_DISK_BYTES = 2 ** 52;
/** Bytes of an image file: the same reason. */
export const MAX_FILE_BYTES = 2 ** 52;

/** L2 tables kept in memory for each image, in bytes, and as many refcount blocks: maps 256 GiB at 64 KiB clusters. */
export const TABLE_CACHE_BYTES = 32 * 1024 * 1024;
/** Fewest tables a cache holds, whatever their size: concurrent requests each hold one. */
export const MIN_CACHED_TABLES = 8;
/** Most tables a cache holds, whatever their size: each costs some 300 bytes besides its content. */
export const MAX_CACHED_TABLES = 16_384;
/** Changed stretches of a table are written in this unit, bytes: a page of the host's cache. */
export const TABLE_WRITE_UNIT_BYTES = 4096;
/** Decompressed clusters kept for each image: a guest reads a cluster in many small requests. */
export const DECOMPRESSED_CLUSTERS_KEPT = 4;
/** Pieces of one request that are under way at once: bounds memory and the host's queue. */
export const MAX_PARTS_UNDER_WAY = 64;

/** Bytes written at once where a range is filled with zeroes by writing them. */
export const ZERO_CHUNK_BYTES = 1024 * 1024;
/** Bytes copied at once by `convertImage`. */
export const COPY_CHUNK_BYTES = 1024 * 1024;
/** Bytes of the read buffer kept for synchronous reads into several parts. */
export const SCRATCH_BYTES = 1024 * 1024;

/** Clusters of the largest file that can be checked: a count of two bytes is kept in memory for each. */
export const MAX_CHECKED_CLUSTERS = 2 ** 27;
/** Findings a check puts into words; further ones are only counted. */
export const MAX_CHECK_MESSAGES = 50;
