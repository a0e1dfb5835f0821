/** One VMM process of the simulation: the state machine, its clock, its VM, and what befalls it. */
import { Lease } from '../lease';
import type { LeaseTiming } from '../limits';
import type { Command, LeaseEvent, Step } from '../protocol';
import type { Owner } from '../record';
import type { World } from './simulation';

export const TIMING: LeaseTiming = { leaseMs: 2_000, beatMs: 400, pauseLeadMs: 500 };
const TICK_MS = 100;
/** A VM stops within this time of being told; with a tick, less than `pauseLeadMs`. */
const PAUSE_MS = 300;
const IO_TIMEOUT_MS = 700;

export type MakeLease = (vmId: string, me: Owner, timing: LeaseTiming) => Lease;

export class Party {
  readonly owner: Owner;
  readonly lease: Lease;
  alive = true;
  /** Stopped (SIGSTOP) until then, in true time. */
  stoppedUntil = 0;
  /** Cut off from the storage until then. */
  cutUntil = 0;
  vm: 'none' | 'running' | 'pausing' | 'paused' = 'none';
  ended = false;
  partner: Party | undefined;

  constructor(
    readonly world: World,
    serial: number,
    private readonly rate: number,
    private readonly offset: number,
    makeLease: MakeLease,
  ) {
    this.owner = { hostId: `h${serial}`, hostName: `host-${serial}`, vmmId: `v${serial}` };
    this.lease = makeLease('vm', this.owner, TIMING);
    this.tickSoon();
  }

  localTime(): number {
    return this.offset + this.world.time * this.rate;
  }

  /**
   * Whether guest code or a disk write could be executing at this instant. A
   * stopped process counts: it may be woken now. With the guard, vCPU and disk
   * look at the deadline; without it only the message counts.
   */
  executes(guarded: boolean): boolean {
    if (!this.alive || this.vm === 'none' || this.vm === 'paused') return false;
    return !guarded || this.lease.mayWrite(this.localTime());
  }

  /** Runs `act` as this process: at once, or when it is woken; never once it is dead. */
  run(act: () => Step): void {
    if (!this.alive) return;
    if (this.world.time < this.stoppedUntil) this.world.agenda.add(this.stoppedUntil, () => this.run(act));
    else this.obey(act());
  }

  announce(next: Parameters<Lease['announce']>[0]): void {
    this.run(() => {
      this.lease.announce(next);
      return { commands: [], events: [] };
    });
  }

  migrateTo(target: Party, migrationId: string): void {
    this.partner = target;
    this.vm = 'paused';
    this.run(() => this.lease.pass(this.localTime(), target.owner, migrationId));
  }

  private tickSoon(): void {
    this.world.agenda.add(this.world.time + this.world.random.between(0.5, 1) * TICK_MS, () => {
      this.run(() => this.lease.tick(this.localTime()));
      if (this.alive && !this.ended) this.tickSoon();
    });
  }

  private obey(step: Step): void {
    for (const event of step.events) this.hear(event);
    for (const command of step.commands) this.execute(command);
  }

  private hear(event: LeaseEvent): void {
    const { world } = this;
    world.note(this, event);
    if (event.event === 'acquired' || event.event === 'mayResume' || event.event === 'passFailed') {
      if (this.lease.mayRun(this.localTime())) this.vm = 'running';
      if (event.event === 'passFailed') this.partner?.run(() => this.partner!.lease.release(this.partner!.localTime()));
    } else if (event.event === 'mustPause') {
      if (this.vm !== 'running') return;
      this.vm = 'pausing';
      world.agenda.add(world.time + world.random.between(0, PAUSE_MS), () => {
        if (this.vm === 'pausing') this.vm = 'paused';
      });
    } else {
      this.vm = 'none';
      this.ended = true;
      if (event.event === 'passed' && world.random.chance(0.7))
        this.partner?.run(() => this.partner!.lease.look(this.partner!.localTime()));
      world.replace(this);
    }
  }

  private execute(command: Command): void {
    const { world, lease } = this;
    if (command.do === 'tidy') return world.storage.tidy(command.below);
    const giveUp = () =>
      this.run(() =>
        command.do === 'observe'
          ? lease.observed(this.localTime(), command.id, null)
          : command.do === 'claim'
            ? lease.claimed(this.localTime(), command.id, 'unknown')
            : lease.beaten(this.localTime(), command.id, false),
      );
    world.agenda.add(world.time + IO_TIMEOUT_MS, giveUp);
    const { storage } = world;
    if (command.do === 'observe') {
      storage.observe(this.cutUntil, (seen) => this.run(() => lease.observed(this.localTime(), command.id, seen)));
    } else if (command.do === 'claim') {
      storage.claim(this.cutUntil, command.claim, (outcome) => this.run(() => lease.claimed(this.localTime(), command.id, outcome)));
    } else {
      storage.beat(this.cutUntil, command.beat, () => this.run(() => lease.beaten(this.localTime(), command.id, true)));
    }
  }
}
