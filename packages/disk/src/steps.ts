/**
 * One way to write what may finish at once or may have to wait: a generator
 * that yields a promise only where it must wait. Run over a file that answers
 * on the calling thread and tables that are cached, it never yields, and the
 * request is done when the call returns; otherwise a promise takes it on.
 *
 * Between two yields nothing else runs: that is the lock of everything here.
 */
export type Step<T> = Generator<Promise<unknown>, T, unknown>;

/** Done when undefined (or a value) comes back; else when the promise settles. */
export type Later<T> = T | Promise<T>;

/** Runs to the end, or to the first wait. `waits` is told once when a wait comes up. */
export function run<T>(steps: Step<T>, waits?: () => void): Later<T> {
  const first = steps.next();
  if (first.done) return first.value;
  waits?.();
  return finish(steps, first.value);
}

async function finish<T>(steps: Step<T>, wait: Promise<unknown>): Promise<T> {
  for (;;) {
    let next: IteratorResult<Promise<unknown>, T>;
    try {
      next = steps.next(await wait);
    } catch (error) {
      next = steps.throw(error);
    }
    if (next.done) return next.value;
    wait = next.value;
  }
}

/**
 * I/O under way for one request. A request ends only when all of it has ended,
 * even after a failure: until then the host may still touch the caller's buffers.
 */
export class Batch {
  private open: Promise<unknown>[] = [];
  private failed = false;
  private error: unknown;

  get size(): number {
    return this.open.length;
  }

  add(work: Promise<unknown> | undefined): void {
    if (work) this.open.push(work.catch((error) => this.fail(error)));
  }

  fail(error: unknown): void {
    if (!this.failed) this.error = error;
    this.failed = true;
  }

  /** Waits for all, then throws the first error. */
  *settle(): Step<void> {
    while (this.open.length > 0) {
      const open = this.open;
      this.open = [];
      yield Promise.all(open);
    }
    if (this.failed) throw this.error;
  }
}
