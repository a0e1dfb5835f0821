/** A larger L1 table, in steps that each leave a sound image: the new table with the old content, then its place in the header. */
import { ImageRequestError } from '../errors';
import { run } from '../steps';
import { writeL1Place } from './header-writes';
import type { WriterParts } from './writer';

/** With no request under way and everything flushed. @param flush brings refcounts to stable storage */
export async function growL1(parts: WriterParts, entries: number, flush: () => Promise<void>): Promise<void> {
  const { file, mapping, refcounts, own, reclaim } = parts;
  const { clusterBytes, l1, l1Offset } = mapping;
  const oldClusters = Math.ceil(l1.length / clusterBytes);
  const clusters = Math.ceil((entries * 8) / clusterBytes);
  const table = new Uint8Array(clusters * clusterBytes);
  table.set(l1);
  let offset = l1Offset;
  if (clusters > oldClusters) {
    offset = (await run(refcounts.allocateAll(clusters))) * clusterBytes;
    await file.write([table], offset);
  } else {
    // The rest of its last cluster was not part of the table and may hold anything.
    await file.write([table.subarray(l1.length)], offset + l1.length);
  }
  await flush();
  try {
    await writeL1Place(file, offset, entries);
  } catch (error) {
    // Either place may count after this.
    file.stop(
      new ImageRequestError('EIO', `${file.name}: its header could not be changed, so nothing more is written; start the VM again`),
    );
    throw error;
  }
  mapping.replaceL1(table.subarray(0, entries * 8), offset);
  if (offset === l1Offset) return;
  for (let i = 0; i < clusters; i++) own.add(offset / clusterBytes + i);
  for (let i = 0; i < oldClusters; i++) {
    own.delete(l1Offset / clusterBytes + i);
    reclaim.add(l1Offset / clusterBytes + i);
  }
}
