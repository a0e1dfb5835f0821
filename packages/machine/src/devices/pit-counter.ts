/**
 * One counter of the 8254: its programming and its six modes as functions of
 * time. Source: Intel 8254 data sheet, "Mode definitions".
 *
 *   phase 0  no count written since the control word
 *   phase 1  count known, waiting for the gate (modes 1, 5; 2, 3 with gate low)
 *   phase 2  counting since startTick
 *   phase 3  counting held by a low gate (modes 0 and 4)
 *
 * `count` is what the counting element works with, `reload` what was written
 * last. They differ while a periodic counter finishes its old (half) period,
 * which ends at switchTick.
 */
import { flag, i64, integer, u8, u16, type ValuesOf } from '../state-format';

const countField = integer(32, 1, 0x10000);

export const counterFields = {
  mode: integer(8, 0, 5)('0-5'),
  bcd: flag('counts in decimal'),
  access: u8('bytes read and written: 1 low, 2 high, 3 both'),
  gate: flag('GATE pin'),
  phase: u8('0 no count, 1 waiting for gate, 2 counting, 3 held by gate'),
  count: countField('count in force, 1-65536 (decimal counters: 1-10000)'),
  reload: countField('count written last'),
  startTick: i64('phase 2: tick at which count was loaded'),
  heldTicks: i64('phase 3: ticks counted so far'),
  switchTick: i64('tick at which reload becomes count; -1 for none'),
  lowByte: u8('first byte of a two-byte write'),
  writeHigh: flag('second byte of a two-byte write is next'),
  readHigh: flag('second byte of a two-byte read is next'),
  latchedBytes: u8('bytes of the latched count still to be read'),
  latch: u16('latched count'),
  statusLatched: flag('a status byte is to be read first'),
  status: u8('latched status byte'),
};
export type Counter = ValuesOf<typeof counterFields>;

export const powerOnCounter = (gate: boolean): Counter => ({
  mode: 0, bcd: false, access: 3, gate, phase: 0, count: 0x10000, reload: 0x10000, startTick: 0, heldTicks: 0,
  switchTick: -1, lowByte: 0, writeHigh: false, readHigh: false, latchedBytes: 0, latch: 0,
  statusLatched: false, status: 0,
});

const isPeriodic = (c: Counter): boolean => c.mode === 2 || c.mode === 3;
const isTriggered = (c: Counter): boolean => c.mode === 1 || c.mode === 5;
/** A written count is loaded by the next clock. */
const LOAD_DELAY = 1;

/** Takes over a new count whose time has come and keeps startTick within one period of `tick`. */
export function settleCounter(c: Counter, tick: number): void {
  if (c.phase !== 2 || !isPeriodic(c)) return;
  if (c.switchTick >= 0 && tick >= c.switchTick) {
    const atPeriodEnd = (c.switchTick - c.startTick) % c.count === 0;
    c.startTick = atPeriodEnd ? c.switchTick : c.switchTick - highTicks(c.reload);
    c.count = c.reload;
    c.switchTick = -1;
  }
  if (c.switchTick < 0 && tick >= c.startTick + c.count) {
    c.startTick += Math.floor((tick - c.startTick) / c.count) * c.count;
  }
}

/** Mode 3 stays high for the longer half of an odd count. */
const highTicks = (count: number): number => Math.ceil(count / 2);
const elapsed = (c: Counter, tick: number): number => (c.phase === 3 ? c.heldTicks : Math.max(0, tick - c.startTick));

/** Level of the OUT pin. */
export function outAt(c: Counter, tick: number): boolean {
  if (c.phase < 2) return c.mode !== 0;
  const e = elapsed(c, tick);
  switch (c.mode) {
    case 0: return e >= c.count;
    case 1: return e >= c.count || tick < c.startTick;
    case 2: return e % c.count !== c.count - 1;
    case 3: return e % c.count < highTicks(c.count);
    default: return e !== c.count; // 4, 5: a strobe of one clock
  }
}

/** Rising edges of OUT after tick `from`, up to and including tick `to`; no switch of counts in between. */
export function risesBetween(c: Counter, from: number, to: number): number {
  if (c.phase !== 2) return 0;
  if (isPeriodic(c)) {
    const periodsAt = (tick: number): number => Math.max(0, Math.floor((tick - c.startTick) / c.count));
    return periodsAt(to) - periodsAt(from);
  }
  const rise = riseTick(c);
  return from < rise && rise <= to ? 1 : 0;
}

/** The next rising edge after `tick`, or somewhat before it while counts switch. */
export function nextRise(c: Counter, tick: number): number | undefined {
  if (c.phase !== 2) return undefined;
  if (!isPeriodic(c)) {
    const rise = riseTick(c);
    return rise > tick ? rise : undefined;
  }
  const periods = Math.max(0, Math.floor((tick - c.startTick) / c.count)) + 1;
  const rise = c.startTick + periods * c.count;
  return c.switchTick > tick ? Math.min(rise, c.switchTick) : rise;
}

const riseTick = (c: Counter): number => c.startTick + c.count + (c.mode >= 4 ? 1 : 0);

/** Control word for this counter, or the counter latch command. */
export function controlWord(c: Counter, value: number, tick: number): void {
  const access = (value >> 4) & 3;
  if (access === 0) return latchCount(c, tick);
  const mode = (value >> 1) & 7;
  c.mode = mode > 5 ? mode - 4 : mode; // 6 and 7 are 2 and 3
  c.bcd = (value & 1) !== 0;
  c.access = access;
  c.phase = 0;
  c.switchTick = -1;
  c.writeHigh = false;
  c.readHigh = false;
  c.latchedBytes = 0;
  c.statusLatched = false;
}

export function writeByte(c: Counter, value: number, tick: number): void {
  if (c.access === 1) return writeCount(c, value, tick);
  if (c.access === 2) return writeCount(c, value << 8, tick);
  if (c.writeHigh) {
    c.writeHigh = false;
    return writeCount(c, c.lowByte | (value << 8), tick);
  }
  c.lowByte = value;
  c.writeHigh = true;
  // Mode 0 stops at the first byte and pulls OUT low.
  if (c.mode === 0) c.phase = 0;
}

function writeCount(c: Counter, written: number, tick: number): void {
  const wrap = wrapOf(c);
  const value = (c.bcd ? fromBcd(written) : written) % wrap;
  const least = isPeriodic(c) ? 2 : 1;
  c.reload = value === 0 ? wrap : Math.max(value, least);
  if (isTriggered(c)) {
    if (c.phase === 0) c.phase = 1;
    return;
  }
  if (c.phase === 2 && isPeriodic(c)) {
    c.switchTick = endOfRun(c, tick);
    return;
  }
  c.phase = 1;
  if (c.gate) start(c, tick);
  else if (!isPeriodic(c)) {
    c.phase = 3;
    c.count = c.reload;
    c.heldTicks = 0;
  }
}

/** When a running periodic counter reloads: mode 2 at its period's end, mode 3 at its half period's. */
function endOfRun(c: Counter, tick: number): number {
  const e = elapsed(c, tick);
  const half = highTicks(c.count);
  const periodStart = c.startTick + Math.floor(e / c.count) * c.count;
  if (c.mode === 3 && e % c.count < half) return periodStart + half;
  return periodStart + c.count;
}

function start(c: Counter, tick: number): void {
  c.phase = 2;
  c.count = c.reload;
  c.startTick = tick + LOAD_DELAY;
  c.switchTick = -1;
}

export function setGate(c: Counter, gate: boolean, tick: number): void {
  if (gate === c.gate) return;
  c.gate = gate;
  if (c.phase === 0) return;
  if (isTriggered(c)) {
    if (gate) start(c, tick);
  } else if (isPeriodic(c)) {
    if (gate) start(c, tick);
    else {
      c.phase = 1;
      c.switchTick = -1;
    }
  } else if (gate && c.phase === 3) {
    c.phase = 2;
    c.startTick = tick - c.heldTicks;
  } else if (!gate && c.phase === 2) {
    c.heldTicks = elapsed(c, tick);
    c.phase = 3;
  }
}

export function latchCount(c: Counter, tick: number): void {
  if (c.latchedBytes > 0) return; // a second latch before the read is ignored
  c.latch = countAt(c, tick);
  c.latchedBytes = c.access === 3 ? 2 : 1;
  c.readHigh = false;
}

export function latchStatus(c: Counter, tick: number): void {
  if (c.statusLatched) return;
  const nullCount = c.phase < 2 || c.switchTick >= 0 || (c.phase === 2 && tick < c.startTick);
  c.status = (outAt(c, tick) ? 0x80 : 0) | (nullCount ? 0x40 : 0) | (c.access << 4) | (c.mode << 1) | (c.bcd ? 1 : 0);
  c.statusLatched = true;
}

export function readByte(c: Counter, tick: number): number {
  if (c.statusLatched) {
    c.statusLatched = false;
    return c.status;
  }
  const value = c.latchedBytes > 0 ? c.latch : countAt(c, tick);
  const high = c.access === 2 || (c.access === 3 && c.readHigh);
  if (c.access === 3) c.readHigh = !c.readHigh;
  if (c.latchedBytes > 0) c.latchedBytes--;
  return high ? value >> 8 : value & 0xff;
}

/** The counting element as the guest reads it, 16 bits, decimal if so programmed. */
function countAt(c: Counter, tick: number): number {
  const value = rawCount(c, tick) % wrapOf(c);
  return c.bcd ? toBcd(value) : value;
}

function rawCount(c: Counter, tick: number): number {
  if (c.phase < 2) return c.reload;
  const e = elapsed(c, tick);
  const wrap = wrapOf(c);
  if (c.mode === 2) return c.count - (e % c.count);
  if (c.mode !== 3) return (((c.count - e) % wrap) + wrap) % wrap;
  // Mode 3 counts down by two in each half, from the even part of the count.
  const half = highTicks(c.count);
  const inPeriod = e % c.count;
  return Math.max(0, (c.count & ~1) - 2 * (inPeriod < half ? inPeriod : inPeriod - half));
}

const wrapOf = (c: Counter): number => (c.bcd ? 10_000 : 0x10000);

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  const digit = (unit: number): number => Math.floor(value / unit) % 10;
  return (digit(1000) << 12) | (digit(100) << 8) | (digit(10) << 4) | digit(1);
}
