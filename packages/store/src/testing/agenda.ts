/** Things to do, by time; what is due at one time comes in the order it was put in. A binary heap. */
export class Agenda {
  private readonly heap: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  private order = 0;

  add(at: number, run: () => void): void {
    const { heap } = this;
    let index = heap.push({ at, order: this.order++, run }) - 1;
    while (index > 0 && this.isBefore(index, (index - 1) >> 1)) index = this.swap(index, (index - 1) >> 1);
  }

  take(): { readonly at: number; readonly run: () => void } | undefined {
    const { heap } = this;
    if (heap.length === 0) return undefined;
    this.swap(0, heap.length - 1);
    const first = heap.pop();
    for (let index = 0; ; ) {
      let least = index;
      for (const child of [2 * index + 1, 2 * index + 2]) if (child < heap.length && this.isBefore(child, least)) least = child;
      if (least === index) return first;
      index = this.swap(index, least);
    }
  }

  private isBefore(a: number, b: number): boolean {
    const [one, other] = [this.heap[a], this.heap[b]];
    return one.at < other.at || (one.at === other.at && one.order < other.order);
  }

  private swap(a: number, b: number): number {
    [this.heap[a], this.heap[b]] = [this.heap[b], this.heap[a]];
    return b;
  }
}
