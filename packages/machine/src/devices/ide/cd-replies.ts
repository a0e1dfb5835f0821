/** Bytes that a CD-ROM drive answers with: one data track from block 0 to the disc's end. Sources: MMC-3; SPC-2; SFF-8020i. */
import { CD_MAX_BLOCKS } from './limits';
import { BLOCK_BYTES } from './packet-transfer';

const DATA_TRACK = 0x14;
const LEAD_OUT = 0xaa;
const Profile = { cdRom: 0x08, dvdRom: 0x10 } as const;

export const bytes32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
const bytes16 = (value: number): number[] => [value >> 8, value & 255];
const zeros = (count: number): number[] => new Array<number>(count).fill(0);
const text = (value: string): number[] => Array.from(value, (letter) => letter.charCodeAt(0));

export const INQUIRY = [0x05, 0x80, 0x00, 0x21, 31, 0, 0, 0, ...text('GODWIT  '), ...text('CD-ROM          '), ...text('1.0 ')];

/** Fixed format (SPC-2, 7.20). */
export const senseData = (key: number, code: number): number[] => [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, ...bytes16(code), 0, 0, 0, 0];

/** READ CAPACITY: the last block, as far as 32 bits go. */
export const capacity = (blocks: number): number[] => [...bytes32(Math.min(blocks - 1, 0xffffffff)), ...bytes32(BLOCK_BYTES)];

/** Minute, second and frame; a disc that is longer than a byte of minutes ends there. */
function msf(block: number): number[] {
  const frames = block + 150;
  return [Math.min(255, Math.floor(frames / 4500)), Math.floor(frames / 75) % 60, frames % 75];
}
const address = (block: number, asMsf: boolean): number[] => (asMsf ? [0, ...msf(block)] : bytes32(Math.min(block, 0xffffffff)));

/** READ TOC, formats 0 to 2 (MMC-3, 5.23); undefined for others, and for a first track that is not there. */
export function tableOfContents(format: number, firstTrack: number, asMsf: boolean, blocks: number): number[] | undefined {
  if (format === 1) return [0, 10, 1, 1, 0, DATA_TRACK, 1, 0, ...address(0, asMsf)];
  if (format === 2) return fullTable(blocks);
  if (format !== 0 || (firstTrack > 1 && firstTrack !== LEAD_OUT)) return undefined;
  const track = firstTrack === LEAD_OUT ? [] : [0, DATA_TRACK, 1, 0, ...address(0, asMsf)];
  const all = [...track, 0, 0x16, LEAD_OUT, 0, ...address(blocks, asMsf)];
  return [...bytes16(all.length + 2), 1, 1, ...all];
}

function fullTable(blocks: number): number[] {
  const entry = (point: number, at: readonly number[]): number[] => [1, DATA_TRACK, 0, point, 0, 0, 0, 0, ...at];
  const entries = [...entry(0xa0, [1, 0, 0]), ...entry(0xa1, [1, 0, 0]), ...entry(0xa2, msf(blocks)), ...entry(1, msf(0))];
  return [...bytes16(entries.length + 2), 1, 1, ...entries];
}

/** MODE SENSE: the pages asked for, or undefined. */
export function modePages(page: number, locked: boolean): number[] | undefined {
  const recovery = [0x01, 6, 0, 0, 0, 0, 0, 0];
  // Reads CD-R, CD-RW and DVD-ROM, no audio; a tray that can be locked and opened; 24 times a CD's speed (176 kB/s).
  const speed = bytes16(24 * 176);
  const capabilities = [0x2a, 18, 0x0b, 0, 0, 0, locked ? 0x2b : 0x29, 0, ...speed, 0, 2, 0, 128, ...speed, 0, 0, 0, 0];
  const pages: Record<number, number[]> = { 0x01: recovery, 0x2a: capabilities, 0x3f: [...recovery, ...capabilities] };
  return pages[page];
}

const profileOf = (blocks: number): number => (blocks === 0 ? 0 : blocks > CD_MAX_BLOCKS ? Profile.dvdRom : Profile.cdRom);

/**
 * GET CONFIGURATION (MMC-3, 5.6). `blocks` is 0 without a medium. `kind`: 0 all
 * features from `first` on, 1 only current ones, 2 only that very one.
 */
export function configuration(kind: number, first: number, blocks: number): number[] {
  const current = profileOf(blocks);
  const present = blocks > 0;
  const profile = (number: number): number[] => [...bytes16(number), number === current ? 1 : 0, 0];
  const features = [
    { number: 0x00, current: true, data: [...profile(Profile.dvdRom), ...profile(Profile.cdRom)] },
    { number: 0x01, current: true, data: [0, 0, 0, 2] }, // core: ATAPI
    { number: 0x03, current: true, data: [0x29, 0, 0, 0] }, // removable medium: tray, eject, lock
    { number: 0x10, current: present, data: [...bytes32(BLOCK_BYTES), 0, 1, 0, 0] }, // random readable
    { number: 0x1e, current: current === Profile.cdRom, data: [0, 0, 0, 0] }, // CD read
    { number: 0x1f, current: current === Profile.dvdRom, data: [0, 0, 0, 0] }, // DVD read
  ];
  const wanted = features.filter((each) => (kind === 2 ? each.number === first : each.number >= first && (kind !== 1 || each.current)));
  const body = wanted.flatMap(({ number, current: now, data }) => [...bytes16(number), now ? 3 : 2, data.length, ...data]);
  return [...bytes32(body.length + 4), 0, 0, ...bytes16(current), ...body];
}

export const MediaEvent = { none: 0, ejectRequest: 1, newMedium: 2, gone: 3 } as const;

/** GET EVENT STATUS NOTIFICATION (MMC-3, 5.7), of the medium; without that class, the header alone. */
export function mediaEvent(wanted: boolean, event: number, trayOpen: boolean, present: boolean): number[] {
  if (!wanted) return [0, 2, 0x80, 0x10];
  return [0, 6, 4, 0x10, event, (trayOpen ? 1 : 0) | (present ? 2 : 0), 0, 0];
}

/** READ DISC INFORMATION (MMC-3, 5.19): complete, one session, one track. */
export const DISC_INFORMATION = [0, 32, 0x0e, 1, 1, 1, 1, 0x20, ...zeros(26)];

/** READ DVD STRUCTURE, format 0 (MMC-3, 5.22): a single-layer DVD-ROM. */
export function dvdPhysical(blocks: number): number[] {
  const last = bytes32(blocks - 1);
  const length = 2 + BLOCK_BYTES;
  return [...bytes16(length), 0, 0, 0x01, 0x0f, 0x01, 0, 0, 0, 0, 0, ...last, ...last, ...zeros(BLOCK_BYTES - 16)];
}
export const isDvd = (blocks: number): boolean => profileOf(blocks) === Profile.dvdRom;
