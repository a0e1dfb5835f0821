/** The eight bus master registers of a channel. Source: Programming Interface for Bus Master IDE Controller 1.0, 2. */
import type { BusMasterState } from './drive-state';
import { BusMasterCommand, BusMasterStatus } from './registers';

const COMMAND = 0;
const STATUS = 2;
const TABLE = 4;

export function readBusMaster({ command, status, table }: BusMasterState, at: number): number {
  if (at === COMMAND) return command;
  if (at === STATUS) return status;
  return at >= TABLE ? (table >>> ((at - TABLE) * 8)) & 0xff : 0;
}

/** True: the guest has started the bus master. */
export function writeBusMaster(state: BusMasterState, at: number, value: number): boolean {
  if (at === COMMAND) return writeCommand(state, value);
  if (at === STATUS) {
    const cleared = value & (BusMasterStatus.ERROR | BusMasterStatus.INTERRUPT);
    state.status = (state.status & ~cleared & ~BusMasterStatus.DRIVES) | (value & BusMasterStatus.DRIVES);
  }
  if (at >= TABLE) {
    const shift = (at - TABLE) * 8;
    state.table = (((state.table & ~(0xff << shift)) | (value << shift)) & ~3) >>> 0;
  }
  return false;
}

function writeCommand(state: BusMasterState, value: number): boolean {
  const was = state.command;
  state.command = value & (BusMasterCommand.START | BusMasterCommand.TO_MEMORY);
  if (!(value & BusMasterCommand.START)) {
    state.status &= ~BusMasterStatus.ACTIVE;
    return false;
  }
  if (was & BusMasterCommand.START) return false;
  state.status |= BusMasterStatus.ACTIVE;
  return true;
}
