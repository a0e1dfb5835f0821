/** IDENTIFY DEVICE and IDENTIFY PACKET DEVICE: 256 words. Source: ATA/ATAPI-6, 8.15 and 8.16. */
import type { BlockPort } from '../../ports/block';
import type { DriveState } from './drive-state';
import { MAX_MULTIPLE, TRIM_BLOCKS } from './limits';

const LBA28_SECTORS = 0x0fffffff;
const CHS_SECTORS = 16383 * 16 * 63;

export function identifyDisk(port: BlockPort, state: DriveState): Uint8Array {
  const words = new Uint16Array(256);
  const cylinders = Math.min(16383, Math.max(1, Math.floor(port.sectors / (16 * 63))));
  words[0] = 0x0040;
  words.set([cylinders, 0, 16], 1);
  words[6] = 63;
  text(words, 10, 10, port.serial);
  text(words, 23, 4, '1.0');
  text(words, 27, 20, 'GODWIT DISK');
  words[47] = 0x8000 | MAX_MULTIPLE;
  words[48] = 1; // the data port takes 32 bits
  words[49] = 0x0f00; // IORDY, LBA, DMA
  words[50] = 0x4000;
  words[51] = 0x0200;
  words[53] = 7;
  const track = state.heads * state.sectorsPerTrack;
  const current = track === 0 ? 0 : Math.min(65535, Math.floor(Math.min(port.sectors, CHS_SECTORS) / track));
  words.set([current, state.heads, state.sectorsPerTrack], 54);
  long(words, 57, current * track);
  words[59] = state.multiple > 0 ? 0x100 | state.multiple : 0;
  long(words, 60, Math.min(port.sectors, LBA28_SECTORS));
  words[63] = 0x0007 | selected(state, 0x20);
  words[64] = 3;
  words.fill(120, 65, 69);
  words[80] = 0x00f0; // ATA/ATAPI-4 to 7
  words.set([0x4021, 0x7400, 0x4040], 82); // NOP, write cache, SMART; flush, flush ext, 48 bits; FUA
  words.set([0x4000 | (state.writeCache ? 0x20 : 0) | (state.smart ? 1 : 0), 0x3400, 0x4040], 85);
  words[88] = 0x003f | selected(state, 0x40);
  words[93] = 0x600b;
  long(words, 100, port.sectors % 2 ** 32);
  long(words, 102, Math.floor(port.sectors / 2 ** 32));
  words[105] = port.readOnly ? 0 : TRIM_BLOCKS;
  words[169] = port.readOnly ? 0 : 1; // TRIM
  return new Uint8Array(words.buffer);
}

export function identifyCdrom(state: DriveState): Uint8Array {
  const words = new Uint16Array(256);
  words[0] = 0x85c0; // packet device, CD-ROM, removable, DRQ within 50 µs, 12-byte packets
  text(words, 10, 10, 'GODWITCD');
  text(words, 23, 4, '1.0');
  text(words, 27, 20, 'GODWIT CD-ROM');
  words[49] = 0x0b00;
  words[53] = 6;
  words[63] = 0x0007 | selected(state, 0x20);
  words[64] = 3;
  words.fill(120, 65, 69);
  words[80] = 0x00f0;
  words.set([0x4210, 0x4000, 0x4000], 82); // NOP, DEVICE RESET, PACKET
  words.set([0x4210, 0x4000, 0x4000], 85);
  words[88] = 0x003f | selected(state, 0x40);
  words[93] = 0x600b;
  return new Uint8Array(words.buffer);
}

/** The mode in force, in the upper byte. */
const selected = (state: DriveState, kind: number): number =>
  (state.transferMode & 0xf8) === kind ? 0x100 << (state.transferMode & 7) : 0;

function long(words: Uint16Array, at: number, value: number): void {
  words[at] = value & 0xffff;
  words[at + 1] = Math.floor(value / 65536) & 0xffff;
}

/** Two characters a word, the first in the upper byte, padded with spaces. */
function text(words: Uint16Array, at: number, count: number, value: string): void {
  const padded = value.padEnd(count * 2).slice(0, count * 2);
  for (let i = 0; i < count; i++) words[at + i] = (padded.charCodeAt(i * 2) << 8) | padded.charCodeAt(i * 2 + 1);
}
