/**
 * Which frames a virtio-net driver wants (VIRTIO 1.1, 5.1.6.5.1 to 5.1.6.5.3):
 * receive modes, two tables of addresses, VLANs. Until a driver says otherwise
 * everything passes, which is what a driver without these commands expects.
 */
import { flag, i64, list, record, u32, type ValuesOf } from '../../state-format';
import { get32 } from './bytes';
import type { Chain } from './chain';
import { MAC_TABLE_ENTRIES } from './limits';

const MAC_BYTES = 6;
const ETHERTYPE_VLAN = 0x8100;
const VLAN_WORDS = 128;
/** Modes by command number: promiscuous, all multicast, all unicast, no multicast, no unicast, no broadcast. */
const MODES = ['promiscuous', 'allMulticast', 'allUnicast', 'noMulticast', 'noUnicast', 'noBroadcast'] as const;

const macs = list(i64('an Ethernet address as a 48-bit number'), { maxLength: MAC_TABLE_ENTRIES });
const fields = {
  promiscuous: flag('every frame passes, if its VLAN does'),
  allMulticast: flag('every multicast passes'),
  allUnicast: flag('every unicast passes'),
  noMulticast: flag('no multicast passes'),
  noUnicast: flag('no unicast passes'),
  noBroadcast: flag('no broadcast passes'),
  unicast: macs,
  unicastOverflow: flag('the driver gave more unicast addresses than are kept'),
  multicast: macs,
  multicastOverflow: flag('the driver gave more multicast addresses than are kept'),
  vlans: list(u32('32 VLANs, 1: passes'), { length: VLAN_WORDS }),
};
export const filterState = record(fields, 'receive filter');
export type FilterState = ValuesOf<typeof fields>;

const open = (): FilterState => ({
  promiscuous: true,
  allMulticast: false,
  allUnicast: false,
  noMulticast: false,
  noUnicast: false,
  noBroadcast: false,
  unicast: [],
  unicastOverflow: false,
  multicast: [],
  multicastOverflow: false,
  vlans: new Array<number>(VLAN_WORDS).fill(0),
});

const macNumber = (bytes: Uint8Array, at: number): number =>
  (bytes[at] * 256 + bytes[at + 1]) * 2 ** 32 + (bytes[at + 2] * 2 ** 24 + ((bytes[at + 3] << 16) | (bytes[at + 4] << 8) | bytes[at + 5]));
const BROADCAST = 2 ** 48 - 1;

export class NetFilter {
  private state = open();

  /** `ownMac`: the device's address now; `vlans`: whether the driver accepted VLAN filtering. */
  passes(frame: Uint8Array, ownMac: Uint8Array, vlans: boolean): boolean {
    const { state } = this;
    if (vlans && frame.length >= 16 && ((frame[12] << 8) | frame[13]) === ETHERTYPE_VLAN) {
      const vlan = ((frame[14] << 8) | frame[15]) & 0xfff;
      if (!((state.vlans[vlan >> 5] >>> (vlan & 31)) & 1)) return false;
    }
    if (state.promiscuous) return true;
    const target = macNumber(frame, 0);
    if (target === BROADCAST) return !state.noBroadcast;
    if (frame[0] & 1) return !state.noMulticast && (state.allMulticast || state.multicastOverflow || state.multicast.includes(target));
    if (state.noUnicast) return false;
    return state.allUnicast || state.unicastOverflow || target === macNumber(ownMac, 0) || state.unicast.includes(target);
  }

  /** Class 0: a mode on or off. False for an unknown one. */
  setMode(mode: number, value: number): boolean {
    const name = MODES[mode];
    if (!name || value > 1) return false;
    this.state[name] = value === 1;
    return true;
  }

  /** Class 1, command 0: both tables, each a count and its addresses. False when they are not all there. */
  setTables(chain: Chain, offset: number): boolean {
    const unicast = readTable(chain, offset);
    const multicast = unicast && readTable(chain, unicast.end);
    if (!multicast || multicast.end !== chain.readableBytes) return false;
    this.state.unicast = unicast.macs;
    this.state.unicastOverflow = unicast.overflow;
    this.state.multicast = multicast.macs;
    this.state.multicastOverflow = multicast.overflow;
    return true;
  }

  /** Class 2: lets a VLAN pass, or not any more. False when there is no such VLAN. */
  setVlan(vlan: number, passes: boolean): boolean {
    if (vlan >= VLAN_WORDS * 32) return false;
    const bit = 1 << (vlan & 31);
    const word = this.state.vlans[vlan >> 5];
    this.state.vlans[vlan >> 5] = (passes ? word | bit : word & ~bit) >>> 0;
    return true;
  }

  reset(): void {
    this.state = open();
  }

  save(): FilterState {
    return this.state;
  }

  restore(state: FilterState): void {
    this.state = state;
  }
}

function readTable(chain: Chain, offset: number): { macs: number[]; overflow: boolean; end: number } | undefined {
  const count = new Uint8Array(4);
  if (!chain.read(offset, count, 4)) return undefined;
  const entries = get32(count, 0);
  const end = offset + 4 + entries * MAC_BYTES;
  if (end > chain.readableBytes) return undefined;
  if (entries > MAC_TABLE_ENTRIES) return { macs: [], overflow: true, end };
  const bytes = new Uint8Array(entries * MAC_BYTES);
  if (!chain.read(offset + 4, bytes, bytes.length)) return undefined;
  return { macs: Array.from({ length: entries }, (_, index) => macNumber(bytes, index * MAC_BYTES)), overflow: false, end };
}
