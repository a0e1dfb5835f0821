import { flag, list, record, u16, u32, u8, integer, type ValuesOf } from '../../state-format';
import { BUFFER_BYTES } from './registers';

const sectors = integer(48, 0, 2 ** 48);

/** What a drive remembers between commands. */
export const driveFields = {
  multiple: u8('sectors between two interrupts of READ and WRITE MULTIPLE; 0: not set'),
  writeCache: flag('writes may be held until a flush'),
  heads: u8('logical heads'),
  sectorsPerTrack: u8('logical sectors of a track'),
  transferMode: u8('SET FEATURES 03'),
  senseKey: u8('of the last packet command'),
  senseCode: u16('additional sense code << 8 | qualifier'),
  attention: flag('the medium has changed and nobody was told'),
  locked: flag('PREVENT MEDIUM REMOVAL'),
  trayOpen: flag('no medium can be read'),
};
export type DriveState = ValuesOf<typeof driveFields>;
export const newDrive = (): DriveState => ({
  multiple: 0, writeCache: true, heads: 16, sectorsPerTrack: 63, transferMode: 0x0c,
  senseKey: 0, senseCode: 0, attention: false, locked: false, trayOpen: false,
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
} as const;

const commandFields = {
  opcode: u8('the command'),
  stage: u8('see Stage'),
  packet: list(u8('command packet'), { length: 12 }),
  lba: sectors('next 512-byte sector'),
  remaining: integer(48, 0, 2 ** 32)('512-byte sectors still to be moved; for packet data without a medium, bytes'),
  block: u32('512-byte sectors in the buffer or on their way'),
  position: u32('byte of the buffer that is next'),
  length: u32('bytes of the buffer in this phase'),
  filled: u32('bytes of the buffer in all: several phases of a packet command'),
  dma: flag('data goes by the bus master'),
  limit: u32('byte count that the guest allows in one phase of a packet command'),
};

export const channelFields = {
  features: list(u8('features, newest first'), { length: 2 }),
  count: list(u8('sector count'), { length: 2 }),
  low: list(u8('LBA low'), { length: 2 }),
  middle: list(u8('LBA mid'), { length: 2 }),
  high: list(u8('LBA high'), { length: 2 }),
  device: u8('device register'),
  control: u8('device control'),
  error: u8('error register'),
  status: u8('status register'),
  interrupt: flag('the drive asks for an interrupt'),
  busMaster: record({ command: u8('command'), status: u8('status'), table: u32('address of the region table') }),
  command: record(commandFields),
  buffer: list(u8('the buffer, as far as it is in use'), { maxLength: BUFFER_BYTES }),
  drives: list(record(driveFields), { length: 2 }),
};
export type ChannelState = ValuesOf<typeof channelFields>;
export type CommandState = ChannelState['command'];

export const idleCommand = (): CommandState => ({
  opcode: 0, stage: Stage.Idle, packet: new Array<number>(12).fill(0), lba: 0, remaining: 0, block: 0, position: 0, length: 0, filled: 0, dma: false, limit: 0,
});
export const newChannel = (): ChannelState => ({
  features: [0, 0], count: [1, 0], low: [1, 0], middle: [0, 0], high: [0, 0], device: 0, control: 0, error: 1, status: 0, interrupt: false,
  busMaster: { command: 0, status: 0, table: 0 }, command: idleCommand(), buffer: [], drives: [newDrive(), newDrive()],
});
