/** New refcount structures behind the end of the file, for the counts that a scan found. */
import { viewOf, writeU64 } from '../bytes';
import { ImageFormatError } from '../errors';
import { MAX_REFCOUNT_TABLE_BYTES } from '../limits';
import { writeCount } from './counts';
import { At } from './header';
import { refcountTableFields } from './header-writes';
import type { Scan } from './scan';

export async function rebuildRefcounts(scan: Scan): Promise<void> {
  const { file, header, users } = scan;
  const { clusterBytes } = header;
  const perBlock = (clusterBytes * 8) / header.refcountBits;
  const start = scan.clusters;
  // Behind the file: first the blocks that have something to count, then the table.
  const needed = new Set<number>();
  for (let cluster = 0; cluster < users.length; cluster++) if (users[cluster] > 0) needed.add(Math.floor(cluster / perBlock));
  let tableClusters = 1;
  for (;;) {
    const end = start + needed.size + tableClusters;
    const before = needed.size + tableClusters;
    for (let cluster = start; cluster < end; cluster++) needed.add(Math.floor(cluster / perBlock));
    tableClusters = Math.ceil(((Math.floor((end - 1) / perBlock) + 1) * 8) / clusterBytes);
    if (needed.size + tableClusters === before) break;
  }
  if (tableClusters * clusterBytes > MAX_REFCOUNT_TABLE_BYTES) throw new ImageFormatError(`${file.name} is too large to be repaired`);

  const table = new Uint8Array(tableClusters * clusterBytes);
  const tableOffset = (start + needed.size) * clusterBytes;
  const end = start + needed.size + tableClusters;
  let offset = start * clusterBytes;
  for (const index of [...needed].sort((a, b) => a - b)) {
    const block = new Uint8Array(clusterBytes);
    const view = viewOf(block);
    for (let slot = 0; slot < perBlock; slot++) {
      const cluster = index * perBlock + slot;
      const count = cluster < start ? users[cluster] : cluster < end ? 1 : 0;
      if (count > 0) writeCount(view, slot, header.refcountBits, count);
    }
    await file.write([block], offset);
    writeU64(viewOf(table), index * 8, offset);
    offset += clusterBytes;
  }
  await file.write([table], tableOffset);
  await file.sync();
  await file.write([refcountTableFields(tableOffset, tableClusters)], At.refcountTableOffset);
  await file.sync();
}
