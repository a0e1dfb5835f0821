/** Messages on their way to one stream: bounded, and ended once. */
export class Queue<T> implements AsyncIterable<T> {
  private readonly items: T[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private error: Error | undefined;

  /** @param onFull what is done when nobody takes them */
  constructor(
    private readonly most: number,
    private readonly onFull: () => Error,
  ) {}

  put(item: T): void {
    if (this.ended) return;
    if (this.items.length >= this.most) return this.end(this.onFull());
    this.items.push(item);
    this.wake?.();
  }

  /** What was put is still taken, unless it ends with an error. */
  end(error?: Error): void {
    if (this.ended) return;
    this.ended = true;
    this.error = error;
    if (error) this.items.length = 0;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      while (this.items.length > 0) yield this.items.shift()!;
      if (this.error) throw this.error;
      if (this.ended) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
  }
}
