/** CRC-32 as zlib computes it, at memory speed. */
import { crc32 as zlibCrc32 } from 'node:zlib';

/** @param start the checksum of what came before */
export const crc32 = (bytes: Uint8Array, start = 0): number => zlibCrc32(bytes, start);

const CHECKSUM_BYTES = 4;

/**
 * Checksum over several pieces that each end with their own: that one is left out,
 * since a CRC over any bytes and their CRC comes out the same.
 */
export const chained = (bytes: Uint8Array, start = 0): number => crc32(bytes.subarray(0, bytes.length - CHECKSUM_BYTES), start);
