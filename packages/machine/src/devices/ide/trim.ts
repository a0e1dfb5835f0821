/**
 * DATA SET MANAGEMENT with TRIM: blocks of 64 entries, 48 bits of sector and
 * 16 of length, come by DMA and are discarded one after another. Source:
 * ATA8-ACS, 7.10.
 */
import type { BlockStatus } from '../../ports/block';
import type { IdeChannel } from './channel';
import { moveBuffer } from './dma';
import { BUFFER_BYTES, TRIM_BLOCKS } from './limits';
import { Fault, SECTOR_BYTES, Status } from './registers';
import { sectorCount } from './task-file';

const TRIM = 1;
const ENTRY_BYTES = 8;

export function startTrim(channel: IdeChannel): void {
  const { drive, driveState, state } = channel;
  const count = sectorCount(driveState, true);
  if (driveState.features[0] !== TRIM || count > TRIM_BLOCKS || drive?.port?.readOnly) return channel.fail(Fault.ABRT);
  Object.assign(state.command, { dma: true, filled: count * SECTOR_BYTES });
  channel.startDma();
}

/** The bus master is there: fetches the ranges. Nothing is discarded unless all of them lie on the disk. */
export function fetchRanges(channel: IdeChannel): void {
  const { command } = channel.state;
  if (!moveBuffer(channel, command.filled, false)) return;
  const end = channel.drive?.port?.sectors ?? 0;
  for (let at = 0; at < command.filled; at += ENTRY_BYTES) {
    const { sector, sectors } = rangeAt(channel, at);
    if (sectors > 0 && sector + sectors > end) return channel.fail(Fault.IDNF);
  }
  discardNext(channel, 0);
}

/** A disk that cannot discard has done all that the guest may expect. */
export function trimmed(channel: IdeChannel, status: BlockStatus): void {
  if (status === 'error') return channel.fail(Fault.ABRT, Status.DF);
  discardNext(channel, channel.state.command.position + ENTRY_BYTES);
}

export function rangeAt({ words }: IdeChannel, position: number): { sector: number; sectors: number } {
  const at = Math.min(position & -ENTRY_BYTES, BUFFER_BYTES - ENTRY_BYTES);
  return { sector: words.getUint32(at, true) + words.getUint16(at + 4, true) * 2 ** 32, sectors: words.getUint16(at + 6, true) };
}

function discardNext(channel: IdeChannel, from: number): void {
  const { command } = channel.state;
  for (let at = from; at < command.filled; at += ENTRY_BYTES) {
    if (rangeAt(channel, at).sectors === 0) continue;
    command.position = at;
    return channel.askDisk();
  }
  channel.finish();
}
