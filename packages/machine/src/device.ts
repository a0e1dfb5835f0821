/**
 * The contract every device model keeps. All that a device remembers lies in
 * one plain record `state` whose form is its StateFormat: whatever is not in
 * there is wiring (lines, callbacks, clocks) and is the same on every host.
 * That makes save and restore the same four lines for every device and leaves
 * no room for a forgotten field.
 *
 * `restore` changes no line and calls nobody: the devices at both ends of each
 * line are restored from the same instant, so they agree already.
 */
import type { MmioBus } from './bus/mmio-bus';
import type { PortBus } from './bus/port-bus';
import type { StateFormat, ValuesOf, Field, Saved } from './state-format';

/** An interrupt line or any other wire: driven high or low. */
export type Line = (level: boolean) => void;

export interface Buses {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
}

/** What Machine keeps a list of. */
export interface AnyDevice {
  /** Name of the device's section in a snapshot. */
  readonly name: string;
  save(): { readonly version: number };
  restore(saved: unknown): void;
  reset(): void;
  /** After `restore`, when the machine is about to run: work that was under way is taken up again. */
  resume?(): void;
  attach(buses: Buses): void;
  /** When the device next wants `advance`, in guest nanoseconds; Infinity for never. */
  nextDeadlineNs(): number;
  /** Brings the device to the time given; late calls are allowed. */
  advance(nowNs: number): void;
}

export abstract class Device<F extends Record<string, Field<unknown>>> implements AnyDevice {
  protected state: ValuesOf<F>;

  protected constructor(
    private readonly format: StateFormat<F>,
    /** The state after power-on. */
    private readonly powerOn: () => ValuesOf<F>,
  ) {
    this.state = powerOn();
  }

  get name(): string {
    return this.format.device;
  }

  save(): Saved<ValuesOf<F>> {
    return this.format.save(this.state);
  }

  restore(saved: unknown): void {
    this.state = this.format.parse(saved);
  }

  reset(): void {
    this.state = this.powerOn();
  }

  attach(_buses: Buses): void {}

  nextDeadlineNs(): number {
    return Infinity;
  }

  advance(_nowNs: number): void {}
}
