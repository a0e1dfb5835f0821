/**
 * The Am79C973's PHY, MII address 30: IEEE 802.3, 22.2.4. It is linked to a
 * partner that can do everything, so auto-negotiation ends at once, at
 * 100 Mbit/s full duplex; the network has no speed of its own.
 */
import { flag, record, u16, type ValuesOf } from '../../state-format';

const fields = {
  control: u16('register 0'),
  advertisement: u16('register 4'),
  linkFell: flag('the link went down since the status was last read: it is shown as down once more'),
};
export const phyState = record(fields, 'PHY');
export type PhyState = ValuesOf<typeof fields>;

const PHY_ADDRESS = 30;
const Register = { control: 0, status: 1, id1: 2, id2: 3, advertisement: 4, partner: 5, expansion: 6 } as const;

const CONTROL_POWER_ON = 0x3100; // auto-negotiation, 100 Mbit/s, full duplex
/** Reset and restart of auto-negotiation are done as soon as they are asked for. */
const CONTROL_STORED = 0x7d80;
const CONTROL_RESET = 0x8000;
/** 10 and 100 Mbit/s in half and full duplex, auto-negotiation, extended registers. */
const STATUS = 0x7809;
const STATUS_NEGOTIATED = 0x0020;
const STATUS_LINK = 0x0004;
const ADVERTISEMENT_POWER_ON = 0x01e1;
const PARTNER = 0x45e1;
const ID = [0x0000, 0x6b60] as const;
const NO_PHY = 0xffff;

export const powerOnPhy = (): PhyState => ({ control: CONTROL_POWER_ON, advertisement: ADVERTISEMENT_POWER_ON, linkFell: false });

/** 16 bits; undefined when nothing answers at that address. */
export function readPhy(phy: PhyState, address: number, register: number, linkUp: boolean): number | undefined {
  if (address !== PHY_ADDRESS) return undefined;
  switch (register) {
    case Register.control:
      return phy.control;
    case Register.status: {
      const up = linkUp && !phy.linkFell;
      phy.linkFell = false;
      return STATUS | (up ? STATUS_LINK | STATUS_NEGOTIATED : 0);
    }
    case Register.id1:
      return ID[0];
    case Register.id2:
      return ID[1];
    case Register.advertisement:
      return phy.advertisement;
    case Register.partner:
      return linkUp ? PARTNER : 0;
    case Register.expansion:
      return linkUp ? 1 : 0;
    default:
      return 0;
  }
}

export const NO_ANSWER = NO_PHY;

/** False when nothing answers. */
export function writePhy(phy: PhyState, address: number, register: number, value: number): boolean {
  if (address !== PHY_ADDRESS) return false;
  if (register === Register.control && value & CONTROL_RESET) Object.assign(phy, powerOnPhy());
  else if (register === Register.control) phy.control = value & CONTROL_STORED;
  else if (register === Register.advertisement) phy.advertisement = value;
  return true;
}
