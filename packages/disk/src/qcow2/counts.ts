/** Refcounts within a block: 1 to 64 bits wide, big-endian, those under a byte from its low end (qcow2.txt, "Refcount table"). */
import { readU64, writeU64 } from '../bytes';

export function readCount(view: DataView, slot: number, bits: number): number {
  if (bits === 16) return view.getUint16(slot * 2);
  if (bits < 8) return (view.getUint8((slot * bits) >>> 3) >>> ((slot * bits) & 7)) & ((1 << bits) - 1);
  if (bits === 8) return view.getUint8(slot);
  return bits === 32 ? view.getUint32(slot * 4) : readU64(view, slot * 8);
}

export function writeCount(view: DataView, slot: number, bits: number, count: number): void {
  if (bits === 16) view.setUint16(slot * 2, count);
  else if (bits < 8) {
    const at = (slot * bits) >>> 3;
    const shift = (slot * bits) & 7;
    const mask = ((1 << bits) - 1) << shift;
    view.setUint8(at, (view.getUint8(at) & ~mask) | (count << shift));
  } else if (bits === 8) view.setUint8(slot, count);
  else if (bits === 32) view.setUint32(slot * 4, count);
  else writeU64(view, slot * 8, count);
}

/** Largest count of that width, as far as it matters here. */
export const maxCount = (bits: number): number => (bits >= 53 ? Number.MAX_SAFE_INTEGER : 2 ** bits - 1);
