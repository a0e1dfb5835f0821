/**
 * A disk's commands that move sectors. By PIO in steps, each one request to the
 * disk, of a bufferful; the guest moves it in blocks, an interrupt each.
 * Source: ATA/ATAPI-6, chapter 9 (protocols).
 */
import type { BlockStatus } from '../../ports/block';
import { ACCESSES, type Access, requestKind } from './accesses';
import type { IdeChannel } from './channel';
import { STEP_SECTORS } from './limits';
import { Fault, SECTOR_BYTES, Status } from './registers';
import { sectorAddress, sectorCount, showAddress } from './task-file';
import { trimmed } from './trim';

export function startAccess(channel: IdeChannel, access: Access): void {
  const { state, driveState, drive } = channel;
  const { command } = state;
  const { write = false, dma = false, ext = false } = access;
  const port = drive!.port!;
  if (access.multiple && driveState.multiple === 0) return channel.fail(Fault.ABRT);
  if (write && port.readOnly) return channel.fail(Fault.ABRT | Fault.WP);
  const first = sectorAddress(driveState, state.device, ext);
  const count = sectorCount(driveState, ext);
  if (first < 0 || first + count > port.sectors) return channel.fail(Fault.IDNF);
  command.lba = first;
  command.remaining = count;
  command.dma = dma;
  if (dma) return channel.startDma();
  nextStep(channel);
  if (write) return channel.toDrive(0, blockEnd(channel, 0), false);
  channel.askDisk();
}

/** The disk has done what the step asked for. */
export function ataDone(channel: IdeChannel, status: BlockStatus): void {
  const { command } = channel.state;
  const kind = requestKind(command.opcode);
  if (kind === 'discard') return trimmed(channel, status);
  if (status !== 'ok') return failed(channel, kind === 'read');
  if (kind === 'flush' || command.dma) return channel.finish();
  const { verify } = ACCESSES[command.opcode] ?? {};
  if (kind === 'read' && !verify) return channel.toHost(0, blockEnd(channel, 0));
  if (!advance(channel)) return channel.finish();
  if (verify) return channel.askDisk();
  channel.toDrive(0, blockEnd(channel, 0), true);
}

/** The guest has read or written a block. */
export function ataPhaseDone(channel: IdeChannel, toDrive: boolean): void {
  const { position, filled } = channel.state.command;
  const end = blockEnd(channel, position);
  if (position < filled) return toDrive ? channel.toDrive(position, end, true) : channel.toHost(position, end);
  if (toDrive || advance(channel)) channel.askDisk();
  else channel.endQuietly();
}

/** A step of a read that fails is tried again by single blocks: the good ones come through, the bad one is named. */
function failed(channel: IdeChannel, reading: boolean): void {
  const { state, driveState } = channel;
  const { command } = state;
  const access = ACCESSES[command.opcode];
  const block = blockSectors(channel);
  if (reading && !command.dma && command.block > block) {
    setStep(channel, block);
    return channel.askDisk();
  }
  if (access) state.device = showAddress(driveState, state.device, command.lba, access.ext ?? false);
  channel.fail(reading ? Fault.UNC : Fault.ABRT, reading ? 0 : Status.DF);
}

/** The step is done; false: it was the last. */
function advance(channel: IdeChannel): boolean {
  const { command } = channel.state;
  command.lba += command.block;
  command.remaining -= command.block;
  if (command.remaining <= 0 || command.block === 0) return false;
  nextStep(channel);
  return true;
}

const nextStep = (channel: IdeChannel): void => setStep(channel, STEP_SECTORS);

function setStep({ state: { command } }: IdeChannel, sectors: number): void {
  command.block = Math.min(command.remaining, sectors);
  command.filled = command.block * SECTOR_BYTES;
}

/** Sectors between two interrupts. */
const blockSectors = ({ state: { command }, driveState }: IdeChannel): number =>
  ACCESSES[command.opcode]?.multiple ? Math.max(1, driveState.multiple) : 1;

const blockEnd = (channel: IdeChannel, position: number): number =>
  Math.min(channel.state.command.filled, position + blockSectors(channel) * SECTOR_BYTES);
