/**
 * One request at a time changes where a cluster of the disk lies. Reads and
 * writes in place take no lock. Several are locked in ascending order, so that
 * nobody waits in a circle.
 */
import type { Step } from '../steps';

export class ClusterLocks {
  private readonly held = new Map<number, (() => void)[]>();

  *lock(cluster: number): Step<void> {
    yield* this.wait(cluster);
    this.held.set(cluster, []);
  }

  /** Until nobody holds it; the caller then has it to itself until it waits for something. */
  *wait(cluster: number): Step<void> {
    for (let waiters = this.held.get(cluster); waiters; waiters = this.held.get(cluster)) {
      const queue = waiters;
      yield new Promise<void>((resolve) => queue.push(resolve));
    }
  }

  unlock(cluster: number): void {
    const waiters = this.held.get(cluster)!;
    this.held.delete(cluster);
    for (const wake of waiters) wake();
  }
}
