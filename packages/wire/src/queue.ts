/** Turns pushes into an async iterable, for the requests of a stream: bounded, in order, ended once. */
import { WireError } from './errors';

export class Queue<T> implements AsyncIterable<T> {
  private readonly items: T[] = [];
  private wake: (() => void) | undefined;
  private readonly waiting: (() => void)[] = [];
  private over: { readonly error?: unknown } | undefined;

  /** @param limit items that wait to be taken */
  constructor(private readonly limit = 64) {}

  get length(): number {
    return this.items.length;
  }

  /** False: full, or ended; the item was not taken. */
  offer(item: T): boolean {
    if (this.over || this.items.length >= this.limit) return false;
    this.items.push(item);
    this.wake?.();
    return true;
  }

  /** Settles once there is room for it and it was taken in. @throws WireError 'cancelled' when the queue has ended */
  async push(item: T): Promise<void> {
    while (!this.offer(item)) {
      if (this.over) throw new WireError('cancelled', 'the stream has ended');
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** What was pushed is still taken, and then, if there is one, `error` is thrown. */
  end(error?: unknown): void {
    this.over ??= { error };
    this.wake?.();
    for (const wake of this.waiting.splice(0)) wake();
  }

  /** Once only. Leaving the loop ends the queue. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    try {
      for (;;) {
        while (this.items.length > 0) {
          const item = this.items.shift()!;
          this.waiting.shift()?.();
          yield item;
        }
        if (this.over) {
          if (this.over.error !== undefined) throw this.over.error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
        this.wake = undefined;
      }
    } finally {
      this.end();
    }
  }
}
