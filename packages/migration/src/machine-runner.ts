/** Runs a pure machine: events in their order, one at a time; commands as they come; a tick at its deadline. */
import type { ClockPort } from './ports';

type Untimed<E> = E extends unknown ? Omit<E, 'at'> : never;

export class MachineRunner<S extends { readonly phase: string; readonly deadline: number }, E extends { readonly at: number }, C> {
  private readonly queue: E[] = [];
  private draining = false;
  private armedFor = Infinity;
  private disarm: () => void = () => {};

  constructor(
    public state: S,
    private readonly step: (state: S, event: E) => { readonly state: S; readonly commands: readonly C[] },
    private readonly execute: (command: C) => void,
    private readonly clock: ClockPort,
    private readonly tick: Untimed<E>,
    private readonly onEnd: () => void,
    /** A phase begins; its commands have not been carried out yet. */
    private readonly onPhase: (phase: S['phase']) => void = () => {},
  ) {}

  feed(event: Untimed<E>): void {
    this.queue.push({ ...event, at: this.clock.now() } as unknown as E);
    if (this.draining) return;
    this.draining = true;
    for (let next = this.queue.shift(); next; next = this.queue.shift()) this.handle(next);
    this.draining = false;
    this.arm();
  }

  /** Does something that may fail, now or later; a failure is told as one line. */
  attempt(act: () => Promise<unknown> | unknown, onFailure: (error: unknown) => void): void {
    try {
      const doing = act();
      if (doing instanceof Promise) doing.catch(onFailure);
    } catch (error) {
      onFailure(error);
    }
  }

  private handle(event: E): void {
    const before = this.state.phase;
    const { state, commands } = this.step(this.state, event);
    this.state = state;
    if (state.phase !== before) this.onPhase(state.phase);
    for (const command of commands) this.execute(command);
    if (state.phase === 'ended' && before !== 'ended') this.onEnd();
  }

  private arm(): void {
    const { deadline } = this.state;
    // One that moved on is found out when the timer fires: they move with every batch.
    if (deadline === this.armedFor || (deadline > this.armedFor && deadline !== Infinity)) return;
    this.disarm();
    this.armedFor = deadline;
    this.disarm = () => {};
    if (deadline === Infinity) return;
    this.disarm = this.clock.after(Math.max(0, deadline - this.clock.now()) + 1, () => {
      this.armedFor = Infinity;
      this.disarm = () => {};
      this.feed(this.tick);
    });
  }
}
