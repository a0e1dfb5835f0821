/**
 * The local APIC's timer (SDM 3A, 11.5.4). Nothing here ticks: the count is a
 * function of the time at which it was loaded.
 *
 *   one-shot      count runs to 0 once
 *   periodic      and starts again
 *   TSC-deadline  fires when the guest's TSC has reached the MSR's value
 *
 * Its input clock is 1 GHz, before the divider. When the host is late, missed
 * periods become one expiry; the owner is told how many there were. In
 * TSC-deadline mode it is the TSC that decides: guest time only says when to
 * look, so the interrupt is never early by the guest's own clock.
 */
import type { Clock, TscClock } from '../clock';
import { APIC_TIMER_LONGEST_WAIT_NS, APIC_TIMER_MIN_WAIT_NS, APIC_TIMER_RETRY_NS } from '../limits';
import { real, record, u32, u8, type ValuesOf } from '../state-format';

export const TimerMode = { oneShot: 0, periodic: 1, tscDeadline: 2 } as const;

const timerFields = {
  mode: u8('0 one-shot, 1 periodic, 2 TSC-deadline; 3 is reserved and stands still'),
  divide: u8('divide configuration register, bits 0, 1 and 3'),
  initialCount: u32('initial count; 0: stopped'),
  startNs: real('guest time at which the running period began'),
  expired: u8('1: the one-shot count has run out'),
  deadlineLow: u32('IA32_TSC_DEADLINE, low half; both halves 0: not armed'),
  deadlineHigh: u32('IA32_TSC_DEADLINE, high half'),
};
export const timerState = record(timerFields, 'timer');
export type TimerState = ValuesOf<typeof timerFields>;

export const powerOnTimer = (): TimerState => ({
  mode: TimerMode.oneShot,
  divide: 0,
  initialCount: 0,
  startNs: 0,
  expired: 0,
  deadlineLow: 0,
  deadlineHigh: 0,
});

export interface ApicTimerWiring {
  readonly clock: Clock;
  /** Left out: TSC-deadline mode is not offered. */
  readonly tsc?: TscClock;
  /** Where the timer's state lies now. */
  state(): TimerState;
  /** The count has run out `times` times since it was last looked at. */
  onExpiry(times: number): void;
}

export class ApicTimer {
  /** When to look at the TSC next; undefined: not worked out yet. */
  private lookAtNs: number | undefined;

  constructor(private readonly wiring: ApicTimerWiring) {}

  get offersDeadline(): boolean {
    return this.wiring.tsc !== undefined;
  }

  /** To be called when the state was replaced or the TSC was set. */
  forget(): void {
    this.lookAtNs = undefined;
  }

  /** Going from or to TSC-deadline mode stops the timer. */
  setMode(mode: number): void {
    const state = this.wiring.state();
    if (mode === state.mode) return;
    if (mode === TimerMode.tscDeadline || state.mode === TimerMode.tscDeadline) this.stop(state);
    state.mode = mode;
  }

  setInitialCount(count: number): void {
    const state = this.wiring.state();
    if (state.mode === TimerMode.tscDeadline) return;
    state.initialCount = count;
    state.startNs = this.wiring.clock.nowNs();
    state.expired = 0;
  }

  /** The count goes on from where it is, at the new rate. */
  setDivide(value: number): void {
    const state = this.wiring.state();
    const passed = state.initialCount - this.currentCount();
    state.divide = value & 0x0b;
    state.startNs = this.wiring.clock.nowNs() - passed * divisor(state);
  }

  currentCount(): number {
    const state = this.wiring.state();
    if (state.initialCount === 0 || state.mode > TimerMode.periodic || state.expired) return 0;
    const passed = Math.floor((this.wiring.clock.nowNs() - state.startNs) / divisor(state));
    if (state.mode === TimerMode.periodic) return state.initialCount - (Math.max(0, passed) % state.initialCount);
    return Math.min(state.initialCount, Math.max(0, state.initialCount - passed));
  }

  get deadline(): bigint {
    const { deadlineHigh, deadlineLow } = this.wiring.state();
    return (BigInt(deadlineHigh) << 32n) | BigInt(deadlineLow);
  }

  /** Ignored in other modes. A deadline that has passed fires at once; 0 disarms. */
  set deadline(tsc: bigint) {
    const state = this.wiring.state();
    if (state.mode !== TimerMode.tscDeadline) return;
    state.deadlineLow = Number(tsc & 0xffffffffn);
    state.deadlineHigh = Number((tsc >> 32n) & 0xffffffffn);
    this.lookAtNs = undefined;
    this.advance(this.wiring.clock.nowNs());
  }

  /** Infinity for never; a short period asks to be looked at less often. */
  nextDeadlineNs(): number {
    const state = this.wiring.state();
    if (state.mode === TimerMode.tscDeadline)
      return this.armed(state) ? (this.lookAtNs ??= this.lookAt(this.wiring.clock.nowNs())) : Infinity;
    if (state.initialCount === 0 || state.mode > TimerMode.periodic || state.expired) return Infinity;
    const period = state.initialCount * divisor(state);
    return state.startNs + (state.mode === TimerMode.periodic ? Math.max(period, APIC_TIMER_MIN_WAIT_NS) : period);
  }

  advance(nowNs: number): void {
    const state = this.wiring.state();
    if (state.mode === TimerMode.tscDeadline) return this.advanceDeadline(state, nowNs);
    if (state.initialCount === 0 || state.mode > TimerMode.periodic || state.expired) return;
    const period = state.initialCount * divisor(state);
    const times = Math.floor((nowNs - state.startNs) / period);
    if (times < 1) return;
    if (state.mode === TimerMode.oneShot) {
      state.expired = 1;
      this.wiring.onExpiry(1);
      return;
    }
    state.startNs += times * period;
    this.wiring.onExpiry(times);
  }

  private advanceDeadline(state: TimerState, nowNs: number): void {
    const { tsc } = this.wiring;
    if (!tsc || !this.armed(state)) return;
    if (this.lookAtNs !== undefined && nowNs < this.lookAtNs) return;
    if (tsc.now() >= this.deadline) {
      this.stop(state);
      this.wiring.onExpiry(1);
    } else {
      this.lookAtNs = this.lookAt(nowNs);
    }
  }

  private armed(state: TimerState): boolean {
    return (state.deadlineLow | state.deadlineHigh) !== 0;
  }

  /** The two clocks may differ by a little; looking again makes up for it. */
  private lookAt(nowNs: number): number {
    const { tsc } = this.wiring;
    if (!tsc) return Infinity;
    const at = Math.ceil(tsc.nsAt(this.deadline));
    return Math.min(Math.max(at, nowNs + APIC_TIMER_RETRY_NS), nowNs + APIC_TIMER_LONGEST_WAIT_NS);
  }

  private stop(state: TimerState): void {
    state.initialCount = 0;
    state.deadlineLow = 0;
    state.deadlineHigh = 0;
    this.lookAtNs = undefined;
  }
}

/** Nanoseconds of one count: 2, 4, … 128, and 1 for the last encoding. */
function divisor({ divide }: TimerState): number {
  const code = ((divide >> 1) & 4) | (divide & 3);
  return 1 << ((code + 1) & 7);
}
