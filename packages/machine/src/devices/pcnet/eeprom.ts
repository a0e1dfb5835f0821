/**
 * The serial EEPROM behind BCR19, a 93C46 with 64 words: its first eight are
 * the address PROM. Diagnostic programs clock it by hand; only reading does
 * anything, writes are as those to a protected part. Source: Am79C970A data
 * sheet, "EEPROM Control and Status"; Microwire READ is 1 10 aaaaaa.
 */
import { record, u16, u8, type ValuesOf } from '../../state-format';

const fields = {
  lines: u8('select, clock and data as last driven'),
  received: u16('bits clocked in since it was selected, a leading 1 first'),
  clocks: u8('how many of the word have been clocked out'),
  word: u16('the word that is read out, top bit next'),
};
export const eepromState = record(fields, 'serial EEPROM');
export type EepromState = ValuesOf<typeof fields>;

/** BCR19: contents valid, EEPROM found, and the four lines. */
const PVALID = 0x8000;
const EDET = 0x2000;
const ENABLE = 0x0010;
const SELECT = 0x0004;
const CLOCK = 0x0002;
const DATA = 0x0001;
const LINES = ENABLE | SELECT | CLOCK | DATA;

/** Bits of a READ command; the start bit leads. */
const READ_BITS = 9;
const READ = 0b110;

export const idleEeprom = (): EepromState => ({ lines: CLOCK, received: 0, clocks: 0, word: 0 });

export function readEeprom(eeprom: EepromState): number {
  const reading = eeprom.lines & ENABLE && eeprom.lines & SELECT;
  const data = reading ? eeprom.word >>> 15 : eeprom.lines & DATA;
  return PVALID | EDET | (eeprom.lines & ~DATA) | data;
}

export function writeEeprom(eeprom: EepromState, value: number, aprom: readonly number[]): void {
  const before = eeprom.lines;
  eeprom.lines = value & LINES;
  if (!(value & ENABLE) || !(value & SELECT)) {
    eeprom.received = eeprom.word = eeprom.clocks = 0;
    return;
  }
  if (value & CLOCK && !(before & CLOCK)) clock(eeprom, value & DATA, aprom);
}

/** A rising edge: a bit of the command, or the next bit of the word. */
function clock(eeprom: EepromState, bit: number, aprom: readonly number[]): void {
  const complete = eeprom.received >= 1 << (READ_BITS - 1);
  if (!complete) {
    // Zeroes before the start bit are not part of a command.
    eeprom.received = (eeprom.received << 1) | bit;
    return;
  }
  if (eeprom.received >> (READ_BITS - 3) !== READ) return;
  const position = eeprom.clocks % 16;
  if (position === 0) {
    const address = ((eeprom.received & 63) + (eeprom.clocks >> 4)) & 63;
    eeprom.word = address < 8 ? aprom[address * 2] | (aprom[address * 2 + 1] << 8) : 0;
  } else eeprom.word = (eeprom.word << 1) & 0xffff;
  // Reading on goes to the next word; 16 words at most before it starts again.
  eeprom.clocks = (eeprom.clocks + 1) & 0xff;
}
