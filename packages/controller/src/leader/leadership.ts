/**
 * One term of leading: the core over what is stored, its clock, and what it sends where. It begins with
 * `start` and ends with `end`; a new term makes a new one, from the store.
 */
import { type Store, StoreError } from '@godwit/store';
import type { Context, Message, Watched } from '../core/context';
import { Core, type Report } from '../core/core';
import { Refusal } from '../core/errors';
import type { EventDraft } from '../core/event-kinds';
import type { Planner } from '../core/planner';
import { SchedulerPlanner } from '../core/scheduler-planner';
import type { ClusterState } from '../core/state';
import { loadRecords } from './keys';
import { Pipeline } from './pipeline';

export interface LeadershipOptions {
  readonly term: number;
  /** Fenced by the term. */
  readonly store: Store;
  readonly newId: () => string;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** Whether the term may still be acted in. */
  readonly mayAct: () => boolean;
  readonly message: (message: Message) => void;
  readonly events: (events: readonly EventDraft[]) => void;
  readonly changed: (changed: readonly (readonly [Watched, string])[]) => void;
  /** The core asks through it; left out: directly. */
  readonly planner?: (planner: Planner) => Planner;
  /** The leadership is over; why. */
  readonly failed: (error: Error) => void;
}

/** Longest sleep of the clock, ms: setTimeout takes no more than 2^31. */
const MAX_SLEEP_MS = 60_000;

export class Leadership {
  readonly planner = new SchedulerPlanner();
  private readonly core: Core;
  private readonly pipeline: Pipeline;
  private timer: NodeJS.Timeout | undefined;
  private ended = false;

  private constructor(private readonly options: LeadershipOptions) {
    this.core = new Core({ newId: options.newId, planner: options.planner?.(this.planner) ?? this.planner });
    this.pipeline = new Pipeline(options.store, {
      // A leader that has lost its term without having heard sends nothing more.
      message: (message) => options.mayAct() && options.message(message),
      events: options.events,
      changed: options.changed,
      failed: options.failed,
    });
  }

  /** @throws StoreError */
  static async start(options: LeadershipOptions): Promise<Leadership> {
    const records = await loadRecords(options.store);
    const leadership = new Leadership(options);
    leadership.take(leadership.core.load(options.now(), records));
    return leadership;
  }

  get term(): number {
    return this.options.term;
  }

  get state(): ClusterState {
    return this.core.state;
  }

  report(hostId: string, sessionId: string, report: Report): void {
    if (this.ended) return;
    this.take(this.core.report(this.options.now(), hostId, sessionId, report));
  }

  /** Resolves when what it began is durable. @throws Refusal */
  async ask<T>(work: (ctx: Context) => T): Promise<T> {
    if (this.ended) throw new Refusal('not-leader', 'this controller no longer leads: ask the one that does');
    const { value, output } = this.core.ask(this.options.now(), work);
    this.sleep();
    try {
      await this.pipeline.take(output);
    } catch (error) {
      if (error instanceof StoreError && !error.mayHaveHappened) throw new Refusal('store', error.message);
      throw new Refusal(
        'store',
        'it cannot be said whether this was begun: this controller has just lost the lead, or its store; look before you ask again',
      );
    }
    return value;
  }

  /** Looks at the state; nothing may be changed. */
  look<T>(work: (state: ClusterState) => T): T {
    return work(this.core.state);
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
    this.pipeline.end();
  }

  private take(output: Parameters<Pipeline['take']>[0]): void {
    this.pipeline.take(output).catch(() => undefined);
    if (output.stepDown) this.options.failed(new Error('a host knows a newer leader'));
    this.sleep();
  }

  private sleep(): void {
    clearTimeout(this.timer);
    if (this.ended) return;
    const waitMs = Math.max(0, Math.min(this.core.nextAt - this.options.now(), MAX_SLEEP_MS));
    this.timer = setTimeout(() => {
      if (!this.ended) this.take(this.core.tick(this.options.now()));
    }, waitMs);
    this.timer.unref();
  }
}
