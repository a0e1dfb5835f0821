/** What the parts of the adapter share: its state, and the way to the guest's memory. */
import type { Clock } from '../../clock';
import type { BusMaster } from '../../ports/bus-master';
import type { NetworkPort } from '../../ports/network';
import { Bcr, Csr, Csr0, Csr4, Csr5, Mode, Style } from './bits';
import type { PcnetModel } from './models';
import type { PcnetState } from './state';

export interface Chip {
  /** Replaced as a whole by a reset or restore: never to be kept. */
  readonly registers: PcnetState;
  readonly model: PcnetModel;
  readonly clock: Clock;
  readonly bus: BusMaster;
  readonly port: NetworkPort;
  readonly linkUp: boolean;
  /** The guest lets the adapter reach its memory. */
  readonly busMaster: boolean;
  /** An address that is no RAM: the chip stops and reports a system error (CSR5, SINT). */
  systemError(): void;
}

const ADDRESS_SPACE = 2 ** 32;

export const is32Bit = ({ bcr }: PcnetState): boolean => (bcr[Bcr.style] & Style.ssize32) !== 0;
export const csr32 = ({ csr }: PcnetState, number: number): number => (csr[number] | (csr[number + 1] << 16)) >>> 0;
export function setCsr32({ csr }: PcnetState, number: number, value: number): void {
  csr[number] = value & 0xffff;
  csr[number + 1] = value >>> 16;
}

/** Top byte of every address that 16-bit software gives: that of the initialization block (CSR2). */
export const highAddress = ({ csr }: PcnetState): number => ((csr[Csr.initAddress + 1] & 0xff00) << 16) >>> 0;

export const suspended = ({ csr }: PcnetState): boolean => (csr[Csr.control] & Csr5.spnd) !== 0;
export const stopped = ({ csr }: PcnetState): boolean => (csr[Csr.status] & Csr0.stop) !== 0;
export const transmits = (state: PcnetState): boolean => (state.csr[Csr.status] & Csr0.txon) !== 0 && !suspended(state);
export const receives = ({ csr }: PcnetState): boolean => (csr[Csr.status] & Csr0.rxon) !== 0;
export const polls = ({ csr }: PcnetState): boolean => (csr[Csr.features] & Csr4.txdpoll) === 0;
export const loops = ({ csr }: PcnetState): boolean => (csr[Csr.mode] & Mode.loop) !== 0;
export const loopsInside = (state: PcnetState): boolean => loops(state) && (state.csr[Csr.mode] & Mode.intl) !== 0;

/** Descriptors of a ring: its length register holds the two's complement. */
export const ringLength = ({ csr }: PcnetState, register: number): number => 0x10000 - csr[register];

/** Counts a lost frame: the counter's overflow is an event of its own. */
export function countMissed({ csr }: PcnetState): void {
  csr[Csr.status] |= Csr0.miss;
  csr[Csr.missedFrames] = (csr[Csr.missedFrames] + 1) & 0xffff;
  if (csr[Csr.missedFrames] === 0) csr[Csr.features] |= Csr4.mfco;
}

/** Bytes to read at a guest address, unless they are not RAM. */
export function viewOf({ bus }: Chip, gpa: number, length: number): Uint8Array | undefined {
  return gpa + length <= ADDRESS_SPACE ? bus.view(gpa, length) : undefined;
}

export function writableOf({ bus }: Chip, gpa: number, length: number): Uint8Array | undefined {
  return gpa + length <= ADDRESS_SPACE ? bus.writable(gpa, length) : undefined;
}
