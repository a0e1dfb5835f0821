/** All that the adapter remembers, and its values after H_RESET. */
import { flag, list, real, u16, u8, type ValuesOf } from '../../state-format';
import { BCR_COUNT, Bcr, Csr, CSR4_POWER_ON, CSR_COUNT, Csr0, Style } from './bits';
import { eepromState, idleEeprom } from './eeprom';
import type { PcnetModel } from './models';
import { phyState, powerOnPhy } from './phy';

/** A time that is not set. */
export const NEVER = -1;

export const pcnetFields = {
  rap: u8('register address port: number of the CSR or BCR in the data ports'),
  aprom: list(u8('address PROM'), { length: 16 }),
  csr: list(u16('control and status registers'), { length: CSR_COUNT }),
  bcr: list(u16('bus configuration registers'), { length: BCR_COUNT }),
  transmitIndex: u16('current descriptor in the transmit ring'),
  receiveIndex: u16('current descriptor in the receive ring'),
  chainWaiting: flag('the current frame to send has no end yet; at the next poll it is an underflow'),
  demandSeen: flag('the driver has set TDMD since STRT'),
  idlePolls: u8('polls of the transmit ring in vain, one after the other'),
  transmitPollNs: real('guest time of the next poll of the transmit ring; -1: none'),
  receivePollNs: real('guest time of the next look for room in the receive ring; -1: none'),
  heldSinceNs: real('guest time since when a frame waits for room in the receive ring; -1: none waits'),
  heldBytes: u16('size of that frame with its frame check sequence'),
  missing: flag('a frame has waited too long: frames without room are missed'),
  timerStartNs: real('guest time at which the software timer started its present period; -1: not started'),
  phy: phyState,
  eeprom: eepromState,
};
export type PcnetState = ValuesOf<typeof pcnetFields>;

const CSR80_POWER_ON = 0x1410;
const CSR100_POWER_ON = 0x0200;

const BCR_POWER_ON: readonly (readonly [number, number])[] = [
  [Bcr.masterRead, 0x0005],
  [Bcr.masterWrite, 0x0005],
  [Bcr.misc, 0x0002],
  [Bcr.link, 0x00c0],
  [Bcr.led1, 0x0084],
  [Bcr.led2, 0x0088],
  [Bcr.led3, 0x0090],
  [Bcr.busSize, 0x9001],
  [Bcr.style, Style.csrPcnet],
  [Bcr.latency, 0xff06],
];
const FAST_BCR_POWER_ON: readonly (readonly [number, number])[] = [
  [Bcr.subsystemVendor, 0x1022],
  [Bcr.subsystem, 0x2000],
  [Bcr.softwareTimer, 0xffff],
  [Bcr.miiControl, 0x0400],
  // The internal PHY's address, 30.
  [Bcr.miiAddress, 30 << 5],
  [Bcr.vendor, 0x1022],
];

export function hardReset(model: PcnetModel, mac: Uint8Array): PcnetState {
  const state: PcnetState = {
    rap: 0,
    aprom: makeAprom(mac),
    csr: new Array<number>(CSR_COUNT).fill(0),
    bcr: new Array<number>(BCR_COUNT).fill(0),
    transmitIndex: 0,
    receiveIndex: 0,
    chainWaiting: false,
    demandSeen: false,
    idlePolls: 0,
    transmitPollNs: NEVER,
    receivePollNs: NEVER,
    heldSinceNs: NEVER,
    heldBytes: 0,
    missing: false,
    timerStartNs: NEVER,
    phy: powerOnPhy(),
    eeprom: idleEeprom(),
  };
  for (const [number, value] of BCR_POWER_ON) state.bcr[number] = value;
  if (model.fast) for (const [number, value] of FAST_BCR_POWER_ON) state.bcr[number] = value;
  softReset(state, model);
  for (let word = 0; word < 3; word++) state.csr[Csr.physicalAddress + word] = mac[word * 2] | (mac[word * 2 + 1] << 8);
  return state;
}

/** S_RESET: registers go back, but neither the address, nor the rings' places, nor any BCR. */
export function softReset(state: PcnetState, model: PcnetModel): void {
  const { csr } = state;
  state.rap = 0;
  csr[Csr.status] = Csr0.stop;
  for (const number of [Csr.masks, Csr.control, Csr.control2, Csr.lengths, Csr.mode, Csr.missedFrames, Csr.receiveCollisions, Csr.test]) {
    csr[number] = 0;
  }
  csr.fill(0, Csr.logicalFilter, Csr.physicalAddress);
  csr[Csr.features] = CSR4_POWER_ON;
  csr[Csr.thresholds] = CSR80_POWER_ON;
  csr[Csr.chipId] = model.chipId & 0xffff;
  csr[Csr.chipId + 1] = model.chipId >>> 16;
  csr[Csr.busTimeout] = CSR100_POWER_ON;
  csr[Csr.receiveLength] = csr[Csr.transmitLength] = 0xffff;
}

/** MAC, hardware id 11h at 9, checksum of all other bytes at 12, the letters W W at 14 (data sheet, "Address PROM"). */
function makeAprom(mac: Uint8Array): number[] {
  const bytes = [...mac.subarray(0, 6), 0, 0, 0, 0x11, 0, 0, 0, 0, 0x57, 0x57];
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes[12] = sum & 0xff;
  bytes[13] = sum >>> 8;
  return bytes;
}
