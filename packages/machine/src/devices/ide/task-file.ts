/**
 * A drive's registers. Both drives of a channel take what is written to
 * registers 1 to 5; only the one that is selected answers. Source:
 * ATA/ATAPI-6, 6.2 (addresses), 6.20 (48-bit registers), 9.12 (signature).
 */
import type { DriveState } from './drive-state';
import { Device, SIGNATURE } from './registers';

const PAIRS = { 1: 'features', 2: 'count', 3: 'low', 4: 'middle', 5: 'high' } as const;

export function readTask(drive: DriveState, register: number, older: boolean): number {
  return register === 1 ? drive.error : drive[PAIRS[register as 2 | 3 | 4 | 5]][older ? 1 : 0];
}

export function writeTask(drive: DriveState, register: number, value: number): void {
  const pair = drive[PAIRS[register as 1 | 2 | 3 | 4 | 5]];
  pair[1] = pair[0];
  pair[0] = value;
}

/** What tells a disk from a packet device, and either from nothing. */
export function showSignature(drive: DriveState, kind: 'disk' | 'cdrom' | undefined): void {
  const { middle, high, status } = SIGNATURE[kind ?? 'disk'];
  Object.assign(drive, { count: [1, 0], low: [1, 0], middle: [middle, 0], high: [high, 0], error: 1, status: kind ? status : 0 });
}

/** Sectors that a command is for. */
export function sectorCount({ count }: DriveState, ext: boolean): number {
  return ext ? (count[1] << 8) | count[0] || 65536 : count[0] || 256;
}

/** Number of the first sector; -1 for an address that the drive's geometry does not have. */
export function sectorAddress({ low, middle, high, heads, sectorsPerTrack }: DriveState, device: number, ext: boolean): number {
  const low24 = low[0] + middle[0] * 0x100 + high[0] * 0x10000;
  if (ext) return low24 + (low[1] + middle[1] * 0x100 + high[1] * 0x10000) * 0x1000000;
  const head = device & 15;
  if (device & Device.LBA) return low24 + head * 0x1000000;
  if (low[0] === 0 || low[0] > sectorsPerTrack || head >= heads) return -1;
  return ((high[0] * 256 + middle[0]) * heads + head) * sectorsPerTrack + low[0] - 1;
}

/** Puts a sector's number where commands have theirs; gives the device register. */
export function showAddress(drive: DriveState, device: number, sector: number, ext: boolean): number {
  const byte = (value: number, index: number): number => Math.floor(value / 2 ** (8 * index)) & 0xff;
  const { heads, sectorsPerTrack } = drive;
  if (ext || device & Device.LBA) {
    drive.low = [byte(sector, 0), ext ? byte(sector, 3) : 0];
    drive.middle = [byte(sector, 1), ext ? byte(sector, 4) : 0];
    drive.high = [byte(sector, 2), ext ? byte(sector, 5) : 0];
    return ext ? device : (device & 0xf0) | (byte(sector, 3) & 15);
  }
  const track = Math.floor(sector / sectorsPerTrack);
  const cylinder = Math.floor(track / heads);
  drive.low = [((sector % sectorsPerTrack) + 1) & 0xff, 0];
  drive.middle = [byte(cylinder, 0), 0];
  drive.high = [byte(cylinder, 1), 0];
  return (device & 0xf0) | ((track % heads) & 15);
}
