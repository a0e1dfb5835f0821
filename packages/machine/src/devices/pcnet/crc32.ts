/** CRC-32 of Ethernet (IEEE 802.3, 3.2.9), bits in the order they are sent; four bytes a step. */

const POLYNOMIAL = 0xedb88320;
const TABLES = makeTables();

/** The register after these bytes, from ones, not inverted: the top six bits select in a logical address filter. */
export function crc32Register(bytes: Uint8Array, length: number): number {
  const [t0, t1, t2, t3] = TABLES;
  let crc = -1;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc = t3[crc & 0xff] ^ t2[(crc >>> 8) & 0xff] ^ t1[(crc >>> 16) & 0xff] ^ t0[crc >>> 24];
  }
  for (; at < length; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]) & 0xff];
  return crc >>> 0;
}

/** The frame check sequence as a number; it goes out low byte first. */
export const frameCheck = (bytes: Uint8Array, length: number): number => ~crc32Register(bytes, length) >>> 0;

function makeTables(): Int32Array[] {
  const tables = Array.from({ length: 4 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let step = 1; step < 4; step++) {
    for (let byte = 0; byte < 256; byte++) {
      const before = tables[step - 1][byte];
      tables[step][byte] = (before >>> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}
