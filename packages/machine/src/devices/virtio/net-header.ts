/**
 * The header before each frame, by which driver and network leave checksums
 * and TCP segmentation to each other (VIRTIO 1.1, 5.1.6). Ten bytes and, with
 * merged receive buffers or a modern driver, their number:
 *
 *   0 flags   1 GSO type   2 header length   4 GSO size   6 checksum start   8 checksum offset   10 buffers
 */
import { get16, set16 } from './bytes';
import { MAX_FRAME_BYTES } from './limits';

export const HEADER_BYTES = 12;
export const SHORT_HEADER_BYTES = 10;
export const BUFFERS = 10;

const NEEDS_CHECKSUM = 1;
const DATA_VALID = 2;
const GSO_TCP4 = 1;
const GSO_TCP6 = 4;
const GSO_ECN = 0x80;

/** What one side may leave to the other. */
export interface Offloads {
  readonly checksum: boolean;
  readonly tso4: boolean;
  readonly tso6: boolean;
  readonly ecn: boolean;
}

export const NO_OFFLOADS: Offloads = { checksum: false, tso4: false, tso6: false, ecn: false };

/** Whether a frame's header asks only for what was agreed on and lies within the frame. */
export function headerValid(header: Uint8Array, frameBytes: number, agreed: Offloads): boolean {
  const needsChecksum = (header[0] & NEEDS_CHECKSUM) !== 0;
  if (needsChecksum && (!agreed.checksum || get16(header, 6) + get16(header, 8) + 2 > frameBytes)) return false;
  return header[1] === 0 || (needsChecksum && segmentationValid(header, frameBytes, agreed));
}

function segmentationValid(header: Uint8Array, frameBytes: number, agreed: Offloads): boolean {
  const type = header[1] & ~GSO_ECN;
  if (header[1] & GSO_ECN && !agreed.ecn) return false;
  if (!((type === GSO_TCP4 && agreed.tso4) || (type === GSO_TCP6 && agreed.tso6))) return false;
  return get16(header, 4) > 0 && get16(header, 2) <= frameBytes;
}

/** Copies the fields that a network is to see: nothing a driver made up beside them. */
export function cleanHeader(header: Uint8Array): void {
  header[0] &= NEEDS_CHECKSUM;
  if (header[0] === 0) header.fill(0);
  set16(header, BUFFERS, 0);
}

/**
 * Makes a received frame one that the driver understands: the frame itself,
 * its checksum filled in where the driver takes no open ones, or undefined for
 * a train of segments that it cannot take. Changes `header` along with it.
 */
export function adapt(frame: Uint8Array, header: Uint8Array, agreed: Offloads): Uint8Array | undefined {
  if (header[0] & NEEDS_CHECKSUM && !agreed.checksum && header[1] === 0) {
    const filled = fillChecksum(frame, get16(header, 6), get16(header, 8));
    header.fill(0);
    return filled;
  }
  header[0] &= agreed.checksum ? NEEDS_CHECKSUM | DATA_VALID : 0;
  return headerValid(header, frame.length, agreed) ? frame : undefined;
}

const scratch = new Uint8Array(MAX_FRAME_BYTES);

/** Internet checksum (RFC 1071) from `start` to the end, stored `offset` bytes behind it; the field holds the pseudo header's sum. */
function fillChecksum(frame: Uint8Array, start: number, offset: number): Uint8Array | undefined {
  if (start + offset + 2 > frame.length) return undefined;
  const copy = scratch.subarray(0, frame.length);
  copy.set(frame);
  let sum = 0;
  for (let at = start; at < copy.length; at += 2) sum += (copy[at] << 8) | (at + 1 < copy.length ? copy[at + 1] : 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  // UDP says "no checksum" with zero, so a sum that comes out as zero is sent as its other form (RFC 768).
  const checksum = ~sum & 0xffff || 0xffff;
  copy[start + offset] = checksum >> 8;
  copy[start + offset + 1] = checksum;
  return copy;
}
