/**
 * ACPI fixed hardware as the PIIX4 has it: PM1a event and control blocks, the
 * power management timer, and the reset control register CF9. Sources: ACPI
 * 2.0 section 4.7; PIIX4 data sheet.
 *
 *   600 PM1 status   602 PM1 enable   604 PM1 control   608 timer
 *
 * There is no SMI and no legacy mode: SCI_EN is always set, which the FADT
 * says by SMI_CMD = 0. Writing SLP_EN with the S5 type ends the machine; other
 * sleep types are not offered by the DSDT and do nothing.
 */
import { type Clock, TickRate } from '../clock';
import { type Buses, Device, type Line } from '../device';
import { i64, StateFormat, u8, u16 } from '../state-format';

export const PM_BASE_PORT = 0x600;
export const PM_CONTROL_PORT = PM_BASE_PORT + 4;
export const PM_TIMER_PORT = PM_BASE_PORT + 8;
export const RESET_PORT = 0xcf9;
export const RESET_VALUE = 0x06;
/** SLP_TYP for soft off (PIIX4: 0). */
export const SLEEP_TYPE_S5 = 0;

const TIMER = new TickRate(3_579_545);
const TIMER_MASK = 0xffffff;
/** The timer status bit is set each time bit 23 changes. */
const TIMER_HALF = 0x800000;

const STATUS_TIMER = 0x0001;
const STATUS_POWER_BUTTON = 0x0100;
/** Timer, bus master, global, power button, sleep button, RTC, wake: written ones clear. */
const STATUS_BITS = 0x8731;
const ENABLE_BITS = 0x0721;
const CONTROL_SCI_ENABLE = 0x0001;
const CONTROL_BITS = 0x1c07;
const CONTROL_SLEEP_ENABLE = 0x2000;

const FORMAT = new StateFormat('acpi-pm', 1, {
  status: u16('PM1 status'),
  enable: u16('PM1 enable'),
  control: u16('PM1 control without SLP_EN'),
  settledHalf: i64('times bit 23 of the timer has changed, as far as seen'),
  resetControl: u8('CF9 as written'),
});

export interface AcpiPmWiring {
  readonly clock: Clock;
  readonly sci: Line;
  readonly onPowerOff: () => void;
  readonly onReset: () => void;
}

export class AcpiPm extends Device<typeof FORMAT.fields> {
  constructor(private readonly wiring: AcpiPmWiring) {
    super(FORMAT, () => ({
      status: 0, enable: 0, control: CONTROL_SCI_ENABLE, settledHalf: halfAt(wiring.clock.nowNs()), resetControl: 0,
    }));
  }

  override attach({ ports }: Buses): void {
    ports.register('acpi-pm', PM_BASE_PORT, PM_BASE_PORT + 7, {
      in8: (port) => this.read(port & ~1) >> (8 * (port & 1)),
      out8: (port, value) => this.writeByte(port, value),
    });
    // Registers are words; a word access across two of them is split by the bus.
    for (let port = PM_BASE_PORT; port < PM_TIMER_PORT; port += 2) {
      ports.register('acpi-pm', port, port, { in16: () => this.read(port), out16: (_port, value) => this.write(port, value) });
    }
    ports.register('acpi-pm timer', PM_TIMER_PORT, PM_TIMER_PORT + 3, {
      in32: (port) => this.timer() >>> (8 * (port - PM_TIMER_PORT)),
      in16: (port) => this.timer() >>> (8 * (port - PM_TIMER_PORT)),
      in8: (port) => this.timer() >>> (8 * (port - PM_TIMER_PORT)),
    });
    ports.register('acpi-pm reset', RESET_PORT, RESET_PORT, {
      in8: () => this.state.resetControl,
      out8: (_port, value) => this.writeReset(value),
    });
  }

  override reset(): void {
    super.reset();
    this.drive();
  }

  /** Presses the power button: an operating system with ACPI shuts down in order. */
  powerButton(): void {
    this.state.status |= STATUS_POWER_BUTTON;
    this.drive();
  }

  override nextDeadlineNs(): number {
    if (!(this.state.enable & STATUS_TIMER) || this.state.status & STATUS_TIMER) return Infinity;
    return TIMER.nsAt((this.state.settledHalf + 1) * TIMER_HALF);
  }

  override advance(nowNs: number): void {
    this.settle(nowNs);
  }

  private settle(nowNs: number): void {
    const half = halfAt(nowNs);
    if (half <= this.state.settledHalf) return;
    this.state.settledHalf = half;
    this.state.status |= STATUS_TIMER;
    this.drive();
  }

  private timer(): number {
    return TIMER.ticksAt(this.wiring.clock.nowNs()) % (TIMER_MASK + 1);
  }

  private read(port: number): number {
    const { state } = this;
    this.settle(this.wiring.clock.nowNs());
    switch (port & 6) {
      case 0: return state.status;
      case 2: return state.enable;
      case 4: return state.control;
      default: return 0;
    }
  }

  private writeByte(port: number, value: number): void {
    const shift = 8 * (port & 1);
    // Status clears by ones, so the other byte must be zero; the others keep their other byte.
    const other = (port & 6) === 0 ? 0 : this.read(port & ~1) & ~(0xff << shift);
    this.write(port & ~1, other | (value << shift));
  }

  private write(port: number, value: number): void {
    const { state } = this;
    this.settle(this.wiring.clock.nowNs());
    switch (port & 6) {
      case 0:
        state.status &= ~(value & STATUS_BITS);
        break;
      case 2:
        state.enable = value & ENABLE_BITS;
        break;
      case 4:
        state.control = (value & CONTROL_BITS) | CONTROL_SCI_ENABLE;
        if (value & CONTROL_SLEEP_ENABLE && ((value >> 10) & 7) === SLEEP_TYPE_S5) this.wiring.onPowerOff();
        break;
    }
    this.drive();
  }

  /** CF9: a rising bit 2 resets; bit 1 chooses a hard reset. */
  private writeReset(value: number): void {
    const rising = (value & 4) !== 0 && (this.state.resetControl & 4) === 0;
    this.state.resetControl = value & 0x0e;
    if (rising) this.wiring.onReset();
  }

  private drive(): void {
    this.wiring.sci((this.state.status & this.state.enable) !== 0);
  }
}

const halfAt = (ns: number): number => Math.floor(TIMER.ticksAt(ns) / TIMER_HALF);
