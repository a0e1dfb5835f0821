import { type VcpuState, stateOffset } from '@godwit/cpu';
import type { Native } from '@godwit/metal';
import { i64, integer, real, StateFormat, type TscClock, type ValuesOf } from '@godwit/machine';
import { tscKhz, type ClockSample } from './clock-hint';
import { CLOCK_STEP_INTERVAL_NS, CLOCK_STEP_NS, NOMINAL_TSC_KHZ, TSC_MEASURE_INTERVAL_NS, TSC_TOLERANCE } from './limits';

const TSC_OFFSET = stateOffset.tscOffset >> 3, TSC_SCALE = stateOffset.tscScale >> 3;
const U64_HALF = integer(32, 0, 0xffffffff);

const FORMAT = new StateFormat('clock', 1, {
  guestNs: real('guest monotonic time, nanoseconds since power-on'),
  tscLow: U64_HALF('the guest\'s TSC at that time, low half'),
  tscHigh: U64_HALF('… high half'),
  tscKhz: integer(32, 1, 0xffffffff)('rate of the guest\'s TSC: that of the host where it booted'),
  wallMs: real('host time of day at that moment, milliseconds since 1970 UTC'),
  owedNs: i64('time that passed outside and that the guest has not been shown yet'),
});
export type SavedClock = ValuesOf<typeof FORMAT.fields> & { version: number };

/**
 * Guest monotonic time and TSC, always in step. While the VM is paused both
 * stand still. What passed meanwhile is paid back afterwards, so that the
 * guest's time of day is right again: at once when it is short; otherwise in
 * steps, since an operating system that sees its clock source leap by hours
 * between two ticks computes nonsense (Linux's multiplication overflows) and
 * its watchdogs bark.
 */
export class GuestClock implements TscClock {
  private originNs: number;
  private frozen: { ns: number; tsc: bigint } | undefined;
  private owedNs = 0;
  private steppedNs = 0;
  private guestKhz = 0;
  /** For `nsAt` only: rate of the guest's TSC, and when it was measured. */
  private measured = { khz: 0, ns: Number.NEGATIVE_INFINITY };

  constructor(
    private readonly native: Native,
    private readonly state: VcpuState,
    private readonly wallMs: () => number,
    /** An early reading, for the TSC's rate. */
    private readonly sample: ClockSample,
  ) {
    this.originNs = native.monotonicNs();
  }

  /** Guest time, nanoseconds. */
  nowNs(): number {
    return (this.frozen?.ns ?? this.native.monotonicNs()) - this.originNs;
  }

  /** The guest's TSC. */
  now(): bigint {
    return BigInt.asUintN(64, (this.frozen?.tsc ?? this.native.vcpuTsc()) + this.state.u64[TSC_OFFSET]);
  }

  nsAt(tsc: bigint): number {
    const now = this.nowNs();
    // Measured again now and then: the longer since the start, the better it is known.
    if (now - this.measured.ns > TSC_MEASURE_INTERVAL_NS) {
      const host = { tsc: this.native.hostTsc(), ns: this.native.monotonicNs() };
      this.measured = { khz: this.guestKhz || tscKhz(this.sample, host) || NOMINAL_TSC_KHZ, ns: now };
    }
    return now + (Number(tsc - this.now()) / this.measured.khz) * 1e6;
  }

  /** Time still to be paid back: the caller should come back soon. */
  get owes(): boolean {
    return this.owedNs > 0;
  }

  freeze(): void {
    this.frozen ??= { ns: this.native.monotonicNs(), tsc: this.native.vcpuTsc() };
  }

  /** Goes on where it stopped, and owes the guest the time between. */
  thaw(): void {
    if (!this.frozen) return;
    const passedNs = this.native.monotonicNs() - this.frozen.ns;
    this.originNs += passedNs;
    this.addTsc(-(this.native.vcpuTsc() - this.frozen.tsc));
    this.frozen = undefined;
    this.owe(passedNs);
  }

  /** Pays a step back when one is due. */
  pay(): void {
    if (this.owedNs <= 0 || this.frozen) return;
    const now = this.native.monotonicNs();
    if (now - this.steppedNs < CLOCK_STEP_INTERVAL_NS) return;
    this.steppedNs = now;
    this.step(Math.min(this.owedNs, CLOCK_STEP_NS));
  }

  /** The clock must be frozen. */
  save(): SavedClock {
    const tsc = this.now();
    return FORMAT.save({
      guestNs: this.nowNs(),
      tscLow: Number(tsc & 0xffffffffn),
      tscHigh: Number(tsc >> 32n),
      tscKhz: this.guestKhz || this.hostKhz(),
      wallMs: this.wallMs() - (this.frozen ? (this.native.monotonicNs() - this.frozen.ns) / 1e6 : 0),
      owedNs: Math.round(this.owedNs),
    });
  }

  /** Takes over another clock's time, frozen; `thaw` lets it run. @throws StateFormatError */
  restore(saved: unknown): void {
    const { guestNs, tscLow, tscHigh, tscKhz: guestKhz, wallMs, owedNs } = FORMAT.parse(saved);
    const hostKhz = this.hostKhz();
    this.guestKhz = guestKhz;
    const ratio = guestKhz / hostKhz;
    this.state.u64[TSC_SCALE] = Math.abs(ratio - 1) < TSC_TOLERANCE ? 1n << 32n : BigInt(Math.round(ratio * 2 ** 32));
    this.frozen = { ns: this.native.monotonicNs(), tsc: this.native.vcpuTsc() };
    this.originNs = this.frozen.ns - guestNs;
    this.state.u64[TSC_OFFSET] = BigInt.asUintN(64, ((BigInt(tscHigh) << 32n) | BigInt(tscLow)) - this.frozen.tsc);
    // Hosts' clocks differ a little: time never goes back for that.
    this.owedNs = Math.max(0, owedNs) + Math.max(0, this.wallMs() - wallMs) * 1e6;
  }

  private owe(ns: number): void {
    this.owedNs += ns;
    if (this.owedNs <= CLOCK_STEP_NS) this.step(this.owedNs);
  }

  private step(ns: number): void {
    this.owedNs -= ns;
    this.originNs -= ns;
    this.addTsc(BigInt(Math.round((ns * (this.guestKhz || this.hostKhz())) / 1e6)));
  }

  private addTsc(ticks: bigint): void {
    this.state.u64[TSC_OFFSET] = BigInt.asUintN(64, this.state.u64[TSC_OFFSET] + ticks);
  }

  private hostKhz(): number {
    const khz = tscKhz(this.sample, { tsc: this.native.hostTsc(), ns: this.native.monotonicNs() });
    if (khz === undefined) throw new Error('the clock was read too soon after start to know the TSC rate');
    return khz;
  }
}
