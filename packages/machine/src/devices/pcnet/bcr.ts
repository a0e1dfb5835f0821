/** Bus configuration registers as the driver reaches them. Those without an entry here are plain storage. */
import { BCR_COUNT, Bcr, BCR18_DWIO, Csr, Csr7, Style } from './bits';
import { stopped, suspended } from './chip';
import { readEeprom, writeEeprom } from './eeprom';
import { NO_ANSWER, readPhy, writePhy } from './phy';
import type { PcnetState } from './state';

export interface BcrActions {
  readonly registers: PcnetState;
  readonly fast: boolean;
  readonly linkUp: boolean;
  /** BCR31 was written. */
  startTimer(): void;
}

interface Register {
  read?(actions: BcrActions): number;
  write?(actions: BcrActions, value: number): void;
}

/** LED registers: which conditions light them, and above whether they are lit. */
const LED_LIT = 0x8000;
const LED_LINK = 0x0040;

const led = (number: number): Register => ({
  read: ({ registers, linkUp }) => registers.bcr[number] | (linkUp && registers.bcr[number] & LED_LINK ? LED_LIT : 0),
  write: ({ registers }, value) => {
    registers.bcr[number] = value & ~LED_LIT;
  },
});
const fixed: Register = { write: () => {} };

const COMMON: readonly (readonly [number, Register])[] = [
  [Bcr.masterRead, fixed],
  [Bcr.masterWrite, fixed],
  [Bcr.link, led(Bcr.link)],
  [Bcr.led1, led(Bcr.led1)],
  [Bcr.led2, led(Bcr.led2)],
  [Bcr.led3, led(Bcr.led3)],
  [
    Bcr.busSize,
    {
      write: ({ registers: { bcr } }, value) => {
        bcr[Bcr.busSize] = value | (bcr[Bcr.busSize] & BCR18_DWIO);
      },
    },
  ],
  [
    Bcr.eeprom,
    {
      read: ({ registers }) => readEeprom(registers.eeprom),
      write: ({ registers }, value) => writeEeprom(registers.eeprom, value, registers.aprom),
    },
  ],
  [Bcr.style, { write: ({ registers }, value) => writeStyle(registers, value) }],
];
const FAST: readonly (readonly [number, Register])[] = [
  [Bcr.subsystemVendor, fixed],
  [Bcr.subsystem, fixed],
  [Bcr.vendor, fixed],
  [
    Bcr.softwareTimer,
    {
      write: (actions, value) => {
        actions.registers.bcr[Bcr.softwareTimer] = value;
        actions.startTimer();
      },
    },
  ],
  [Bcr.miiData, { read: readMii, write: writeMii }],
];
const SLOW_TABLE = new Map(COMMON);
const FAST_TABLE = new Map([...COMMON, ...FAST]);
/** The Am79C970A's last register. */
const SLOW_LAST = Bcr.latency;

export function readBcr(actions: BcrActions, number: number): number {
  if (!exists(actions, number)) return 0;
  return tableOf(actions).get(number)?.read?.(actions) ?? actions.registers.bcr[number];
}

export function writeBcr(actions: BcrActions, number: number, value: number): void {
  if (!exists(actions, number)) return;
  const register = tableOf(actions).get(number);
  if (register?.write) register.write(actions, value);
  else actions.registers.bcr[number] = value;
}

const exists = ({ fast }: BcrActions, number: number): boolean => number < (fast ? BCR_COUNT : SLOW_LAST + 1);
const tableOf = ({ fast }: BcrActions): Map<number, Register> => (fast ? FAST_TABLE : SLOW_TABLE);

/** Software styles 0 to 3; SSIZE32 and CSRPCNET follow from them. Others, and writes while it runs, change nothing. */
export function writeStyle(registers: PcnetState, value: number): void {
  const style = value & Style.number;
  if (!(stopped(registers) || suspended(registers)) || style > 3) return;
  const follows = (style > 0 ? Style.ssize32 : 0) | (style === 1 ? 0 : Style.csrPcnet);
  registers.bcr[Bcr.style] = (value & ~(Style.number | Style.ssize32 | Style.csrPcnet)) | style | follows;
}

const phyAddress = (value: number): number => (value >> 5) & 31;
const phyRegister = (value: number): number => value & 31;

function readMii({ registers, linkUp }: BcrActions): number {
  const at = registers.bcr[Bcr.miiAddress];
  const value = readPhy(registers.phy, phyAddress(at), phyRegister(at), linkUp);
  finishMii(registers, value !== undefined);
  return value ?? NO_ANSWER;
}

function writeMii({ registers }: BcrActions, value: number): void {
  const at = registers.bcr[Bcr.miiAddress];
  writePhy(registers.phy, phyAddress(at), phyRegister(at), value);
  finishMii(registers, true);
}

/** Each transfer is done at once; a read that nobody answers is an error of its own. */
function finishMii({ csr }: PcnetState, answered: boolean): void {
  csr[Csr.control2] |= Csr7.mccint | (answered ? 0 : Csr7.mreint);
}
