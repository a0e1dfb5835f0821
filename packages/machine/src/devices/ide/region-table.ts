/** Physical region descriptors: where in guest RAM a DMA transfer goes. Source: Bus Master IDE 1.0, 1.2. */
import type { BusMaster } from '../../ports/bus-master';
import { MAX_REGIONS } from './limits';

const ENTRY_BYTES = 8;
const LAST = 0x80000000;

export interface Region {
  readonly gpa: number;
  readonly length: number;
}
export interface Regions {
  readonly segments: readonly Region[];
  /** The table describes no more than was asked for. */
  readonly exhausted: boolean;
}

/** The first `bytes` of the table's memory, adjacent regions joined; undefined when it describes less, or anything outside RAM. */
export function readRegions(bus: BusMaster, table: number, bytes: number): Regions | undefined {
  const segments: { gpa: number; length: number }[] = [];
  let left = bytes;
  let exhausted = false;
  for (let entry = 0; entry < MAX_REGIONS && left > 0 && !exhausted; entry++) {
    const view = bus.view(table + entry * ENTRY_BYTES, ENTRY_BYTES);
    if (!view) return undefined;
    const words = new DataView(view.buffer, view.byteOffset, ENTRY_BYTES);
    const gpa = (words.getUint32(0, true) & ~1) >>> 0;
    const flags = words.getUint32(4, true);
    const whole = flags & 0xfffe || 0x10000;
    const length = Math.min(left, whole);
    const previous = segments.at(-1);
    if (previous && previous.gpa + previous.length === gpa) previous.length += length;
    else segments.push({ gpa, length });
    left -= length;
    exhausted = (flags & LAST) !== 0 && (left > 0 || length === whole);
  }
  if (left > 0 || segments.some(({ gpa, length }) => !bus.view(gpa, length))) return undefined;
  return { segments, exhausted };
}
