/** What is due when: a binary heap of keys. Setting a key again moves it; what is due at one time comes in the order it was set. */
export class Timers {
  private readonly heap: { at: number; order: number; key: string }[] = [];
  private readonly current = new Map<string, number>();
  private order = 0;

  set(key: string, at: number): void {
    const { heap } = this;
    const entry = { at, order: this.order++, key };
    this.current.set(key, entry.order);
    let index = heap.push(entry) - 1;
    while (index > 0 && this.before(index, (index - 1) >> 1)) index = this.swap(index, (index - 1) >> 1);
  }

  clear(key: string): void {
    this.current.delete(key);
  }

  has(key: string): boolean {
    return this.current.has(key);
  }

  /** The earliest; Infinity: none. */
  get nextAt(): number {
    this.dropStale();
    return this.heap.length > 0 ? this.heap[0].at : Infinity;
  }

  /** A key that is due, which is then no longer set; undefined: none. */
  take(now: number): string | undefined {
    this.dropStale();
    if (this.heap.length === 0 || this.heap[0].at > now) return undefined;
    const { key } = this.pop();
    this.current.delete(key);
    return key;
  }

  private dropStale(): void {
    while (this.heap.length > 0 && this.current.get(this.heap[0].key) !== this.heap[0].order) this.pop();
  }

  private pop(): { at: number; order: number; key: string } {
    const { heap } = this;
    this.swap(0, heap.length - 1);
    const first = heap.pop()!;
    for (let index = 0; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) if (child < heap.length && this.before(child, least)) least = child;
      if (least === index) return first;
      index = this.swap(index, least);
    }
  }

  private before(a: number, b: number): boolean {
    const [one, other] = [this.heap[a], this.heap[b]];
    return one.at < other.at || (one.at === other.at && one.order < other.order);
  }

  private swap(a: number, b: number): number {
    [this.heap[a], this.heap[b]] = [this.heap[b], this.heap[a]];
    return b;
  }
}
