/**
 * A VM's lease for the VMM: drives the state machine of packages/lease over files
 * and the host's clock.
 *
 *     const holder = new LeaseHolder(vm, owner);
 *     holder.onMustPause = …; holder.onMayResume = …; holder.onLost = …;
 *     await holder.acquire();            // LeaseRefused names the owner
 *     disk = await vm.openDisk('root', { write: true, guard: holder.deadline.guard });
 *     await holder.passTo(target, id);   // or release()
 *
 * The judgement about time never waits for the storage: operations hang in
 * lease-files.ts, while a timer here looks at the clock. And where no timer runs
 * (a stopped process that is woken), `deadline` in shared memory says no.
 */
import {
  checkTiming,
  DEFAULT_TIMING,
  describeOwner,
  Lease,
  type Beat,
  type LeaseEvent,
  type LeaseTiming,
  type Owner,
  type Step,
} from '@godwit/lease';
import { clockMs, Deadline } from './deadline';
import { StorageError } from './errors';
import type { FileSystem } from './file-system';
import { LeaseCounters } from './lease-counters';
import { LeaseFiles } from './lease-files';
import { LEASE_TICK_MS, MAX_FAILED_LOOKS } from './limits';

/** Somebody else has the VM; `owner` is null when the record does not say who. */
export class LeaseRefused extends Error {
  override readonly name = 'LeaseRefused';
  readonly code = 'ELEASE';

  constructor(
    vm: string,
    readonly owner: Owner | null,
  ) {
    super(`VM ${vm} is in use${owner ? ` on ${describeOwner(owner)}` : ''}: stop it there, or migrate it, first`);
  }
}

export interface LeasePlace {
  /** For messages. */
  readonly vmName: string;
  readonly vmId: string;
  readonly files: FileSystem;
  /** The lease folder's path in `files`. */
  readonly folder: string;
}

export interface Acquired {
  readonly epoch: number;
  /** The dead owner it was taken over from. */
  readonly takenFrom: Owner | null;
}

interface Waiting<T> {
  /** Gives up when the storage does not answer. A target must not: the VM may be on its way to it. */
  readonly impatient?: boolean;
  resolve(value: T): void;
  reject(error: Error): void;
}

/** Events that end the lease here. */
type Ending = Extract<LeaseEvent, { event: 'lost' | 'refused' | 'released' }>;

export class LeaseHolder {
  /** Stop the vCPU, now; disk writes may drain until `deadline` stops them. */
  onMustPause: () => void = () => undefined;
  onMayResume: () => void = () => undefined;
  /** This copy of the VM must be thrown away: somebody else has it. */
  onLost: (owner: Owner | null) => void = () => undefined;
  /** For the vCPU's thread and for disk writes. */
  readonly deadline = new Deadline();

  private readonly counted = new LeaseCounters();
  private readonly lease: Lease;
  private readonly records: LeaseFiles;
  private timer: NodeJS.Timeout | undefined;
  private failedLooks = 0;
  private getting: Waiting<Acquired> | undefined;
  private passing: Waiting<boolean> | undefined;
  private releasing: Waiting<boolean> | undefined;

  constructor(
    private readonly place: LeasePlace,
    readonly owner: Owner,
    private readonly timing: LeaseTiming = DEFAULT_TIMING,
  ) {
    checkTiming(timing);
    this.lease = new Lease(place.vmId, owner, timing);
    // Two operations in a row may hang, and a third still comes in time.
    this.records = new LeaseFiles(place.files, place.folder, Math.floor((timing.leaseMs - timing.pauseLeadMs) / 3));
  }

  /** True while the vCPU may execute. */
  mayRun(): boolean {
    return this.deadline.mayRun();
  }

  /** True while disk writes may be issued. */
  mayWrite(): boolean {
    return this.deadline.mayWrite();
  }

  get epoch(): number {
    return this.lease.heldEpoch;
  }

  /** For VmmStats: `lease_…`. */
  counters(): Record<string, number> {
    const { state, deadline } = this.lease;
    return this.counted.counters(state === 'held' ? Math.max(0, clockMs() - (deadline - this.timing.leaseMs)) : undefined);
  }

  /**
   * Gets the VM. A dead owner is waited out; a living one refuses it, unless `wait`.
   * @throws LeaseRefused, or StorageError when the lease cannot be read or written
   */
  acquire({ wait = false, signal }: { wait?: boolean; signal?: AbortSignal } = {}): Promise<Acquired> {
    return this.get(() => this.lease.acquire(clockMs(), wait), true, signal);
  }

  /**
   * Target of a migration: waits until it reads that it is the owner, however long the
   * storage hangs. To be called off (`release`, `signal`) only on the source's word that
   * the VM stays there: it may be the owner already.
   * @throws LeaseRefused when somebody else got it, the source has given up that migration, or it died before it passed the VM on
   */
  expect({ migrationId = null, signal }: { migrationId?: string | null; signal?: AbortSignal } = {}): Promise<Acquired> {
    return this.get(() => this.lease.expect(clockMs(), migrationId), false, signal);
  }

  /** Looks at once instead of at the next turn: the source says it has passed the lease. */
  look(): void {
    this.obey(this.lease.look(clockMs()));
  }

  /** Writes into the heartbeat which migration may take the VM next. */
  announce(next: Beat['next']): void {
    this.lease.announce(next);
  }

  /**
   * The commit of a migration; the vCPU is stopped and its writes are on the storage.
   * True: the target has the VM, and this copy must never run again. False: it stays
   * here and may run. Takes as long as it takes to know.
   * @throws LeaseRefused when a third one has it
   */
  passTo(target: Owner, migrationId: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.passing = { resolve, reject };
      this.obey(this.lease.pass(clockMs(), target, migrationId));
    });
  }

  /**
   * The VM has ended, or was never to run: anyone may have it at once. False: the
   * storage did not take it, and others have to wait the lease out.
   */
  release(): Promise<boolean> {
    if (this.lease.state === 'ended') return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      this.releasing = { resolve, reject };
      this.obey(this.lease.release(clockMs()));
    });
  }

  private async get(start: () => Step, impatient: boolean, signal?: AbortSignal): Promise<Acquired> {
    signal?.throwIfAborted();
    const abort = (): void => {
      const waiting = this.getting;
      this.getting = undefined;
      this.release().then(() => waiting?.reject(signal?.reason), waiting?.reject);
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise<Acquired>((resolve, reject) => {
        this.getting = { resolve, reject, impatient };
        this.timer = setInterval(() => this.obey(this.lease.tick(clockMs())), Math.min(LEASE_TICK_MS, this.timing.beatMs / 4));
        this.obey(start());
      });
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  private obey(step: Step): void {
    const { deadline, state } = this.lease;
    // The shared memory first: what it says is true before anybody is told.
    this.deadline.set(deadline, state === 'held' ? deadline - this.timing.pauseLeadMs : -Infinity);
    if (state === 'ended') clearInterval(this.timer);
    for (const command of step.commands) {
      if (command.do === 'observe') this.observe(command.id);
      else if (command.do === 'claim')
        this.records.claim(command.claim).then((outcome) => this.obey(this.lease.claimed(clockMs(), command.id, outcome)));
      else if (command.do === 'beat') this.beat(command.id, command.beat);
      else this.records.tidy(command.below);
    }
    for (const event of step.events) this.tell(event);
  }

  private async beat(id: number, beat: Beat): Promise<void> {
    const began = clockMs();
    const ok = await this.records.beat(beat);
    this.counted.renewed(clockMs() - began, ok);
    this.obey(this.lease.beaten(clockMs(), id, ok));
  }

  private async observe(id: number): Promise<void> {
    const seen = await this.records.observe();
    this.failedLooks = seen ? 0 : this.failedLooks + 1;
    this.obey(this.lease.observed(clockMs(), id, seen));
    if (this.failedLooks < MAX_FAILED_LOOKS || !this.getting?.impatient || this.lease.state !== 'seeking') return;
    const { reject } = this.getting;
    this.getting = undefined;
    this.obey(this.lease.release(clockMs()));
    const reason = this.records.lastError;
    reject(
      new StorageError(reason?.code ?? 'EIO', `cannot tell whether VM ${this.place.vmName} is in use: ${reason?.message ?? 'no answer'}`),
    );
  }

  private tell(event: LeaseEvent): void {
    if (event.event === 'mustPause') this.onMustPause();
    else if (event.event === 'mayResume') this.onMayResume();
    else if (event.event === 'acquired') {
      this.getting?.resolve({ epoch: event.epoch, takenFrom: event.takenFrom });
      this.getting = undefined;
    } else if (event.event === 'passed' || event.event === 'passFailed') {
      this.passing?.resolve(event.event === 'passed');
      this.passing = undefined;
    } else this.ended(event);
  }

  private ended(event: Ending): void {
    const refused = new LeaseRefused(this.place.vmName, event.event === 'released' ? null : event.owner);
    // Whoever waits for the VM is told so; a holder's VM has to be thrown away.
    if (event.event === 'lost') {
      this.counted.lost();
      this.onLost(event.owner);
    }
    this.getting?.reject(refused);
    this.passing?.reject(refused);
    this.releasing?.resolve(event.event === 'released' && event.clean);
    this.getting = this.passing = this.releasing = undefined;
  }
}
