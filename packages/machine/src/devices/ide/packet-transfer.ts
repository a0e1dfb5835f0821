/**
 * How a packet command's data reaches the guest: by the data port in phases no
 * longer than the byte count that the guest allows, or by DMA. Source:
 * ATA/ATAPI-6, 9.8 to 9.10; SFF-8020i, 5.
 */
import type { BlockPort } from '../../ports/block';
import type { IdeChannel } from './channel';
import { moveBuffer } from './dma';
import type { DriveState } from './drive-state';
import { BUFFER_BYTES, CD_BUFFER_BLOCKS } from './limits';
import { Fault, Reason, SECTOR_BYTES } from './registers';

export const BLOCK_BYTES = 2048;
/** Sectors of 512 bytes in a CD's block. */
const PER_BLOCK = BLOCK_BYTES / SECTOR_BYTES;
const MOST_BYTE_COUNT = 0xfffe;

/** Sense key, additional sense code and qualifier (SPC-2, annex C). */
const SENSE = {
  none: [0, 0],
  noMedium: [2, 0x3a00],
  unreadable: [3, 0x1100],
  invalidCommand: [5, 0x2000],
  outOfRange: [5, 0x2100],
  invalidField: [5, 0x2400],
  locked: [5, 0x5302],
  wrongMode: [5, 0x6400],
  changed: [6, 0x2800],
  aborted: [0x0b, 0],
} as const;
export type SenseName = keyof typeof SENSE;

export const medium = ({ driveState, drive }: IdeChannel): BlockPort | null => {
  const port = driveState.trayOpen ? null : drive?.port;
  return port && blockCount(port) > 0 ? port : null;
};
export const blockCount = (port: BlockPort): number => Math.floor(port.sectors / PER_BLOCK);

export function setSense(drive: DriveState, name: SenseName): void {
  [drive.senseKey, drive.senseCode] = SENSE[name];
}

/** CHECK CONDITION: the sense data say why. */
export function refuse(channel: IdeChannel, name: SenseName): void {
  setSense(channel.driveState, name);
  endCommand(channel);
  channel.fail((SENSE[name][0] << 4) | Fault.ABRT);
}

export function succeed(channel: IdeChannel): void {
  endCommand(channel);
  channel.finish();
}

function endCommand({ driveState }: IdeChannel): void {
  driveState.count[0] = Reason.COMMAND | Reason.TO_HOST;
}

/** Data that the drive has itself, at most as much as was asked for. */
export function reply(channel: IdeChannel, bytes: readonly number[], allowed: number): void {
  const { command } = channel.state;
  const length = Math.min(bytes.length, allowed, BUFFER_BYTES);
  if (length === 0) return succeed(channel);
  channel.buffer.set(bytes.slice(0, length));
  command.filled = length;
  if (command.dma) channel.startDma();
  else offer(channel, 0);
}

/** The bus master is there for a reply. */
export function sendReply(channel: IdeChannel): void {
  if (moveBuffer(channel, channel.state.command.filled, true)) succeed(channel);
}

export function readBlocks(channel: IdeChannel, first: number, count: number): void {
  const { command } = channel.state;
  if (first + count > blockCount(medium(channel)!)) return refuse(channel, 'outOfRange');
  if (count === 0) return succeed(channel);
  command.lba = first * PER_BLOCK;
  command.remaining = count * PER_BLOCK;
  if (command.dma) channel.startDma();
  else readNext(channel);
}

function readNext(channel: IdeChannel): void {
  const { command } = channel.state;
  command.block = Math.min(command.remaining, CD_BUFFER_BLOCKS * PER_BLOCK);
  channel.askDisk();
}

/** The disk has answered a step of a READ. */
export function packetDone(channel: IdeChannel, ok: boolean): void {
  const { command } = channel.state;
  if (!ok) return refuse(channel, 'unreadable');
  if (command.dma) return succeed(channel);
  command.filled = command.block * SECTOR_BYTES;
  command.lba += command.block;
  command.remaining = Math.max(0, command.remaining - command.block);
  offer(channel, 0);
}

/** The guest has read what was offered. */
export function packetPhaseDone(channel: IdeChannel): void {
  const { command } = channel.state;
  if (command.position < command.filled) offer(channel, command.position);
  else if (command.remaining > 0) readNext(channel);
  else succeed(channel);
}

/** The next stretch of the buffer: whole blocks where the guest has room for one, else an even number of bytes. */
function offer(channel: IdeChannel, position: number): void {
  const { driveState, state } = channel;
  const { filled, limit, block } = state.command;
  const even = limit & MOST_BYTE_COUNT || MOST_BYTE_COUNT;
  const most = block > 0 && even >= BLOCK_BYTES ? even - (even % BLOCK_BYTES) : even;
  const length = Math.min(filled - position, most);
  driveState.count[0] = Reason.TO_HOST;
  driveState.middle[0] = length & 0xff;
  driveState.high[0] = length >> 8;
  channel.toHost(position, position + length);
}

/** A packet is wanted. */
export function wantPacket(channel: IdeChannel): void {
  channel.driveState.count[0] = Reason.COMMAND;
  channel.awaitPacket();
}
