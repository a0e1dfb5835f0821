/** A channel as the guest's accesses see it: command block, control block, data port. Source: ATA/ATAPI-6, chapter 7. */
import { startCommand } from './ata-commands';
import { ataPhaseDone } from './ata-transfer';
import type { IdeChannel } from './channel';
import { idleCommand, Stage } from './drive-state';
import { BUFFER_BYTES } from './limits';
import { endPacket, startPacket } from './packet-commands';
import { packetPhaseDone } from './packet-transfer';
import { Control, FLOATING, Opcode, Status } from './registers';
import { readTask, writeTask } from './task-file';

const DEVICE = 6;
const COMMAND = 7;

/** Registers 1 to 7. Reading the status takes the interrupt back. */
export function readRegister(channel: IdeChannel, register: number): number {
  const { drives, drive, driveState, state } = channel;
  if (!drives[0] && !drives[1]) return FLOATING;
  if (register === COMMAND) {
    channel.lower();
    return driveState.status;
  }
  if (register === DEVICE) return state.device | 0xa0;
  return drive ? readTask(driveState, register, (state.control & Control.HOB) !== 0) : 0;
}

export function writeRegister(channel: IdeChannel, register: number, value: number): void {
  const { state } = channel;
  state.control &= ~Control.HOB;
  if (register === COMMAND) return writeCommand(channel, value);
  if (channel.driveState.status & (Status.BSY | Status.DRQ)) return;
  if (register === DEVICE) state.device = value & 0x5f;
  else for (const drive of state.drives) writeTask(drive, register, value);
}

/** Without taking the interrupt back; a drive that is not there has a status of 0. */
export function alternateStatus({ drives, driveState }: IdeChannel): number {
  return drives[0] || drives[1] ? driveState.status : FLOATING;
}

export function writeControl(channel: IdeChannel, value: number): void {
  const { state } = channel;
  const was = state.control;
  state.control = value & (Control.NIEN | Control.SRST | Control.HOB);
  if (value & ~was & Control.SRST) channel.startReset(0);
  else if (state.command.stage === Stage.Reset) channel.endReset();
  if ((value ^ was) & Control.NIEN) channel.driveLine();
}

/** Two or four bytes from the data port. */
export function readData(channel: IdeChannel, size: 2 | 4): number {
  const { command } = channel.state;
  if (command.stage !== Stage.ToHost) return size === 2 ? 0xffff : 0xffffffff;
  const at = Math.min(command.position, BUFFER_BYTES - size);
  const value = size === 2 ? channel.words.getUint16(at, true) : channel.words.getUint32(at, true);
  moved(channel, at + size);
  return value;
}

export function writeData(channel: IdeChannel, size: 2 | 4, value: number): void {
  const { command } = channel.state;
  if (command.stage !== Stage.ToDrive && command.stage !== Stage.Packet) return;
  const at = Math.min(command.position, BUFFER_BYTES - size);
  if (size === 2) channel.words.setUint16(at, value, true);
  else channel.words.setUint32(at, value, true);
  moved(channel, at + size);
}

function moved(channel: IdeChannel, position: number): void {
  const { command } = channel.state;
  command.position = Math.min(position, command.length);
  if (position < command.length) return;
  if (command.stage === Stage.Packet) endPacket(channel);
  else if (command.opcode === Opcode.PACKET) packetPhaseDone(channel);
  else ataPhaseDone(channel, command.stage === Stage.ToDrive);
}

function writeCommand(channel: IdeChannel, opcode: number): void {
  const { drive, driveState, state } = channel;
  if (!drive) return;
  const deviceReset = opcode === Opcode.DEVICE_RESET && drive.kind === 'cdrom' && state.command.stage !== Stage.Reset;
  // Of all commands only this one reaches a busy drive.
  if (deviceReset) return channel.startReset(opcode);
  if (driveState.status & Status.BSY) return;
  channel.lower();
  state.command = { ...idleCommand(), opcode };
  driveState.error = 0;
  if (opcode === Opcode.DIAGNOSTIC) {
    channel.startReset(opcode);
    return channel.raise();
  }
  if (opcode === Opcode.PACKET && drive.kind === 'cdrom') startPacket(channel);
  else startCommand(channel, opcode);
}
