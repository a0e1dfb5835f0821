/**
 * The 8254 interval timer (ports 40-43) with the gate and speaker bits of
 * port 61. Source: Intel 8254 data sheet (231164-005).
 *
 * Nothing here ticks. A counter remembers the tick at which its count was
 * loaded; its value and its OUT pin are functions of that and of the tick at
 * which somebody looks. Channel 0's rising edges, which raise IRQ 0, are
 * counted by arithmetic over the time since the last `advance`.
 *
 * When the host is late: however many edges were missed, the interrupt
 * controller sees ONE rising edge, as its request latch would hold no more
 * with interrupts off. The others are added to `coalescedTicks`. Counters
 * themselves never lose time, so guests that read a counter or the TSC stay
 * exact. The IRQ line is pulsed low just before each rise, not at OUT's own
 * fall, so that a request is not lost when both edges are seen at once.
 *
 * Deviations: GATE of channels 0 and 1 is tied high as on the PC; a count of 1
 * in modes 2 and 3 (illegal) acts as 2.
 */
import { type Clock, TickRate } from '../clock';
import { type Buses, Device, type Line } from '../device';
import { PIT_MIN_PERIODIC_WAIT_NS } from '../limits';
import { StateFormat, flag, i64, list, record } from '../state-format';
import {
  type Counter, controlWord, counterFields, latchCount, latchStatus, nextRise, outAt, powerOnCounter, readByte,
  risesBetween, setGate, settleCounter, writeByte,
} from './pit-counter';

export const PIT_HZ = 1_193_182;
const RATE = new TickRate(PIT_HZ);
/** Port 61 bit 4 follows the refresh request: it toggles every 15.085 µs, 18 ticks. */
const REFRESH_TICKS = 18;

const FORMAT = new StateFormat('pit-8254', 1, {
  counters: list(record(counterFields, 'channels 0, 1, 2'), { length: 3 }),
  speakerData: flag('port 61 bit 1'),
  settledTick: i64('tick up to which the edges of channel 0 have been delivered'),
  coalescedTicks: i64('rising edges of channel 0 that were merged with another one'),
});

export class Pit8254 extends Device<typeof FORMAT.fields> {
  constructor(
    private readonly clock: Clock,
    private readonly irq0: Line,
  ) {
    super(FORMAT, () => powerOn(clock));
  }

  override attach({ ports }: Buses): void {
    ports.register('pit-8254', 0x40, 0x43, {
      in8: (port) => this.read(port & 3),
      out8: (port, value) => this.write(port & 3, value),
    });
    ports.register('pit-8254 port 61', 0x61, 0x61, {
      in8: () => this.readPort61(),
      out8: (_port, value) => this.writePort61(value),
    });
  }

  get coalescedTicks(): number {
    return this.state.coalescedTicks;
  }

  override nextDeadlineNs(): number {
    const [channel0] = this.state.counters;
    const rise = nextRise(channel0, this.state.settledTick);
    if (rise === undefined) return Infinity;
    const deadline = RATE.nsAt(rise);
    if (channel0.mode !== 2 && channel0.mode !== 3) return deadline;
    const period = channel0.count / PIT_HZ * 1e9;
    return period >= PIT_MIN_PERIODIC_WAIT_NS ? deadline : deadline + PIT_MIN_PERIODIC_WAIT_NS;
  }

  override advance(nowNs: number): void {
    this.settle(RATE.ticksAt(nowNs));
  }

  /** Delivers channel 0's edges up to `tick`. */
  private settle(tick: number): void {
    const { state } = this;
    const [channel0] = state.counters;
    if (tick <= state.settledTick) return;
    const from = state.settledTick;
    let rises: number;
    if (channel0.switchTick > from && channel0.switchTick <= tick) {
      rises = risesBetween(channel0, from, channel0.switchTick);
      const switchTick = channel0.switchTick;
      // Only as far as the switch: going on to `tick` would skip the periods to be counted.
      settleCounter(channel0, switchTick);
      rises += risesBetween(channel0, switchTick, tick);
    } else {
      rises = risesBetween(channel0, from, tick);
    }
    state.settledTick = tick;
    if (rises > 0) this.rise(rises);
  }

  private rise(count: number): void {
    this.state.coalescedTicks += count - 1;
    this.irq0(false);
    this.irq0(true);
  }

  /** Time now, with every counter brought up to date. */
  private sync(): number {
    const tick = Math.max(RATE.ticksAt(this.clock.nowNs()), this.state.settledTick);
    this.settle(tick);
    for (const counter of this.state.counters) settleCounter(counter, tick);
    return tick;
  }

  private read(register: number): number {
    // The control register cannot be read.
    if (register === 3) return 0xff;
    return readByte(this.state.counters[register], this.sync());
  }

  private write(register: number, value: number): void {
    const tick = this.sync();
    const [channel0] = this.state.counters;
    const before = outAt(channel0, tick);
    if (register === 3) this.writeControl(value, tick);
    else writeByte(this.state.counters[register], value, tick);
    // A control word moves OUT at once; a rise by that is an edge like any other.
    if (!before && outAt(channel0, tick)) this.rise(1);
  }

  private writeControl(value: number, tick: number): void {
    const select = value >> 6;
    if (select !== 3) return controlWord(this.state.counters[select], value, tick);
    for (const [index, counter] of this.state.counters.entries()) {
      if (!(value & (2 << index))) continue;
      if (!(value & 0x20)) latchCount(counter, tick);
      if (!(value & 0x10)) latchStatus(counter, tick);
    }
  }

  private readPort61(): number {
    const tick = this.sync();
    const speaker = this.state.counters[2];
    return (
      (speaker.gate ? 1 : 0) |
      (this.state.speakerData ? 2 : 0) |
      (Math.floor(tick / REFRESH_TICKS) % 2 === 1 ? 0x10 : 0) |
      (outAt(speaker, tick) ? 0x20 : 0)
    );
  }

  private writePort61(value: number): void {
    const tick = this.sync();
    this.state.speakerData = (value & 2) !== 0;
    setGate(this.state.counters[2], (value & 1) !== 0, tick);
  }
}

/** As firmware leaves it: channel 0 at 18.2 Hz, channel 1 refreshing memory, channel 2 silent. */
function powerOn(clock: Clock): { counters: Counter[]; speakerData: boolean; settledTick: number; coalescedTicks: number } {
  const tick = RATE.ticksAt(clock.nowNs());
  const counters = [powerOnCounter(true), powerOnCounter(true), powerOnCounter(false)];
  const program: [channel: number, control: number, low: number, high: number][] = [
    [0, 0x36, 0, 0],
    [1, 0x74, REFRESH_TICKS, 0],
    [2, 0xb6, 0, 0],
  ];
  for (const [channel, control, low, high] of program) {
    controlWord(counters[channel], control, tick);
    writeByte(counters[channel], low, tick);
    writeByte(counters[channel], high, tick);
  }
  return { counters, speakerData: false, settledTick: tick, coalescedTicks: 0 };
}
