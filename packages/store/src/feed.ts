/**
 * A feed shows a growing sequence to one reader at the reader's own pace: it keeps a place
 * (in `fetch`), not a queue, so a slow reader costs no memory. `wake` says that there may be more.
 */
export class Feed<T> implements AsyncIterable<T> {
  private ended = false;
  private failure: unknown;
  private due = false;
  private awake: (() => void) | undefined;

  constructor(
    /** The next items after those fetched before; none: up to date. */
    private readonly fetch: () => readonly T[] | Promise<readonly T[]>,
    private readonly onClose: (feed: Feed<T>) => void,
  ) {}

  wake(): void {
    this.due = true;
    this.awake?.();
  }

  /** The reader's loop ends; with an error, it throws. */
  close(error?: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = error;
    this.onClose(this);
    this.awake?.();
  }

  /** One reader only. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    try {
      while (!this.ended) {
        this.due = false;
        const items = await this.fetch();
        for (const item of items) {
          if (this.ended) break;
          yield item;
        }
        if (items.length === 0 && !this.due && !this.ended) {
          await new Promise<void>((resolve) => (this.awake = resolve));
          this.awake = undefined;
        }
      }
      if (this.failure !== undefined) throw this.failure;
    } finally {
      this.close();
    }
  }
}

/** All feeds of one source. */
export class Feeds<T> {
  private readonly open = new Set<Feed<T>>();

  add(fetch: () => readonly T[] | Promise<readonly T[]>): Feed<T> {
    const feed = new Feed(fetch, (one: Feed<T>) => this.open.delete(one));
    this.open.add(feed);
    return feed;
  }

  wake(): void {
    for (const feed of this.open) feed.wake();
  }

  close(error?: unknown): void {
    for (const feed of [...this.open]) feed.close(error);
  }
}
