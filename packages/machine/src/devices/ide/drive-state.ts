/** All that a channel and its two drives remember. */
import { flag, integer, list, record, u8, u16, u32, type ValuesOf } from '../../state-format';
import { BUFFER_BYTES, MAX_MULTIPLE } from './limits';
import { PACKET_BYTES } from './registers';

const pair = (doc: string) => list(u8(`${doc}: the last value written, and the one before`), { length: 2 });
const sectors = integer(48, 0, 2 ** 48);
const inBuffer = integer(32, 0, BUFFER_BYTES);

/** A drive's registers, and what it remembers between commands. */
export const driveFields = {
  features: pair('features'),
  count: pair('sector count, interrupt reason'),
  low: pair('LBA low, sector number'),
  middle: pair('LBA mid, cylinder low, byte count low'),
  high: pair('LBA high, cylinder high, byte count high'),
  error: u8('error register'),
  status: u8('status register'),
  multiple: integer(8, 0, MAX_MULTIPLE)('sectors between two interrupts of READ and WRITE MULTIPLE; 0: not set'),
  writeCache: flag('writes may be held until a flush'),
  smart: flag('SMART commands are answered'),
  heads: u8('logical heads'),
  sectorsPerTrack: u8('logical sectors of a track'),
  transferMode: u8('SET FEATURES 03'),
  senseKey: u8('of the last packet command'),
  senseCode: u16('additional sense code << 8 | qualifier'),
  attention: flag('the medium has changed and nobody was told'),
  event: u8('media event that was not asked for yet: 1 eject request, 2 new medium, 3 medium gone'),
  locked: flag('PREVENT MEDIUM REMOVAL'),
  trayOpen: flag('no medium can be read'),
};
export type DriveState = ValuesOf<typeof driveFields>;

export const newDrive = (): DriveState => ({
  features: [0, 0],
  count: [1, 0],
  low: [1, 0],
  middle: [0, 0],
  high: [0, 0],
  error: 1,
  status: 0,
  // As firmware leaves it: drivers take it from IDENTIFY.
  multiple: MAX_MULTIPLE,
  writeCache: true,
  smart: true,
  heads: 16,
  sectorsPerTrack: 63,
  transferMode: 0x0c,
  senseKey: 0,
  senseCode: 0,
  attention: false,
  event: 0,
  locked: false,
  trayOpen: false,
});

/** What a command under way does next: enough to ask for the same again after a restore. */
export const Stage = {
  Idle: 0,
  /** The guest writes a packet. */
  Packet: 1,
  /** The guest reads the buffer. */
  ToHost: 2,
  /** The guest fills the buffer. */
  ToDrive: 3,
  /** The disk is at work. */
  Disk: 4,
  /** A DMA command waits for the bus master to be started. */
  BusMaster: 5,
  /** A reset that lasts until SRST is 0 and the disk has answered. */
  Reset: 6,
} as const;

const commandFields = {
  opcode: u8('the command'),
  stage: integer(8, 0, Stage.Reset)('see Stage'),
  packet: list(u8('command packet'), { length: PACKET_BYTES }),
  lba: sectors('next 512-byte sector'),
  remaining: integer(48, 0, 2 ** 34)('512-byte sectors still to be moved'),
  block: integer(32, 0, BUFFER_BYTES / 512)('512-byte sectors that the disk is, was or will be asked for in this step'),
  position: inBuffer('byte of the buffer that is next'),
  length: inBuffer('byte of the buffer where this phase ends'),
  filled: inBuffer('bytes of the buffer in all: it may take several phases'),
  dma: flag('data goes by the bus master'),
  limit: u16('bytes that the guest allows in one phase of a packet command'),
};

export const channelFields = {
  device: u8('device register'),
  control: u8('device control'),
  interrupt: flag('the drive asks for an interrupt'),
  busMaster: record({ command: u8('command'), status: u8('status'), table: u32('address of the region table') }),
  command: record(commandFields),
  buffer: list(u8('the buffer, as far as it is in use'), { maxLength: BUFFER_BYTES }),
  drives: list(record(driveFields), { length: 2 }),
};
export type ChannelState = ValuesOf<typeof channelFields>;
export type CommandState = ChannelState['command'];
export type BusMasterState = ChannelState['busMaster'];

export const idleCommand = (): CommandState => ({
  opcode: 0,
  stage: Stage.Idle,
  packet: new Array<number>(PACKET_BYTES).fill(0),
  lba: 0,
  remaining: 0,
  block: 0,
  position: 0,
  length: 0,
  filled: 0,
  dma: false,
  limit: 0,
});

export const newChannel = (): ChannelState => ({
  device: 0,
  control: 0,
  interrupt: false,
  busMaster: { command: 0, status: 0, table: 0 },
  command: idleCommand(),
  buffer: [],
  drives: [newDrive(), newDrive()],
});
