/**
 * Clusters of the file that the disk no longer refers to, on their way to be
 * free. Each waits for the commit that makes its removal durable: until then a
 * crash brings back the entry that refers to it. Then it waits for the
 * requests that were under way, which may still read or write it. Then the
 * space goes back to the file system, and last its count goes down.
 */
import { codeOf } from '../errors';
import type { ImageFile } from '../image-file';
import { run, type Step } from '../steps';
import { hostClusters } from './entries';
import type { OwnClusters } from './own-clusters';
import type { Refcounts } from './refcounts';

interface Waiting {
  readonly clusters: readonly number[];
  /** Requests up to this number must have ended. */
  readonly after: number;
}

export interface Requests {
  /** Number of the last request that began. */
  last(): number;
  /** Number of the oldest under way; Infinity: none. */
  oldest(): number;
}

export class Reclaim {
  private removed: number[] = [];
  private waiting: Waiting[] = [];
  private draining: Promise<void> | undefined;
  private canDiscard: boolean;

  constructor(
    private readonly file: ImageFile,
    private readonly refcounts: Refcounts,
    private readonly own: OwnClusters,
    private readonly clusterBits: number,
    private readonly requests: Requests,
  ) {
    this.canDiscard = file.port.discard !== undefined;
  }

  get isPending(): boolean {
    return this.removed.length > 0 || this.waiting.length > 0;
  }

  /** Before an entry is dropped: nothing that it refers to may be the image's own. */
  checkEntry(hi: number, lo: number): void {
    const range = hostClusters(hi, lo, this.clusterBits);
    if (!range) return;
    for (let cluster = range.first; cluster <= range.last; cluster++) {
      if (this.own.has(cluster)) throw this.own.damaged(`a table in cluster ${cluster} is mapped as data`);
    }
  }

  /** What the entry referred to has one user less. */
  addEntry(hi: number, lo: number): void {
    const range = hostClusters(hi, lo, this.clusterBits);
    if (!range) return;
    for (let cluster = range.first; cluster <= range.last; cluster++) this.removed.push(cluster);
  }

  add(cluster: number): void {
    this.removed.push(cluster);
  }

  /** For a commit: what has been removed so far. */
  take(): readonly number[] {
    const taken = this.removed;
    this.removed = [];
    return taken;
  }

  putBack(clusters: readonly number[]): void {
    this.removed = [...clusters, ...this.removed];
  }

  /** The removal of these is durable. */
  ready(clusters: readonly number[]): void {
    if (clusters.length > 0) this.waiting.push({ clusters, after: this.requests.last() });
  }

  /** Frees what nothing waits for. Returns at once; failures leave it for the next time. */
  start(): void {
    if (this.draining || this.waiting.length === 0 || this.waiting[0].after >= this.requests.oldest()) return;
    const work = run(this.drain());
    if (work) this.draining = work.finally(() => (this.draining = undefined));
  }

  /** The same, and waits for it. */
  async finish(): Promise<void> {
    await this.draining;
    this.start();
    await this.draining;
  }

  private *drain(): Step<void> {
    while (this.waiting.length > 0 && this.waiting[0].after < this.requests.oldest()) {
      const { clusters, after } = this.waiting.shift()!;
      const sorted = Array.from(clusters).sort((a, b) => a - b);
      let done = 0;
      try {
        yield* this.giveBack(sorted);
        for (; done < sorted.length; done++) yield* this.refcounts.decrement(sorted[done], false);
      } catch {
        this.waiting.unshift({ clusters: sorted.slice(done), after });
        return;
      }
    }
  }

  /** Punches out runs of clusters that have no other user. */
  private *giveBack(sorted: readonly number[]): Step<void> {
    const clusterBytes = 2 ** this.clusterBits;
    for (let i = 0; this.canDiscard && i < sorted.length; ) {
      let end = i;
      while (end < sorted.length && sorted[end] === sorted[i] + (end - i) && (yield* this.refcounts.get(sorted[end])) === 1) end++;
      if (end > i) {
        const wait = this.file.port.discard!(sorted[i] * clusterBytes, (end - i) * clusterBytes).catch((error) => {
          // Only space is lost. Storage that is away may take it next time.
          if (codeOf(error) !== 'EIO') this.canDiscard = false;
        });
        yield wait;
      }
      i = Math.max(end, i + 1);
    }
  }
}
