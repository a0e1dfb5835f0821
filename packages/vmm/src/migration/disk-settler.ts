import type { Vm } from '../vm';

/** Between two early flushes, milliseconds: a guest's own writes are not to queue behind ours all the time. */
const EARLY_EVERY_MS = 50;
/** An early flush this old, or one that took this long, says little about what the one in the pause will take. */
const EARLY_GOOD_FOR_MS = 250;
const EARLY_QUICK_MS = 10;

/**
 * Flushes a moving VM's disks so that little is left to flush while it stands:
 * with each round of precopy, once more before the pause where that pays, and
 * for good once the guest has stopped.
 */
export class DiskSettler {
  private running: Promise<unknown> | undefined;
  private endedMs = Number.NEGATIVE_INFINITY;
  private tookMs = 0;

  constructor(private readonly vm: Pick<Vm, 'settleDisks'>) {}

  /** A flush in the background, unless there was one a moment ago. What fails here fails again in `final`. */
  early(): void {
    if (this.running || performance.now() - this.endedMs < EARLY_EVERY_MS) return;
    const began = performance.now();
    this.running = this.vm.settleDisks().then(
      () => {
        this.endedMs = performance.now();
        this.tookMs = this.endedMs - began;
        this.running = undefined;
      },
      () => {
        this.running = undefined;
      },
    );
  }

  /** While the guest still runs: when it resolves, `final` has little to do. */
  async beforePause(): Promise<void> {
    await this.running;
    if (performance.now() - this.endedMs < EARLY_GOOD_FOR_MS && this.tookMs < EARLY_QUICK_MS) return;
    this.early();
    await this.running;
  }

  /** The guest stands and nothing is on its way: all it wrote is on stable storage when it resolves. @throws DiskError */
  async final(): Promise<void> {
    await this.running;
    await this.vm.settleDisks();
  }
}
