/**
 * Which controller leads: one candidate's state machine. No I/O and no clock: each call carries `now`
 * (ms on the candidate's own monotonic clock) and what it sees of the record; it returns what is
 * to be written and what is to be told.
 *
 *                  stood still for the whole lease,         the claim landed
 *                  or resigned, or one's own                     in time
 *     following ─────────────────────────────────► claiming ────────────────► leading
 *         ▲  ▲                                         │ refused, unknown        │ │
 *         │  └─────────────────────────────────────────┘                         │ │ resign
 *         └───── cannot renew in time, or the record names another ──────────────┘ ▼
 *                                                                      resigning ─► stopped
 *
 * The record (term, holder, counter) is replaced by compare-and-swap only. So:
 * 1. One holder a term: a claim replaces exactly the record that its maker saw, by a higher term.
 * 2. Terms grow: a claim's term is above that of the record it replaces. It is also above the
 *    store's newest revision known, so that a record from an old backup does not bring old terms back.
 * 3. A leader's right to act ends `leaseMs` after it *issued* the last write that it knows to have landed, and it steps
 *    down `leadMs` before. A right that ended is never revived; it claims a new term.
 * 4. A taker claims when it has seen one and the same record for `takeoverWaitMs`. Had a renewal landed
 *    meanwhile, seen by it or not, its claim would not find the record it expects. So the last renewal was issued
 *    before the taker first saw it, and by 3 the right has ended.
 * 5. What a candidate wrote without learning the outcome may still land: a renewal then finds another record,
 *    a claim makes it the holder of a term in which it never acts, and which it replaces by its next one.
 *
 * What it cannot do: call back what a leader sent out before it lost its term. Writes to the store are fenced with
 * the term (leader-store.ts); hosts refuse orders of an old term.
 */
import { type Candidate, checkCandidate, type ElectionRecord } from './record';
import { checkTiming, type ElectionTiming, takeoverWaitMs } from './timing';

/** What the store shows: perhaps not the newest, but never older than what it showed before. */
export interface Sight {
  /** Revision of the record; 0: there is none. */
  readonly revision: number;
  /** Undefined: there is none, or it cannot be read. */
  readonly record: ElectionRecord | undefined;
  /** The store's newest revision known. */
  readonly storeRevision: number;
}

/** `landed`: with its revision. `refused`: it did not land and never will. `unknown`: it may have, or may yet. */
export type WriteOutcome = { readonly is: 'landed'; readonly revision: number } | { readonly is: 'refused' } | { readonly is: 'unknown' };

/** Replace the record of revision `expect` (0: none), and answer with `written` in bounded time: 'unknown' when that is over. */
export interface WriteCommand {
  readonly id: number;
  readonly expect: number;
  readonly record: ElectionRecord;
}

export type DeposedReason =
  /** The store did not take a renewal in time. */
  | 'not-renewed'
  /** Another has a later term. */
  | 'replaced'
  | 'resigned'
  /** A host has obeyed a later term than ours: claim above it. */
  | 'term-too-low';

export type ElectionEvent =
  | { readonly event: 'elected'; readonly term: number }
  | { readonly event: 'deposed'; readonly term: number; readonly reason: DeposedReason }
  /** Somebody else leads, or it is not known who does (null). */
  | { readonly event: 'leader'; readonly term: number; readonly leader: Candidate | null }
  | { readonly event: 'stopped' };

export interface ElectionStep {
  readonly write: WriteCommand | undefined;
  readonly events: readonly ElectionEvent[];
}

type Phase = 'following' | 'claiming' | 'leading' | 'resigning' | 'stopped';

export class Election {
  private phase: Phase = 'following';
  private now = Number.NEGATIVE_INFINITY;
  private term = 0;
  private counter = 0;
  /** Revision of the own record. */
  private revision = 0;
  private validUntil = Number.NEGATIVE_INFINITY;
  private nextBeatAt = 0;
  private serial = 0;
  private pending: { readonly id: number; readonly issuedAt: number } | undefined;
  private watched: { readonly revision: number; readonly since: number } | undefined;
  private shown: string | undefined;
  /** No claim before: after one that failed, the others go first. */
  private claimAt = Number.NEGATIVE_INFINITY;
  private termFloor = 0;
  private readonly me: Candidate;
  private out: { write: WriteCommand | undefined; events: ElectionEvent[] } = { write: undefined, events: [] };

  constructor(
    me: Candidate,
    private readonly timing: ElectionTiming,
    /** 0 to 1: spreads claims that would otherwise collide. */
    private readonly random: () => number,
  ) {
    this.me = checkCandidate(me);
    checkTiming(timing);
  }

  get state(): Phase {
    return this.phase;
  }

  /** The term in which it leads; undefined: it does not. */
  get leads(): number | undefined {
    return this.phase === 'leading' ? this.term : undefined;
  }

  /** True while it may act as the leader: false from `leadMs` before its lease ends, whether anyone has been told or not. */
  mayAct(now: number): boolean {
    return this.phase === 'leading' && now < this.validUntil - this.timing.leadMs;
  }

  /** To be called at least four times a `beatMs`, and when the record changes. */
  tick(now: number, seen: Sight): ElectionStep {
    this.enter(now);
    if (this.phase === 'leading') this.lead(seen);
    else if (this.phase === 'following') this.follow(seen);
    return this.leave();
  }

  /** Answer to a write. */
  written(now: number, id: number, outcome: WriteOutcome, seen: Sight): ElectionStep {
    const pending = this.pending;
    this.enter(now);
    if (pending?.id !== id) return this.leave();
    this.pending = undefined;
    if (this.phase === 'resigning') this.resigned(outcome, seen);
    else if (this.phase === 'claiming') this.claimed(outcome, pending.issuedAt);
    else if (this.phase === 'leading') this.renewed(outcome, pending.issuedAt, seen);
    return this.leave();
  }

  /** Gives up the lead, at once for others to take, and ends. */
  resign(now: number): ElectionStep {
    this.enter(now);
    const { phase, revision, term, counter } = this;
    if (phase === 'stopped' || phase === 'resigning') return this.leave();
    if (phase !== 'leading') this.stop();
    else {
      this.depose('resigned');
      this.phase = 'resigning';
      this.write(revision, { term, holder: null, counter: counter + 1, leaseMs: this.timing.leaseMs });
      this.counter++;
    }
    return this.leave();
  }

  /** A host has obeyed orders of that term (a store restored from a backup knows nothing of it): lead only above it. */
  raiseTerm(now: number, term: number): ElectionStep {
    this.enter(now);
    this.termFloor = Math.max(this.termFloor, term);
    if (this.phase === 'leading' && this.term < term) this.depose('term-too-low');
    return this.leave();
  }

  /** What a taker waits; apart so that tests can break it. */
  protected waitMs(leaseMs: number): number {
    return takeoverWaitMs(leaseMs);
  }

  // ── following ────────────────────────────────────────────────────────────

  private follow(seen: Sight): void {
    const { revision, record } = seen;
    if (this.watched?.revision !== revision) this.watched = { revision, since: this.now };
    const stoodStill = this.now - this.watched.since;
    // A record that cannot be read may be of a newer version: its terms are not known, so it is left alone.
    if (revision > 0 && !record) return this.show(0, null);
    const isFree = !record?.holder || record.holder.id === this.me.id;
    const isOver = record !== undefined && stoodStill >= this.waitMs(record.leaseMs);
    this.show(record?.term ?? 0, isFree || isOver ? null : record.holder);
    if ((isFree || isOver) && this.now >= this.claimAt) this.claim(seen);
  }

  private claim({ revision, record, storeRevision }: Sight): void {
    this.phase = 'claiming';
    this.term = Math.max(record?.term ?? 0, storeRevision, this.termFloor) + 1;
    this.counter = 0;
    this.write(revision, { term: this.term, holder: this.me, counter: 0, leaseMs: this.timing.leaseMs });
  }

  private claimed(outcome: WriteOutcome, issuedAt: number): void {
    const validUntil = issuedAt + this.timing.leaseMs;
    if (outcome.is === 'landed' && this.now < validUntil - this.timing.leadMs && this.term > this.termFloor) {
      this.phase = 'leading';
      this.revision = outcome.revision;
      this.validUntil = validUntil;
      this.nextBeatAt = issuedAt + this.timing.beatMs;
      this.shown = undefined;
      this.out.events.push({ event: 'elected', term: this.term });
      return;
    }
    this.phase = 'following';
    this.claimAt = this.now + this.random() * this.timing.beatMs;
  }

  // ── leading ──────────────────────────────────────────────────────────────

  private lead(seen: Sight): void {
    if (this.isReplaced(seen)) return this.depose('replaced');
    if (!this.pending && this.now >= this.nextBeatAt) this.renew();
  }

  private renew(): void {
    this.counter++;
    this.nextBeatAt = this.now + this.timing.beatMs;
    this.write(this.revision, { term: this.term, holder: this.me, counter: this.counter, leaseMs: this.timing.leaseMs });
  }

  private renewed(outcome: WriteOutcome, issuedAt: number, seen: Sight): void {
    if (outcome.is === 'landed') {
      this.revision = outcome.revision;
      this.validUntil = issuedAt + this.timing.leaseMs;
      return;
    }
    if (this.isReplaced(seen)) return this.depose('replaced');
    // An earlier renewal whose outcome was not known has landed: go on from there.
    if (seen.revision > this.revision) this.revision = seen.revision;
    this.nextBeatAt = this.now + this.timing.beatMs / 4;
  }

  /** A record behind one's own that is of another term, or of nobody. */
  private isReplaced({ revision, record }: Sight): boolean {
    return revision > this.revision && !(record?.term === this.term && record.holder?.id === this.me.id);
  }

  private depose(reason: DeposedReason): void {
    this.phase = 'following';
    this.pending = undefined;
    this.watched = undefined;
    this.validUntil = Number.NEGATIVE_INFINITY;
    this.out.events.push({ event: 'deposed', term: this.term, reason });
  }

  /** A renewal that was under way may have come before it: then once more. Else the lease has to run out. */
  private resigned(outcome: WriteOutcome, seen: Sight): void {
    const isBehind = outcome.is === 'refused' && seen.revision > this.revision && !this.isReplaced(seen);
    if (!isBehind) return this.stop();
    this.revision = seen.revision;
    this.write(this.revision, { term: this.term, holder: null, counter: ++this.counter, leaseMs: this.timing.leaseMs });
  }

  // ── common ───────────────────────────────────────────────────────────────

  private stop(): void {
    this.phase = 'stopped';
    this.pending = undefined;
    this.out.events.push({ event: 'stopped' });
  }

  /** Tells who leads when that changes. */
  private show(term: number, leader: Candidate | null): void {
    const text = leader ? `${term} ${leader.id}` : '';
    if (this.shown === text) return;
    this.shown = text;
    this.out.events.push({ event: 'leader', term, leader });
  }

  private write(expect: number, record: ElectionRecord): void {
    this.pending = { id: ++this.serial, issuedAt: this.now };
    this.out.write = { id: this.serial, expect, record };
  }

  /** The clock never goes back; a leader out of time steps down before anything else. */
  private enter(now: number): void {
    this.now = Math.max(this.now, now);
    if (this.phase === 'leading' && !this.mayAct(this.now)) this.depose('not-renewed');
  }

  private leave(): ElectionStep {
    const step = this.out;
    this.out = { write: undefined, events: [] };
    return step;
  }
}
