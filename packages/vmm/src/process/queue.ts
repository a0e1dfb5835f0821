/** Events as an async iterable: what is pushed comes out in order, until `end`. With `latest`, only the newest waits. */
export class Queue<T> implements AsyncIterable<T> {
  private readonly items: T[] = [];
  private wake: (() => void) | undefined;
  private over = false;

  constructor(private readonly latest = false) {}

  get waiting(): number {
    return this.items.length;
  }

  push(item: T): void {
    if (this.over) return;
    if (this.latest) this.items.length = 0;
    this.items.push(item);
    this.wake?.();
  }

  end(): void {
    this.over = true;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.items.length > 0) yield this.items.shift()!;
      if (this.over) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
  }
}
