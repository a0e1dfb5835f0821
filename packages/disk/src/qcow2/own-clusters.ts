/**
 * Clusters that hold the image's own tables. An image may be made so that its
 * guest's data lies over them; a guest could then write itself a header, with
 * a backing file of its choice. So nothing of a guest's goes to such a
 * cluster, and none of them is ever handed out.
 */
import { ImageFormatError } from '../errors';

export class OwnClusters {
  private readonly clusters = new Set<number>([0]);

  constructor(
    private readonly clusterBytes: number,
    private readonly end: number,
    private readonly file: string,
  ) {}

  has(cluster: number): boolean {
    return this.clusters.has(cluster);
  }

  add(cluster: number): void {
    this.clusters.add(cluster);
  }

  delete(cluster: number): void {
    this.clusters.delete(cluster);
  }

  /** A table found in the file: it must be aligned, within the file, and on top of no other. */
  claim(offset: number, what: string): void {
    const cluster = offset / this.clusterBytes;
    if (!Number.isInteger(cluster) || offset >= this.end || this.clusters.has(cluster)) throw this.damaged(`${what} at ${offset}`);
    this.clusters.add(cluster);
  }

  claimRange(offset: number, bytes: number, what: string): void {
    for (let at = 0; at < bytes; at += this.clusterBytes) this.claim(offset + at, what);
  }

  /** Before a cluster that counts as free is handed out. */
  checkFree(cluster: number): void {
    if (this.clusters.has(cluster)) throw this.damaged(`cluster ${cluster} counts as free and holds a table`);
  }

  damaged(what: string): ImageFormatError {
    return new ImageFormatError(
      `${this.file} is damaged (${what}): it can be read, but not written; see what a check finds, or restore it`,
    );
  }
}
