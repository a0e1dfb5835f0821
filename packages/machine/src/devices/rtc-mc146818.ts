/**
 * The MC146818 real-time clock and its CMOS memory (ports 70, 71; IRQ 8).
 * Source: Motorola MC146818A data sheet; memory size bytes as the PC BIOS
 * keeps them.
 *
 * Time of day is not counted here: it is the host's wall clock plus the offset
 * that the guest made by setting it. After a migration the guest therefore
 * reads the right time whatever the pause. Periodic interrupts follow guest
 * monotonic time; update and alarm interrupts follow the wall clock's seconds.
 * Missed periodic interrupts coalesce: register C has one bit for them.
 */
import type { Clock, WallClock } from '../clock';
import { type Buses, Device, type Line } from '../device';
import { RTC_MAX_CATCH_UP_SECONDS } from '../limits';
import { flag, i64, list, real, StateFormat, u8 } from '../state-format';
import { type CalendarTime, dayOfWeek, fromEpochSeconds, toEpochSeconds } from './calendar';

const enum Register {
  Second = 0, SecondAlarm = 1, Minute = 2, MinuteAlarm = 3, Hour = 4, HourAlarm = 5,
  DayOfWeek = 6, Day = 7, Month = 8, Year = 9, A = 10, B = 11, C = 12, D = 13, Century = 0x32,
}
/** Where firmware tables (FADT) say the century is. */
export const CENTURY_REGISTER = Register.Century;

const A_UPDATE_IN_PROGRESS = 0x80;
const B_SET = 0x80;
const B_BINARY = 0x04;
const B_24_HOUR = 0x02;
/** Register C's flags and register B's enables share these positions. */
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATE = 0x10;
const C_IRQ = 0x80;
const D_VALID = 0x80;
/** 32.768 kHz divider chain running. */
const DIVIDER_RUNNING = 2;
/** Update-in-progress is seen from 244 µs before the update cycle of 1984 µs. */
const UPDATE_MS = 2.228;
const ALARM_ANY = 0xc0;

const FORMAT = new StateFormat('rtc-mc146818', 1, {
  index: u8('register selected through port 70, bits 6-0'),
  nmiMasked: flag('port 70 bit 7'),
  cmos: list(u8('the 128 bytes; time registers are computed and not kept here'), { length: 128 }),
  offsetSeconds: real('guest time of day minus the wall clock'),
  heldTime: list(u8('binary second, minute, hour, weekday, day, month, year, century while SET holds the clock'), { length: 8 }),
  settledSecond: i64('last second of guest time that alarms were checked for'),
  settledPeriod: i64('periodic interrupts counted so far at the present rate'),
});

/** Which entry of heldTime a register is. */
const HELD_INDEX: Partial<Record<number, number>> = {
  [Register.Second]: 0, [Register.Minute]: 1, [Register.Hour]: 2, [Register.DayOfWeek]: 3,
  [Register.Day]: 4, [Register.Month]: 5, [Register.Year]: 6, [Register.Century]: 7,
};

export class RtcMc146818 extends Device<typeof FORMAT.fields> {
  constructor(
    private readonly clock: Clock,
    private readonly wallClock: WallClock,
    private readonly irq8: Line,
    memoryBytes: number,
  ) {
    super(FORMAT, () => ({
      index: 0,
      nmiMasked: false,
      cmos: firmwareCmos(memoryBytes),
      offsetSeconds: 0,
      heldTime: [0, 0, 0, 1, 1, 1, 0, 20],
      settledSecond: Math.floor(wallClock.epochMs() / 1000),
      settledPeriod: 0,
    }));
  }

  override attach({ ports }: Buses): void {
    ports.register('rtc-mc146818', 0x70, 0x71, {
      // The index register is write-only.
      in8: (port) => (port === 0x71 ? this.read(this.state.index) : 0xff),
      out8: (port, value) => {
        if (port === 0x71) return this.write(this.state.index, value);
        this.state.index = value & 0x7f;
        this.state.nmiMasked = (value & 0x80) !== 0;
      },
    });
  }

  override reset(): void {
    // Battery-backed: a reset of the machine clears only the interrupt enables and flags.
    this.state.cmos[Register.B] &= ~(PERIODIC | ALARM | UPDATE);
    this.state.cmos[Register.C] = 0;
    this.drive();
  }

  get nmiMasked(): boolean {
    return this.state.nmiMasked;
  }

  override nextDeadlineNs(): number {
    const enabled = this.state.cmos[Register.B];
    let deadline = Infinity;
    const periodNs = this.periodNs();
    if (enabled & PERIODIC && periodNs > 0) deadline = Math.ceil((this.state.settledPeriod + 1) * periodNs);
    if (enabled & (UPDATE | ALARM) && this.isRunning()) {
      const msLeft = 1000 - (((this.guestMs() % 1000) + 1000) % 1000);
      deadline = Math.min(deadline, Math.ceil(this.clock.nowNs() + msLeft * 1e6) + 1000);
    }
    return deadline;
  }

  override advance(): void {
    this.settle();
  }

  /** Sets the flags that the passing of time has earned. */
  private settle(): void {
    this.settlePeriodic();
    this.settleSeconds();
    this.drive();
  }

  private settlePeriodic(): void {
    const periodNs = this.periodNs();
    if (periodNs === 0) return;
    const period = Math.floor(this.clock.nowNs() / periodNs);
    if (period > this.state.settledPeriod) this.state.cmos[Register.C] |= PERIODIC;
    this.state.settledPeriod = period;
  }

  private settleSeconds(): void {
    if (!this.isRunning()) return;
    const { state } = this;
    const second = this.guestSecond();
    const passed = Math.min(second - state.settledSecond, RTC_MAX_CATCH_UP_SECONDS);
    state.settledSecond = second;
    if (passed <= 0) return; // the host's clock may have been set back
    state.cmos[Register.C] |= UPDATE;
    for (let ago = passed - 1; ago >= 0; ago--) {
      if (!this.alarmMatches(second - ago)) continue;
      state.cmos[Register.C] |= ALARM;
      return;
    }
  }

  private alarmMatches(epochSecond: number): boolean {
    const inDay = ((epochSecond % 86_400) + 86_400) % 86_400;
    const { cmos } = this.state;
    const matches = (register: Register, encoded: number): boolean => {
      const alarm = cmos[register];
      return (alarm & ALARM_ANY) === ALARM_ANY || alarm === encoded;
    };
    return (
      matches(Register.SecondAlarm, this.encode(inDay % 60)) &&
      matches(Register.MinuteAlarm, this.encode(Math.floor(inDay / 60) % 60)) &&
      matches(Register.HourAlarm, this.encodeHour(Math.floor(inDay / 3600)))
    );
  }

  private drive(): void {
    const { cmos } = this.state;
    const active = cmos[Register.C] & cmos[Register.B] & (PERIODIC | ALARM | UPDATE);
    cmos[Register.C] = (cmos[Register.C] & ~C_IRQ) | (active ? C_IRQ : 0);
    this.irq8(active !== 0);
  }

  private read(register: number): number {
    const { cmos } = this.state;
    switch (register) {
      case Register.A:
        return (cmos[Register.A] & 0x7f) | (this.updateInProgress() ? A_UPDATE_IN_PROGRESS : 0);
      case Register.C: {
        this.settle();
        const flags = cmos[Register.C];
        cmos[Register.C] = 0;
        this.drive();
        return flags;
      }
      case Register.D:
        return D_VALID;
      default: {
        const held = HELD_INDEX[register];
        return held === undefined ? cmos[register] : this.encodeRegister(register, this.timeFields()[held]);
      }
    }
  }

  private write(register: number, value: number): void {
    const { cmos } = this.state;
    switch (register) {
      case Register.A:
        this.settle();
        cmos[Register.A] = value & 0x7f;
        this.state.settledPeriod = this.currentPeriod();
        return;
      case Register.B:
        return this.writeB(value);
      case Register.C:
      case Register.D:
        return;
      default:
        if (HELD_INDEX[register] === undefined) cmos[register] = value;
        else this.writeTime(register, value);
    }
  }

  private writeB(value: number): void {
    this.settle();
    const { cmos } = this.state;
    const before = cmos[Register.B];
    if (value & B_SET && !(before & B_SET)) this.state.heldTime = this.timeFields();
    // Setting SET also clears the update interrupt enable.
    cmos[Register.B] = value & B_SET ? value & ~UPDATE : value;
    if (!(value & B_SET) && before & B_SET) this.setTime(this.state.heldTime);
    this.drive();
  }

  private writeTime(register: number, value: number): void {
    const fields = this.timeFields();
    fields[HELD_INDEX[register] as number] = this.decodeRegister(register, value);
    if (this.isHeld()) this.state.heldTime = fields;
    else this.setTime(fields);
  }

  private isHeld(): boolean {
    return (this.state.cmos[Register.B] & B_SET) !== 0;
  }

  private isRunning(): boolean {
    return !this.isHeld() && (this.state.cmos[Register.A] >> 4) === DIVIDER_RUNNING;
  }

  private guestMs(): number {
    return this.wallClock.epochMs() + this.state.offsetSeconds * 1000;
  }

  private guestSecond(): number {
    return Math.floor(this.guestMs() / 1000);
  }

  private updateInProgress(): boolean {
    const inSecond = ((this.guestMs() % 1000) + 1000) % 1000;
    return this.isRunning() && inSecond >= 1000 - UPDATE_MS;
  }

  /** 0 when periodic interrupts are off. Rates 1 and 2 are those of 8 and 9. */
  private periodNs(): number {
    const select = this.state.cmos[Register.A] & 15;
    if (select === 0 || (this.state.cmos[Register.A] >> 4) !== DIVIDER_RUNNING) return 0;
    return 2 ** ((select <= 2 ? select + 7 : select) - 1) * (1e9 / 32_768);
  }

  private currentPeriod(): number {
    const periodNs = this.periodNs();
    return periodNs === 0 ? 0 : Math.floor(this.clock.nowNs() / periodNs);
  }

  /** Binary second, minute, hour, weekday, day, month, year of century, century. */
  private timeFields(): number[] {
    if (this.isHeld()) return [...this.state.heldTime];
    const now = this.guestSecond();
    const t = fromEpochSeconds(now);
    const century = Math.floor(t.year / 100);
    return [t.second, t.minute, t.hour, dayOfWeek(now), t.day, t.month, t.year - century * 100, century & 0xff];
  }

  private setTime([second, minute, hour, , day, month, year, century]: number[]): void {
    const time: CalendarTime = { second, minute, hour, day, month: Math.min(12, Math.max(1, month)), year: century * 100 + year };
    this.state.offsetSeconds = toEpochSeconds(time) - Math.floor(this.wallClock.epochMs() / 1000);
    this.state.settledSecond = this.guestSecond();
  }

  private encodeRegister(register: number, value: number): number {
    return register === Register.Hour ? this.encodeHour(value) : this.encode(value);
  }

  private decodeRegister(register: number, value: number): number {
    if (register !== Register.Hour || this.state.cmos[Register.B] & B_24_HOUR) return this.decode(value);
    const hour = this.decode(value & 0x7f) % 12;
    return value & 0x80 ? hour + 12 : hour;
  }

  private encodeHour(hour: number): number {
    if (this.state.cmos[Register.B] & B_24_HOUR) return this.encode(hour);
    return this.encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0);
  }

  private encode(value: number): number {
    if (this.state.cmos[Register.B] & B_BINARY) return value & 0xff;
    return ((Math.floor(value / 10) % 10) << 4) | (value % 10);
  }

  private decode(value: number): number {
    return this.state.cmos[Register.B] & B_BINARY ? value : (value >> 4) * 10 + (value & 15);
  }
}

/** What firmware would have left: running, 24 hours, BCD, and the memory sizes. */
function firmwareCmos(memoryBytes: number): number[] {
  const cmos = new Array<number>(128).fill(0);
  const word = (register: number, value: number): void => {
    cmos[register] = value & 0xff;
    cmos[register + 1] = value >> 8;
  };
  const MIB = 1024 * 1024;
  const extendedKib = Math.min(0xffff, (memoryBytes - MIB) / 1024);
  cmos[Register.A] = 0x26;
  cmos[Register.B] = B_24_HOUR;
  cmos[Register.D] = D_VALID;
  cmos[0x14] = 0x02; // equipment: an FPU
  word(0x15, 640);
  word(0x17, extendedKib);
  word(0x30, extendedKib);
  word(0x34, Math.max(0, (memoryBytes - 16 * MIB) / 65_536)); // memory above 16 MiB, in 64 KiB
  return cmos;
}
