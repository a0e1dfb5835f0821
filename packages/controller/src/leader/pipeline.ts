/**
 * Carries out what the core says, in its order: what is to be saved is durable before a message leaves.
 * Steps that come while a write is under way are saved together, the last value of each key, and their
 * messages leave together: so the store's latency bounds the delay of an order, not their number.
 *
 * A write that fails for certain, or is fenced, ends the leadership: the store is then ahead of or
 * behind this process, and another leader (or this one, anew) begins from what is stored.
 */
import { StoreError, type Store } from '@godwit/store';
import type { EventDraft } from '../core/event-kinds';
import type { Message, Output, Save, Watched } from '../core/context';
import { WRITE_RETRY_MS, WRITE_TRIES, WRITES_AT_A_TIME } from '../limits';
import { keyOf } from './keys';

export interface Sinks {
  message(message: Message): void;
  events(events: readonly EventDraft[]): void;
  changed(changed: readonly (readonly [Watched, string])[]): void;
  /** It can go on no more. */
  failed(error: Error): void;
}

export class Pipeline {
  private waiting: Output[] = [];
  private settled: ((error?: StoreError) => void)[] = [];
  private busy = false;
  private ended = false;

  constructor(
    /** Fenced by the term. */
    private readonly store: Store,
    private readonly sinks: Sinks,
  ) {}

  /**
   * Resolves when the step is durable and its messages have left.
   * @throws StoreError if the leadership has ended first; `mayHaveHappened`: part of the step may be stored
   */
  take(output: Output): Promise<void> {
    if (this.ended) return Promise.reject(over());
    this.waiting.push(output);
    const done = new Promise<void>((resolve, reject) => this.settled.push((error) => (this.ended ? reject(error ?? over()) : resolve())));
    if (!this.busy) void this.run();
    return done;
  }

  end(): void {
    this.ended = true;
    this.waiting = [];
    for (const settle of this.settled.splice(0)) settle();
  }

  private async run(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0 && !this.ended) {
      const steps = this.waiting.splice(0);
      const settled = this.settled.splice(0, steps.length);
      try {
        await this.save(steps);
      } catch (error) {
        this.end();
        for (const settle of settled) settle(error instanceof StoreError ? error : over(true));
        this.sinks.failed(error as Error);
        break;
      }
      if (!this.ended) for (const step of steps) this.release(step);
      // Stored, but its messages have not left.
      for (const settle of settled) settle(over(true));
    }
    this.busy = false;
  }

  private release({ messages, events, changed }: Output): void {
    for (const message of messages) this.sinks.message(message);
    if (events.length > 0) this.sinks.events(events);
    if (changed.length > 0) this.sinks.changed(changed);
  }

  /** @throws StoreError; `mayHaveHappened` unless it is certain that nothing of it is stored */
  private async save(steps: readonly Output[]): Promise<void> {
    const last = new Map<string, Save>();
    for (const { saves } of steps) for (const save of saves) last.set(keyOf(save.kind, save.id), save);
    const writes = [...last];
    let stored = 0;
    let failed = false;
    const worker = async (): Promise<void> => {
      for (let write = writes.pop(); write && !this.ended && !failed; write = writes.pop()) {
        try {
          await this.write(write[0], write[1].json);
          stored++;
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    };
    const ends = await Promise.allSettled(Array.from({ length: Math.min(WRITES_AT_A_TIME, writes.length) }, worker));
    const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []));
    if (errors.length === 0) return;
    const [first] = errors;
    const certain = stored === 0 && errors.every((error) => error instanceof StoreError && !error.mayHaveHappened);
    throw first instanceof StoreError && !certain ? new StoreError(first.code, first.message, true) : first;
  }

  private async write(key: string, json: string | null): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        if (json === null) await this.store.delete(key);
        else await this.store.put(key, Buffer.from(json));
        return;
      } catch (error) {
        if (error instanceof StoreError && error.code === 'not-found' && json === null) return;
        if (this.ended || attempt >= WRITE_TRIES || !(error instanceof StoreError) || error.code !== 'unavailable') throw error;
        await new Promise((resolve) => setTimeout(resolve, WRITE_RETRY_MS));
      }
    }
  }
}

const over = (mayHaveHappened = false): StoreError =>
  new StoreError('unavailable', 'this controller no longer leads: ask again', mayHaveHappened);
