/** Physical region descriptors: where in guest RAM a DMA transfer goes. Source: Bus Master IDE 1.0, 1.2. */
import type { Segment } from '../../ports/block';
import type { BusMaster } from '../../ports/bus-master';
import { MAX_REGIONS } from './registers';

const LAST = 0x80000000;

/** The first `bytes` of the table's memory, adjacent regions joined; undefined when it describes less, or lies outside RAM. */
export function readRegions(bus: BusMaster, table: number, bytes: number): Segment[] | undefined {
  const segments: { gpa: number; length: number }[] = [];
  let left = bytes;
  for (let entry = 0; entry < MAX_REGIONS && left > 0; entry++) {
    const view = bus.view(table + entry * 8, 8);
    if (!view) return undefined;
    const words = new DataView(view.buffer, view.byteOffset, 8);
    const gpa = words.getUint32(0, true) & ~1;
    const flags = words.getUint32(4, true);
    const length = Math.min(left, flags & 0xfffe || 0x10000);
    const previous = segments.at(-1);
    if (previous && previous.gpa + previous.length === gpa >>> 0) previous.length += length;
    else segments.push({ gpa: gpa >>> 0, length });
    left -= length;
    if (flags & LAST) break;
  }
  return left === 0 ? segments : undefined;
}
