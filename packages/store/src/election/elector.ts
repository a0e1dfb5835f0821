/** The election over a Store: gives the state machine (election.ts) its clock and its sight, and does what it says. */
import { EventEmitter } from 'node:events';
import { StoreError } from '../errors';
import type { Store, Watch } from '../store';
import { bootClock } from './clock';
import { type DeposedReason, Election, type ElectionStep, type Sight, type WriteCommand, type WriteOutcome } from './election';
import { leaderStore } from './leader-store';
import { type Candidate, ELECTION_KEY, ELECTION_PREFIX, encodeRecord, parseRecord } from './record';
import { DEFAULT_TIMING, type ElectionTiming } from './timing';

export interface ElectorOptions {
  readonly timing?: ElectionTiming;
  /** ms, monotonic, running on while the host is suspended. */
  readonly clock?: () => number;
  readonly random?: () => number;
}

interface ElectorEvents {
  /** Leads from now on; `store` writes only while that term is the latest. */
  elected: [leadership: { readonly term: number; readonly store: Store }];
  /** Leads no more: stop what only a leader does. */
  deposed: [end: { readonly term: number; readonly reason: DeposedReason }];
  /** Who else leads; null: nobody knows. */
  leader: [now: { readonly term: number; readonly leader: Candidate | null }];
  /** One line for the log; what can be done goes on. */
  problem: [text: string];
}

export class Elector extends EventEmitter<ElectorEvents> {
  private readonly election: Election;
  private readonly timing: ElectionTiming;
  private readonly clock: () => number;
  private readonly me: Candidate;
  private watch: Watch | undefined;
  private timer: NodeJS.Timeout | undefined;
  private lastProblem = '';
  private lastSight: Sight = { revision: 0, record: undefined, storeRevision: 0 };
  private stopped: Promise<void> | undefined;
  private tellStopped: (() => void) | undefined;

  constructor(
    private readonly store: Store,
    me: Candidate,
    { timing = DEFAULT_TIMING, clock = bootClock(), random = Math.random }: ElectorOptions = {},
  ) {
    super();
    this.me = me;
    this.timing = timing;
    this.clock = clock;
    this.election = new Election(me, timing, random);
  }

  start(): void {
    if (this.timer) return;
    this.timer = setInterval(() => void this.tick(), Math.max(20, this.timing.beatMs / 5));
    void this.followRecord();
  }

  /** Ask before each act that only a leader may do, and put `term` on it. */
  mayAct(): boolean {
    return this.election.mayAct(this.clock());
  }

  /** The term in which this candidate leads. */
  get term(): number | undefined {
    return this.election.leads;
  }

  /** A host refused an order because it knows a later term. */
  raiseTerm(term: number): void {
    this.obey(this.election.raiseTerm(this.clock(), term));
  }

  /** Resigns and ends; the store must still be open. Bounded by the store's deadlines. */
  stop(): Promise<void> {
    this.stopped ??= new Promise<void>((resolve) => {
      this.tellStopped = resolve;
      this.obey(this.election.resign(this.clock()));
    }).finally(() => {
      clearInterval(this.timer);
      this.watch?.close();
    });
    return this.stopped;
  }

  private async followRecord(): Promise<void> {
    await this.tick();
    try {
      this.watch = this.store.watch(ELECTION_PREFIX);
      for await (const event of this.watch) if (event.type !== 'reset') await this.tick();
    } catch (error) {
      this.problem(error);
    }
  }

  private async tick(): Promise<void> {
    const seen = await this.look();
    this.obey(this.election.tick(this.clock(), seen));
  }

  /** What this process has seen of the store: asks nobody, so it does not fail while the store is away. */
  private async look(): Promise<Sight> {
    try {
      const { entries, revision: storeRevision } = await this.store.list(ELECTION_PREFIX, { local: true });
      const entry = entries.find(({ key }) => key === ELECTION_KEY);
      const record = entry && parseRecord(entry.value);
      if (entry && !record)
        this.problem(
          new StoreError('corrupt', `${ELECTION_KEY} cannot be read, so no controller can lead; upgrade this one, or restore the store`),
        );
      this.lastSight = { revision: entry?.revision ?? 0, record, storeRevision };
    } catch (error) {
      this.problem(error);
    }
    return this.lastSight;
  }

  private obey({ write, events }: ElectionStep): void {
    for (const event of events) {
      if (event.event === 'elected') {
        const { term } = event;
        this.emit('elected', { term, store: leaderStore(this.store, { term, holderId: this.me.id }) });
      } else if (event.event === 'deposed') this.emit('deposed', { term: event.term, reason: event.reason });
      else if (event.event === 'leader') this.emit('leader', { term: event.term, leader: event.leader });
      else this.tellStopped?.();
    }
    if (write) void this.execute(write);
  }

  private async execute({ id, expect, record }: WriteCommand): Promise<void> {
    let outcome: WriteOutcome;
    try {
      const revision = await this.store.put(ELECTION_KEY, encodeRecord(record), {
        expect,
        urgent: true,
        timeoutMs: this.timing.leaseMs / 3,
      });
      outcome = { is: 'landed', revision };
      this.lastProblem = '';
    } catch (error) {
      outcome = { is: error instanceof StoreError && !error.mayHaveHappened ? 'refused' : 'unknown' };
      if (!(error instanceof StoreError && error.code === 'conflict')) this.problem(error);
    }
    const seen = await this.look();
    this.obey(this.election.written(this.clock(), id, outcome, seen));
  }

  private problem(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (text === this.lastProblem) return;
    this.lastProblem = text;
    this.emit('problem', text);
  }
}
