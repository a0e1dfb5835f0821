/** The commands of a disk, and those that a packet device shares. Source: ATA/ATAPI-6, chapter 8. */
import type { IdeChannel } from './channel';
import { blockSectors } from './command-shape';
import { identifyCdrom, identifyDisk } from './identify';
import { Device, Fault, MAX_MULTIPLE, SECTOR_BYTES } from './registers';

type Handler = (channel: IdeChannel, opcode: number) => void;

interface Access {
  readonly write?: boolean;
  readonly dma?: boolean;
  /** 48-bit addresses. */
  readonly ext?: boolean;
  /** Only the range is looked at. */
  readonly verify?: boolean;
}

/** Commands that move sectors. */
const ACCESSES: Record<number, Access> = {
  0x20: {}, 0x21: {}, 0x24: { ext: true }, 0xc4: {}, 0x29: { ext: true },
  0x30: { write: true }, 0x31: { write: true }, 0x34: { write: true, ext: true }, 0xc5: { write: true },
  0x39: { write: true, ext: true }, 0xce: { write: true, ext: true },
  0xc8: { dma: true }, 0xc9: { dma: true }, 0x25: { dma: true, ext: true },
  0xca: { dma: true, write: true }, 0xcb: { dma: true, write: true }, 0x35: { dma: true, write: true, ext: true }, 0x3d: { dma: true, write: true, ext: true },
  0x40: { verify: true }, 0x41: { verify: true }, 0x42: { verify: true, ext: true },
};
const MULTIPLE = new Set([0xc4, 0xc5, 0x29, 0x39, 0xce]);

function access(channel: IdeChannel, opcode: number, { write, dma, ext, verify }: Access): void {
  const { state, driveState, drive } = channel;
  const { command } = state;
  const port = drive!.port!;
  if (MULTIPLE.has(opcode) && driveState.multiple === 0) return channel.fail(Fault.ABRT);
  if (write && port.readOnly) return channel.fail(Fault.ABRT | Fault.WP);
  const lba = address(channel, ext ?? false);
  const count = ext ? (state.count[1] << 8) | state.count[0] || 65536 : state.count[0] || 256;
  if (lba < 0 || lba + count > port.sectors) return channel.fail(Fault.IDNF);
  if (verify) return channel.finish();
  command.lba = lba;
  command.remaining = count;
  command.dma = dma ?? false;
  command.block = dma ? 0 : Math.min(count, blockSectors(opcode, driveState));
  if (write && !dma) return channel.toDrive(command.block * SECTOR_BYTES, false);
  channel.askDisk();
}

/** -1 for an address that the drive's geometry does not have. */
function address({ state, driveState }: IdeChannel, ext: boolean): number {
  const { low, middle, high, device } = state;
  const low24 = low[0] + middle[0] * 0x100 + high[0] * 0x10000;
  if (ext) return low24 + (low[1] + middle[1] * 0x100 + high[1] * 0x10000) * 0x1000000;
  if (device & Device.LBA) return low24 + (device & 15) * 0x1000000;
  const { heads, sectorsPerTrack } = driveState;
  const head = device & 15;
  if (low[0] === 0 || low[0] > sectorsPerTrack || head >= heads) return -1;
  return ((high[0] * 256 + middle[0]) * heads + head) * sectorsPerTrack + low[0] - 1;
}

/** One block of data that the adapter has itself. */
function give(channel: IdeChannel, bytes: Uint8Array): void {
  channel.buffer.set(bytes);
  Object.assign(channel.state.command, { remaining: 1, block: 1 });
  channel.toHost(0, bytes.length);
}

const done: Handler = (channel) => channel.finish();
const flush: Handler = (channel) => channel.askDisk();

const DISK: Record<number, Handler> = {
  0xec: (channel) => give(channel, identifyDisk(channel.drive!.port!, channel.driveState)),
  0xe7: flush, 0xea: flush, // FLUSH CACHE (EXT)
  0xe0: flush, 0xe2: flush, 0x94: flush, 0x96: flush, // STANDBY: what is cached goes out first
  0xe1: done, 0xe3: done, 0x95: done, 0x97: done, 0xe6: done, 0x99: done, // IDLE, SLEEP
  0x70: done, 0x10: done, // SEEK, RECALIBRATE
  0x91: (channel) => {
    const { state, driveState } = channel;
    if (state.count[0] === 0) return channel.fail(Fault.ABRT);
    driveState.sectorsPerTrack = state.count[0];
    driveState.heads = (state.device & 15) + 1;
    channel.finish();
  },
  0xc6: (channel) => {
    const count = channel.state.count[0];
    if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) return channel.fail(Fault.ABRT);
    channel.driveState.multiple = count;
    channel.finish();
  },
  0xf8: (channel) => maximum(channel, false), // READ NATIVE MAX ADDRESS
  0x27: (channel) => maximum(channel, true),
};

const EITHER: Record<number, Handler> = {
  0xef: (channel) => setFeatures(channel),
  0xe5: powered, 0x98: powered,
};

const CDROM: Record<number, Handler> = {
  0xa1: (channel) => give(channel, identifyCdrom(channel.driveState)),
  // DEVICE RESET, and IDENTIFY DEVICE: a packet device shows what it is and refuses.
  0x08: (channel) => {
    channel.softReset();
  },
  0xec: (channel) => {
    channel.signature();
    channel.fail(Fault.ABRT);
  },
  0xe1: done, 0xe0: done, 0xe6: done, 0x95: done, 0x94: done,
};

export function startCommand(channel: IdeChannel, opcode: number): void {
  const disk = channel.drive!.kind === 'disk';
  const moves = disk ? ACCESSES[opcode] : undefined;
  if (moves) return access(channel, opcode, moves);
  const handler = EITHER[opcode] ?? (disk ? DISK : CDROM)[opcode];
  if (handler) handler(channel, opcode);
  else channel.fail(Fault.ABRT);
}

function powered(channel: IdeChannel): void {
  channel.state.count[0] = 0xff; // active or idle
  channel.finish();
}

function maximum(channel: IdeChannel, ext: boolean): void {
  const { state, drive } = channel;
  const last = Math.min(drive!.port!.sectors - 1, ext ? 2 ** 48 - 1 : 0x0fffffff);
  const byte = (shift: number): number => Math.floor(last / 2 ** shift) & 0xff;
  state.low = [byte(0), ext ? byte(24) : 0];
  state.middle = [byte(8), ext ? byte(32) : 0];
  state.high = [byte(16), ext ? byte(40) : 0];
  if (!ext) state.device = (state.device & 0xf0) | (byte(24) & 15);
  channel.finish();
}

function setFeatures(channel: IdeChannel): void {
  const { state, driveState } = channel;
  const subcommands: Record<number, () => void> = {
    0x02: () => { driveState.writeCache = true; },
    0x82: () => { driveState.writeCache = false; },
    0x03: () => { driveState.transferMode = state.count[0]; },
    0xaa: () => {}, 0x55: () => {}, 0xcc: () => {}, 0x66: () => {}, // look-ahead, defaults
  };
  const change = subcommands[state.features[0]];
  if (!change) return channel.fail(Fault.ABRT);
  change();
  // Turning the cache off writes out what is in it.
  if (state.features[0] === 0x82 && channel.drive!.kind === 'disk') {
    state.command.opcode = 0xe7;
    return channel.askDisk();
  }
  channel.finish();
}
