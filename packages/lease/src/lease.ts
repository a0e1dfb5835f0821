/**
 * Who may run a VM: one party's state machine. No I/O and no clock: each call
 * carries `now` (milliseconds on the host's own monotonic clock) and returns
 * what is to be done and what is to be told.
 *
 *            acquire                       expect (target of a migration)
 *               │                                     │
 *               ▼          claim of the next epoch    ▼
 *     ┌──── seeking ─────────► claiming ──► settling  seeking ── reads that it is owner ──┐
 *     │ refused   ▲                            │ read back: mine                          │
 *     ▼           │ no heartbeat acknowledged  ▼                                          │
 *   ended ◄─┐     └──── in time: mustPause ── held ◄──────────────────────────────────────┘
 *           │ passed, lost, released           │ pass, release
 *           └────────────────────── settling ◄─┴─ claiming
 *
 * An epoch belongs to whoever makes its claim first; the storage lets one claim
 * an epoch succeed (record.ts). Taking over, resuming, passing on and releasing
 * are all the same act, a claim of the next epoch, so of any two that race one
 * wins, and what lands late finds its place taken.
 *
 * Why no two run at once:
 * 1. A holder's right to run ends `leaseMs` after it *issued* the last thing of
 *    its own (claim or heartbeat) that it knows to have landed.
 * 2. A right that has ended is never revived, even if the acknowledgement arrives
 *    later: a claim by another may be under way. The holder claims the next epoch.
 * 3. A taker claims only after two looks at the same heartbeat, `takeoverWaitMs`
 *    from the end of the first to the start of the last. No counter value lands
 *    twice, so nothing landed in between, so by 1 the holder's right has ended.
 * 4. A target did not make its claim. Its right counts from the start of its last
 *    look that did *not* show the claim: it landed later than that.
 * 5. A source gives up its right before it issues the claim for the target. If it
 *    cannot learn whether that claim landed, it claims the same epoch for itself:
 *    whichever is there first decides, for both sides.
 * 6. A claim counts only once a look after it shows no higher epoch: its place may
 *    have been free because it was tidied away.
 *
 * What it cannot do: call back disk writes that left this host and lie in a queue
 * elsewhere. The shell guards writes up to the system call (`deadline`).
 */
import { checkTiming, KEPT_EPOCHS, RELEASE_TRIES, takeoverWaitMs, MAX_LEASE_MS, type LeaseTiming } from './limits';
import { checkOwner, type Claim, type ClaimReason, type Owner, type Beat, parseBeat } from './record';
import type { ClaimOutcome, Command, LeaseEvent, Seen, Step } from './protocol';

type ClaimGoal = 'hold' | 'pass' | 'release';

/** `seen`: the heartbeat watched, and when a look first showed it. `negative`: the last look without a claim for us. */
type Seeking = {
  readonly is: 'seeking';
  readonly goal: 'acquire' | 'target' | 'resume';
  seen?: { key: string; since: number };
  /** A target's: heartbeats in a row, new since it looks, that do not name its migration. */
  unnamed?: number;
  negativeAt?: number;
  source?: string;
};
type Phase =
  | { readonly is: 'idle' | 'held' | 'ended' }
  | Seeking
  | { readonly is: 'claiming' | 'settling'; readonly goal: ClaimGoal; readonly claim: Claim; readonly issuedAt: number };

export class Lease {
  private phase: Phase = { is: 'idle' };
  private pending: { readonly id: number; readonly issuedAt: number; readonly look: boolean } | undefined;
  private epoch = 0;
  private counter = 0;
  private serial = 0;
  private now = -Infinity;
  private nextActAt = -Infinity;
  /** The right to write ends here; -Infinity: none. */
  private validUntil = -Infinity;
  /** Where the right given up for a pass counted from: it comes back if the pass was never sent. */
  private passedFrom = -Infinity;
  private everHeld = false;
  private waits = false;
  private releaseWanted = false;
  private releaseTries = 0;
  private passing = false;
  private takenFrom: Owner | null = null;
  private next: Beat['next'] = null;
  /** The migration that a target waits for. */
  private expected: string | null = null;
  private readonly me: Owner;
  private out: { commands: Command[]; events: LeaseEvent[] } = { commands: [], events: [] };

  constructor(
    private readonly vmId: string,
    me: Owner,
    private readonly timing: LeaseTiming,
  ) {
    this.me = checkOwner(me);
    checkTiming(timing);
  }

  /** True while the vCPU may execute. False from `pauseLeadMs` before the lease ends, whether anyone has been told or not. */
  mayRun(now: number): boolean {
    return this.phase.is === 'held' && now < this.validUntil - this.timing.pauseLeadMs;
  }

  /** True while disk writes may be issued: a little longer than `mayRun`, so that a pausing VM's writes can drain. */
  mayWrite(now: number): boolean {
    return now < this.validUntil;
  }

  /** When `mayWrite` ends, on the clock of `now`; -Infinity when it has no right at all. */
  get deadline(): number {
    return this.validUntil;
  }

  get heldEpoch(): number {
    return this.epoch;
  }

  get state(): Phase['is'] {
    return this.phase.is;
  }

  /** Starts to get the VM. Not `wait`: 'refused' as soon as the owner proves alive; a dead one is waited out. */
  acquire(now: number, wait: boolean): Step {
    return this.start(now, { is: 'seeking', goal: 'acquire' }, wait);
  }

  /**
   * Target of a migration: waits until it reads that it is the owner. 'refused' once the
   * source cannot pass it on any more: another has it, or two new heartbeats of the source
   * do not name `migrationId` (it names it before the target looks, one heartbeat may have been
   * on its way, and it stops only when it has given up). 'released': the source was dead
   * before it passed the lease, which is now free for anyone; this copy is of no use, for
   * the source may have run on before it died.
   */
  expect(now: number, migrationId: string | null = null): Step {
    this.expected = migrationId;
    return this.start(now, { is: 'seeking', goal: 'target' }, true);
  }

  /** A hint that looking now may pay (the source says it has passed the lease). */
  look(now: number): Step {
    this.enter(now);
    if (this.phase.is === 'seeking') this.observe();
    return this.leave();
  }

  /** Says in the heartbeat which migration may take the VM next; null: none. */
  announce(next: Beat['next']): void {
    this.next = next && { migrationId: next.migrationId, target: checkOwner(next.target) };
  }

  /** The vCPU is stopped and its writes are on the storage: the VM goes to `target`. */
  pass(now: number, target: Owner, migrationId: string): Step {
    this.enter(now);
    if (this.phase.is !== 'held' || this.releaseWanted) {
      this.tell({ event: 'passFailed' });
      return this.leave();
    }
    this.passing = true;
    this.claim('pass', 'pass', this.epoch + 1, checkOwner(target), migrationId);
    return this.leave();
  }

  /** The VM has ended (or never began): anyone may have it at once. */
  release(now: number): Step {
    this.enter(now);
    this.releaseWanted = true;
    if (this.phase.is === 'held') this.claimFree(this.epoch + 1);
    else if (this.phase.is === 'idle' || (this.phase.is === 'seeking' && this.phase.goal !== 'resume'))
      this.end({ event: 'released', clean: true });
    return this.leave();
  }

  /** To be called often: at least every quarter of `beatMs`. */
  tick(now: number): Step {
    this.enter(now);
    if (this.now >= this.nextActAt) {
      // A look that hangs must not hold up the heartbeat.
      if (this.phase.is === 'held' && (!this.pending || this.pending.look)) this.beat();
      else if (!this.pending && (this.phase.is === 'seeking' || this.phase.is === 'settling')) this.observe();
    }
    return this.leave();
  }

  /** Answer to 'observe'; null: it failed. */
  observed(now: number, id: number, seen: Seen | null): Step {
    const issuedAt = this.answer(now, id);
    if (issuedAt === undefined || !seen) return this.leave();
    if (this.phase.is === 'seeking') this.sought(this.phase, seen, issuedAt);
    else if (this.phase.is === 'settling') this.settled(this.phase, seen);
    else if (this.phase.is === 'held' && seen.epoch > this.epoch) this.lose(seen);
    return this.leave();
  }

  /** Answer to 'claim'. */
  claimed(now: number, id: number, outcome: ClaimOutcome): Step {
    if (this.answer(now, id) === undefined || this.phase.is !== 'claiming') return this.leave();
    const { goal, claim, issuedAt } = this.phase;
    if (outcome === 'won' && goal === 'pass') this.end({ event: 'passed', epoch: claim.epoch });
    else if (outcome === 'won' && goal === 'release') this.end({ event: 'released', clean: true });
    else if (outcome === 'unsent' && goal === 'pass' && this.now < this.lapseOf(this.passedFrom)) this.keep(this.epoch, this.passedFrom);
    else {
      this.phase = { is: 'settling', goal, claim, issuedAt };
      this.observe();
    }
    return this.leave();
  }

  /** Answer to 'beat'. */
  beaten(now: number, id: number, ok: boolean): Step {
    const issuedAt = this.answer(now, id);
    if (issuedAt === undefined || this.phase.is !== 'held') return this.leave();
    this.nextActAt = ok ? issuedAt + this.timing.beatMs : this.now + this.timing.beatMs / 4;
    if (ok) {
      this.validUntil = issuedAt + this.timing.leaseMs;
      this.observe();
    }
    return this.leave();
  }

  /** What a taker waits; apart so that tests can break it. */
  protected waitMs(leaseMs: number): number {
    return takeoverWaitMs(leaseMs);
  }

  /** From when a target's right counts; apart so that tests can break it. */
  protected targetBase(negativeAt: number | undefined, _now: number): number {
    return negativeAt ?? -Infinity;
  }

  // ── reading ──────────────────────────────────────────────────────────────

  private sought(phase: Seeking, seen: Seen, issuedAt: number): void {
    this.nextActAt = this.now + this.timing.beatMs / (phase.goal === 'target' ? 4 : 2);
    if (phase.goal === 'resume') return this.soughtAgain(seen);
    if (phase.goal === 'target') return this.soughtAsTarget(phase, seen, issuedAt);
    if (seen.epoch === 0 || this.isMine(seen) || seen.claim?.owner === null) return this.claimForMe(seen.epoch + 1, 'acquire');
    const key = `${seen.epoch} ${seen.beat}`;
    if (phase.seen?.key === key) {
      if (issuedAt - phase.seen.since < this.waitMs(seen.claim?.leaseMs ?? MAX_LEASE_MS)) return;
      this.takenFrom = seen.claim?.owner ?? null;
      return this.claimForMe(seen.epoch + 1, 'take-over');
    }
    // A heartbeat that moved proves the owner alive.
    if (phase.seen && !this.waits) return this.end({ event: 'refused', owner: seen.claim?.owner ?? null });
    phase.seen = { key, since: this.now };
  }

  private soughtAgain(seen: Seen): void {
    if (!this.isMine(seen)) {
      // A lower epoch than one's own is a look that went wrong: look again.
      if (seen.epoch >= this.epoch || seen.epoch === 0) this.lose(seen);
    } else if (this.releaseWanted) this.claimFree(seen.epoch + 1);
    else this.claimForMe(seen.epoch + 1, 'resume');
  }

  private soughtAsTarget(phase: Seeking, seen: Seen, issuedAt: number): void {
    if (this.isMine(seen)) {
      this.takenFrom = null;
      const base = this.targetBase(phase.negativeAt, this.now);
      if (this.now < this.lapseOf(base)) this.hold(seen.epoch, base);
      else this.claimForMe(seen.epoch + 1, 'resume');
      return;
    }
    phase.negativeAt = issuedAt;
    if (seen.epoch > 0 && !seen.claim) return;
    const owner = seen.claim?.owner?.vmmId;
    phase.source ??= owner;
    if (owner === undefined || owner !== phase.source) return this.end({ event: 'refused', owner: seen.claim?.owner ?? null });
    this.watchSource(phase, seen, issuedAt);
  }

  /** The VM is the source's still: will it ever be ours? */
  private watchSource(phase: Seeking, seen: Seen, issuedAt: number): void {
    const key = `${seen.epoch} ${seen.beat}`;
    if (phase.seen?.key === key) {
      if (issuedAt - phase.seen.since >= this.waitMs(seen.claim?.leaseMs ?? MAX_LEASE_MS)) this.claimFree(seen.epoch + 1);
      return;
    }
    const named = this.expected === null || parseBeat(seen.beat)?.next?.migrationId === this.expected;
    phase.unnamed = named || !phase.seen ? 0 : (phase.unnamed ?? 0) + 1;
    phase.seen = { key, since: this.now };
    if (phase.unnamed >= 2) this.end({ event: 'refused', owner: seen.claim?.owner ?? null });
  }

  private settled(phase: Extract<Phase, { is: 'claiming' | 'settling' }>, seen: Seen): void {
    const { goal, claim, issuedAt } = phase;
    const there = seen.epoch === claim.epoch && seen.claim?.nonce === claim.nonce;
    const gone = !there && seen.epoch >= claim.epoch;
    if (goal === 'hold') {
      if (there && this.now < this.lapseOf(issuedAt)) this.hold(claim.epoch, issuedAt);
      else if (this.everHeld) this.seek('resume', () => this.soughtAgain(seen));
      else this.seek('acquire');
    } else if (goal === 'pass') {
      const passed = there || (gone && claim.owner !== null && seen.claim?.owner?.vmmId === claim.owner.vmmId);
      if (passed) this.end({ event: 'passed', epoch: claim.epoch });
      else if (gone) this.lose(seen);
      else this.claimForMe(claim.epoch, 'resume');
    } else if (gone && this.isMine(seen)) this.seek('target'); // a target that thought the source dead, which passed the lease in time
    else if (there || gone) this.end({ event: 'released', clean: true });
    else if (++this.releaseTries >= RELEASE_TRIES) this.end({ event: 'released', clean: false });
    else this.claimFree(claim.epoch);
  }

  private isMine(seen: Seen): boolean {
    const owner = seen.claim?.owner;
    return owner?.vmmId === this.me.vmmId && owner.hostId === this.me.hostId;
  }

  // ── changes of phase ─────────────────────────────────────────────────────

  private start(now: number, phase: Seeking, waits: boolean): Step {
    if (this.phase.is !== 'idle') throw new Error('a lease is acquired or expected once; make a new one');
    this.enter(now);
    this.phase = phase;
    this.waits = waits;
    this.observe();
    return this.leave();
  }

  private seek(goal: Seeking['goal'], first?: () => void): void {
    this.phase = { is: 'seeking', goal };
    this.nextActAt = this.now + this.timing.beatMs / 4;
    first?.();
  }

  private hold(epoch: number, base: number): void {
    this.keep(epoch, base);
    this.counter = 0;
    this.out.commands.push({ do: 'tidy', below: epoch - KEPT_EPOCHS });
  }

  /** The right to run, counted from `base`. */
  private keep(epoch: number, base: number): void {
    this.phase = { is: 'held' };
    this.epoch = epoch;
    this.validUntil = base + this.timing.leaseMs;
    if (this.passing) this.tell({ event: 'passFailed' });
    else if (this.everHeld) this.tell({ event: 'mayResume', epoch });
    else this.tell({ event: 'acquired', epoch, takenFrom: this.takenFrom });
    this.passing = false;
    this.everHeld = true;
    if (this.releaseWanted) this.claimFree(epoch + 1);
    else this.beat();
  }

  private fence(): void {
    this.tell({ event: 'mustPause' });
    this.seek('resume');
    this.observe();
  }

  private lose(seen: Seen): void {
    this.end({ event: 'lost', owner: seen.claim?.owner ?? null });
  }

  private end(event: LeaseEvent): void {
    this.phase = { is: 'ended' };
    this.validUntil = -Infinity;
    this.pending = undefined;
    this.tell(event);
  }

  // ── commands ─────────────────────────────────────────────────────────────

  private observe(): void {
    this.out.commands.push({ do: 'observe', id: this.issue(true) });
  }

  private beat(): void {
    const beat = { epoch: this.epoch, counter: ++this.counter, next: this.next };
    this.out.commands.push({ do: 'beat', id: this.issue(), beat });
  }

  private claimForMe(epoch: number, reason: ClaimReason): void {
    this.claim('hold', reason, epoch, this.me, null);
  }

  private claimFree(epoch: number): void {
    this.claim('release', 'release', epoch, null, null);
  }

  private claim(goal: ClaimGoal, reason: ClaimReason, epoch: number, owner: Owner | null, migrationId: string | null): void {
    if (goal !== 'hold') {
      this.passedFrom = this.validUntil - this.timing.leaseMs;
      this.validUntil = -Infinity;
    }
    const nonce = `${this.me.vmmId.slice(0, 100)}.${++this.serial}`;
    const claim: Claim = { vmId: this.vmId, epoch, owner, reason, migrationId, leaseMs: this.timing.leaseMs, nonce };
    this.phase = { is: 'claiming', goal, claim, issuedAt: this.now };
    this.out.commands.push({ do: 'claim', id: this.issue(), claim });
  }

  /** One operation counts at a time: the answer to an earlier one is not listened to. */
  private issue(look = false): number {
    this.pending = { id: ++this.serial, issuedAt: this.now, look };
    return this.serial;
  }

  private tell(event: LeaseEvent): void {
    this.out.events.push(event);
  }

  /** The moment from which a right counted from `base` no longer lets the vCPU run. */
  private lapseOf(base: number): number {
    return base + this.timing.leaseMs - this.timing.pauseLeadMs;
  }

  /** Begins a call: time never runs backwards, and a holder out of time is fenced before anything else. */
  private enter(now: number): void {
    this.now = Math.max(this.now, now);
    if (this.phase.is === 'held' && !this.mayRun(this.now)) this.fence();
  }

  /** Takes an answer: when its operation was issued, or undefined if it is not (or no longer) waited for. */
  private answer(now: number, id: number): number | undefined {
    const pending = this.pending;
    this.enter(now);
    if (pending?.id !== id || this.pending?.id !== id) return undefined;
    this.pending = undefined;
    return pending.issuedAt;
  }

  private leave(): Step {
    const step = this.out;
    this.out = { commands: [], events: [] };
    return step;
  }
}
