/**
 * Goes through all that an image refers to and counts the users of each
 * cluster of its file. Works on the file as it is, with no image open on it.
 */
import { readU64, viewOf } from '../bytes';
import { ImageFormatError } from '../errors';
import type { ImageFile } from '../image-file';
import { MAX_CHECKED_CLUSTERS, MAX_CHECK_MESSAGES } from '../limits';
import { hostClusters, hostOffset, kindOf } from './entries';
import type { Qcow2Header } from './header';

/** Counts are kept in 16 bits; so many users of one cluster are damage anyway. */
const MOST_USERS = 0xffff;

export class Scan {
  /** Users of each cluster, the refcount structures left out. */
  readonly users: Uint16Array;
  readonly clusters: number;
  readonly messages: string[] = [];
  /** Places that no repair of refcounts mends. */
  damages = 0;
  /** Clusters of the disk that have a place in the file. */
  mapped = 0;
  readonly l1: Uint8Array;
  private readonly tables = new Set<number>();

  private constructor(
    readonly file: ImageFile,
    readonly header: Qcow2Header,
  ) {
    this.clusters = Math.ceil(file.end / header.clusterBytes);
    if (this.clusters > MAX_CHECKED_CLUSTERS)
      throw new ImageFormatError(`${file.name} is too large to be checked: ${this.clusters} clusters`);
    this.users = new Uint16Array(this.clusters);
    this.l1 = new Uint8Array(header.l1Entries * 8);
  }

  static async run(file: ImageFile, header: Qcow2Header): Promise<Scan> {
    const scan = new Scan(file, header);
    scan.use(0, 'the header');
    await file.read([scan.l1], header.l1Offset);
    scan.useRange(header.l1Offset, scan.l1.length, 'the L1 table');
    await scan.eachTable(async (table, offset) => scan.scanTable(viewOf(table), offset));
    return scan;
  }

  /** Calls back with each L2 table, once; those out of place are reported and left out. */
  async eachTable(act: (table: Uint8Array, offset: number, l1Index: number) => Promise<void>): Promise<void> {
    const { clusterBytes } = this.header;
    const first = this.tables.size === 0;
    const view = viewOf(this.l1);
    const table = new Uint8Array(clusterBytes);
    for (let i = 0; i < this.header.l1Entries; i++) {
      const offset = hostOffset(view.getUint32(i * 8), view.getUint32(i * 8 + 4));
      if (offset === 0) continue;
      if (first) {
        if (!this.inFile(offset)) {
          this.damage(`L1 entry ${i} points to ${offset}, which is no cluster of the file`);
          continue;
        }
        this.use(offset / clusterBytes, `L1 entry ${i}`);
        if (this.tables.has(offset)) {
          this.damage(`L1 entry ${i} points to an L2 table that another one uses`);
          continue;
        }
        this.tables.add(offset);
      } else if (!this.tables.has(offset)) continue;
      await this.file.read([table], offset);
      await act(table, offset, i);
    }
  }

  damage(message: string): void {
    this.damages++;
    this.note(message);
  }

  note(message: string): void {
    if (this.messages.length < MAX_CHECK_MESSAGES) this.messages.push(message);
  }

  inFile(offset: number): boolean {
    return offset % this.header.clusterBytes === 0 && offset < this.file.end;
  }

  useRange(offset: number, bytes: number, what: string): void {
    const { clusterBytes } = this.header;
    for (let at = 0; at < bytes; at += clusterBytes) this.use((offset + at) / clusterBytes, what);
  }

  use(cluster: number, what: string): void {
    if (cluster >= this.clusters) this.damage(`${what}: cluster ${cluster} lies past the end of the file`);
    else if (this.users[cluster] < MOST_USERS) this.users[cluster]++;
  }

  private scanTable(view: DataView, offset: number): void {
    const { header } = this;
    for (let at = 0; at < view.byteLength; at += 8) {
      const hi = view.getUint32(at);
      const lo = view.getUint32(at + 4);
      const kind = kindOf(hi, lo);
      if (kind === 'unallocated') continue;
      this.mapped++;
      if (kind === 'zero' && header.version === 2)
        this.damage(`a zero cluster in the L2 table at ${offset}, which version 2 does not have`);
      const host = kind === 'compressed' ? 0 : hostOffset(hi, lo);
      const range = hostClusters(hi, lo, header.clusterBits);
      if (!range) continue;
      if (host % header.clusterBytes !== 0 || range.first >= this.clusters) {
        this.damage(
          `an entry in the L2 table at ${offset} points to ${host || range.first * header.clusterBytes}, which is no cluster of the file`,
        );
        continue;
      }
      // A compressed cluster's last sectors may be counted past the end of the file.
      for (let cluster = range.first; cluster <= Math.min(range.last, this.clusters - 1); cluster++) this.use(cluster, 'data');
    }
  }
}

/** Offsets of the refcount blocks, by their place in the table, whatever they are. */
export async function refcountBlocks(scan: Scan): Promise<Map<number, number>> {
  const { file, header } = scan;
  const table = new Uint8Array(header.refcountTableClusters * header.clusterBytes);
  await file.read([table], header.refcountTableOffset);
  const view = viewOf(table);
  const blocks = new Map<number, number>();
  for (let i = 0; i < table.length / 8; i++) {
    const offset = readU64(view, i * 8);
    if (offset !== 0) blocks.set(i, offset);
  }
  return blocks;
}
