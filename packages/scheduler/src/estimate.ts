/** What moving a VM costs. */
import { MAX_DIRTY_RATIO } from './limits';
import type { VmEntry } from './model';

export interface MoveEstimate {
  /** Sent in all, at most: pages that are zero or pack well cost less. */
  readonly bytes: number;
  readonly ms: number;
  /** False: the guest writes about as fast as the link carries; the policies (throttle, extend, …) decide. */
  readonly converges: boolean;
}

/**
 * Each round sends what was written during the one before: memory · (1 + r + r² + …) = memory / (1 - r), with r the
 * ratio of dirty to transfer rate. Beyond MAX_DIRTY_RATIO it is cut off there: the policies end it.
 */
export function estimateMove(vm: VmEntry, bytesPerSecond: number): MoveEstimate {
  const ratio = (vm.dirtyBytesPerSecond ?? 0) / bytesPerSecond;
  const converges = ratio <= MAX_DIRTY_RATIO;
  const bytes = vm.facts.memoryBytes / (1 - Math.min(ratio, MAX_DIRTY_RATIO));
  return { bytes, ms: (bytes / bytesPerSecond) * 1000, converges };
}
