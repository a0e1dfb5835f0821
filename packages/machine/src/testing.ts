/** Clocks and a bench for tests: time moves only when the test says so. */
import type { Clock, WallClock } from './clock';
import { Machine, type MachineConfig } from './machine';

/** Monotonic and wall clock in step, as on a host whose clock nobody sets. */
export class TestClock implements Clock, WallClock {
  constructor(
    public ns = 0,
    readonly epochAtStartMs = 1_700_000_000_000,
  ) {}
  nowNs(): number {
    return this.ns;
  }
  epochMs(): number {
    return this.epochAtStartMs + this.ns / 1e6;
  }
}

/** A seeded generator (xorshift32): the same seed gives the same run. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A machine with everything that comes out of it recorded. */
export class Bench {
  readonly events: string[] = [];
  readonly serial: number[] = [];
  readonly machine: Machine;

  constructor(
    readonly clock = new TestClock(),
    config: Partial<MachineConfig> = {},
  ) {
    this.machine = new Machine({
      memoryBytes: 64 * 1024 * 1024,
      clock,
      wallClock: clock,
      onSerialOutput: (bytes) => this.serial.push(...bytes),
      onPowerOff: () => this.events.push('power-off'),
      onReset: (reason) => this.events.push(`reset ${reason}`),
      onA20: (enabled) => this.events.push(`a20 ${enabled}`),
      ...config,
    });
  }

  in(port: number, size: 1 | 2 | 4 = 1): number {
    return this.machine.ports.in(port, size);
  }

  out(port: number, value: number, size: 1 | 2 | 4 = 1): void {
    this.machine.ports.out(port, size, value);
  }

  /** As Linux does: vectors 30-3F (master, slave), all inputs masked but those given. */
  startInterrupts(...irqs: number[]): void {
    for (const [base, vector, wiring] of [[0x20, 0x30, 4], [0xa0, 0x38, 2]]) {
      this.out(base, 0x11);
      this.out(base + 1, vector);
      this.out(base + 1, wiring);
      this.out(base + 1, 0x01);
    }
    const mask = ~irqs.reduce((bits, irq) => bits | (1 << irq), 1 << 2) & 0xffff;
    this.out(0x21, mask & 0xff);
    this.out(0xa1, mask >> 8);
  }

  /** Runs to a time, calling `advance` at each deadline as the runner does. */
  runTo(ns: number, onDeadline: () => void = () => {}): void {
    for (let deadline = this.machine.nextDeadlineNs(); deadline <= ns; deadline = this.machine.nextDeadlineNs()) {
      this.clock.ns = Math.max(this.clock.ns, deadline);
      this.machine.advance(this.clock.ns);
      onDeadline();
    }
    this.clock.ns = ns;
    this.machine.advance(ns);
  }

  /** Takes all interrupts that are waiting, ends each, and gives their numbers. */
  takeInterrupts(): number[] {
    const taken: number[] = [];
    while (this.machine.irqPending() && taken.length < 64) {
      const irq = this.machine.acknowledgeIrq() - 0x30;
      taken.push(irq);
      if (irq >= 8) this.out(0xa0, 0x20);
      this.out(0x20, 0x20);
    }
    return taken;
  }
}
