/** The commands of a disk, and those that a packet device shares. Source: ATA/ATAPI-6, chapter 8. */
import { ACCESSES, FLUSHES } from './accesses';
import { startAccess } from './ata-transfer';
import type { IdeChannel } from './channel';
import { setFeatures } from './features';
import { identifyCdrom, identifyDisk } from './identify';
import { MAX_MULTIPLE } from './limits';
import { Fault } from './registers';
import { smart } from './smart';
import { sectorAddress, showAddress, showSignature } from './task-file';
import { startTrim } from './trim';

type Handler = (channel: IdeChannel) => void;
const LAST_LBA28 = 0x0fffffff;
const ACTIVE_OR_IDLE = 0xff;

export function startCommand(channel: IdeChannel, opcode: number): void {
  const disk = channel.drive!.kind === 'disk';
  const access = disk ? ACCESSES[opcode] : undefined;
  if (access) return startAccess(channel, access);
  const handler = EITHER[opcode] ?? (disk ? DISK : CDROM)[opcode];
  if (handler) handler(channel);
  else channel.fail(Fault.ABRT);
}

const done: Handler = (channel) => channel.finish();
const flush: Handler = (channel) => channel.askDisk();

const EITHER: Readonly<Record<number, Handler>> = {
  0xe1: done, // IDLE IMMEDIATE, IDLE
  0xe3: done,
  0x95: done,
  0x97: done,
  0xe5: powerMode,
  0x98: powerMode,
  0xef: setFeatures,
};

const DISK: Readonly<Record<number, Handler>> = {
  0x06: startTrim,
  0x27: (channel) => nativeMax(channel, true),
  0xf8: (channel) => nativeMax(channel, false),
  0x91: initializeParameters,
  0xb0: smart,
  0xc6: setMultiple,
  0xec: (channel) => channel.give(identifyDisk(channel.drive!.port!, channel.driveState)),
  ...Object.fromEntries([...FLUSHES].map((opcode) => [opcode, flush])),
  // Old systems send RECALIBRATE and SEEK with a step rate in the lower half.
  ...Object.fromEntries(Array.from({ length: 16 }, (_, rate) => [0x10 | rate, done])),
  ...Object.fromEntries(Array.from({ length: 16 }, (_, rate) => [0x70 | rate, seek])),
};

const CDROM: Readonly<Record<number, Handler>> = {
  0xa1: (channel) => channel.give(identifyCdrom(channel.driveState)),
  // A packet device that is taken for a disk shows what it is and refuses.
  0x20: showAndRefuse,
  0xec: showAndRefuse,
  0xe0: done, // STANDBY IMMEDIATE, SLEEP
  0xe6: done,
  0x94: done,
};

function showAndRefuse(channel: IdeChannel): void {
  showSignature(channel.driveState, 'cdrom');
  channel.fail(Fault.ABRT);
}

function powerMode(channel: IdeChannel): void {
  channel.driveState.count[0] = ACTIVE_OR_IDLE;
  channel.finish();
}

function seek(channel: IdeChannel): void {
  const sector = sectorAddress(channel.driveState, channel.state.device, false);
  if (sector < 0 || sector >= channel.drive!.port!.sectors) return channel.fail(Fault.IDNF);
  channel.finish();
}

/** INITIALIZE DEVICE PARAMETERS: the geometry that addresses by cylinder, head and sector are in. */
function initializeParameters(channel: IdeChannel): void {
  const { state, driveState } = channel;
  const sectors = driveState.count[0];
  if (sectors === 0) return channel.fail(Fault.ABRT);
  driveState.sectorsPerTrack = sectors;
  driveState.heads = (state.device & 15) + 1;
  channel.finish();
}

function setMultiple(channel: IdeChannel): void {
  const count = channel.driveState.count[0];
  if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) return channel.fail(Fault.ABRT);
  channel.driveState.multiple = count;
  channel.finish();
}

/** READ NATIVE MAX ADDRESS (EXT). */
function nativeMax(channel: IdeChannel, ext: boolean): void {
  const { state, driveState, drive } = channel;
  const last = Math.min(drive!.port!.sectors - 1, ext ? 2 ** 48 - 1 : LAST_LBA28);
  state.device = showAddress(driveState, state.device, last, ext);
  channel.finish();
}
