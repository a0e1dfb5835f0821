/**
 * Knows whether an image has anything to flush. A flush costs milliseconds of the
 * storage's time though nothing was written since the last one, and that is how an
 * idle VM's disks are found when it is moved or saved.
 *
 * A write counts when it begins and again when it ends: one that a flush overlapped
 * is not covered by it. Before the first flush nothing is known, so that one is done.
 */
export class FlushLedger {
  private changes = 0;
  private flushed = -1;

  /** Does a request that changes the image, at once or over time. */
  writes(request: () => void | Promise<void>): void | Promise<void> {
    this.changes++;
    const ended = (): void => {
      this.changes++;
    };
    let pending: void | Promise<void>;
    try {
      pending = request();
    } catch (error) {
      ended();
      throw error;
    }
    if (pending) return pending.finally(ended);
    ended();
  }

  /** Flushes unless all that was written has been flushed. A flush that failed has covered nothing. */
  flush(flush: () => void | Promise<void>): void | Promise<void> {
    const covers = this.changes;
    if (covers === this.flushed) return;
    const done = (): void => {
      this.flushed = Math.max(this.flushed, covers);
    };
    const pending = flush();
    if (pending) return pending.then(done);
    done();
  }
}
