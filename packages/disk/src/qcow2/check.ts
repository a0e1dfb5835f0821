/**
 * Compares the refcounts with what is used, and mends them: by building all of
 * them anew behind the end of the file, and then pointing the header there. A
 * crash meanwhile leaves the old ones in force. What data was meant where
 * cannot be mended; that is only reported.
 */
import { viewOf } from '../bytes';
import { ImageFormatError } from '../errors';
import type { ImageFile } from '../image-file';
import { maxCount, readCount } from './counts';
import { COPIED_HI, hostOffset, isCopied, kindOf } from './entries';
import type { Qcow2Header } from './header';
import { clearDamageBits } from './header-writes';
import { rebuildRefcounts } from './rebuild';
import { refcountBlocks, Scan } from './scan';

export interface CheckReport {
  readonly format: 'qcow2' | 'raw';
  /** Clusters of the disk that have a place in the file. */
  readonly mappedClusters: number;
  /** Clusters that count as used more often than they are: space lost, no harm. */
  readonly leaks: number;
  /** Anything that endangers data. */
  readonly corruptions: number;
  /** Of the corruptions, those that a repair cannot mend. */
  readonly beyondRepair: number;
  /** The image was not closed after its last use by a program that puts refcounts off. */
  readonly dirty: boolean;
  readonly markedCorrupt: boolean;
  /** The findings were mended: the counts above are of before. */
  readonly repaired: boolean;
  /** The first findings, one line each. */
  readonly messages: readonly string[];
}

export async function checkQcow2(file: ImageFile, header: Qcow2Header, repair: boolean): Promise<CheckReport> {
  if (header.snapshots > 0 || header.hasBitmaps) {
    throw new ImageFormatError(
      `${file.name} holds internal snapshots or bitmaps, which are not looked at here: check it with qemu-img check`,
    );
  }
  const scan = await Scan.run(file, header);
  const found = await compareCounts(scan);
  const flags = await fixFlags(scan, 'none');
  const report = {
    format: 'qcow2' as const,
    mappedClusters: scan.mapped,
    leaks: found.leaks,
    corruptions: found.corruptions + flags + scan.damages,
    beyondRepair: scan.damages,
    dirty: header.dirty,
    markedCorrupt: header.corrupt,
    messages: scan.messages,
  };
  const sound = report.leaks === 0 && report.corruptions === 0 && !header.dirty && !header.corrupt;
  if (!repair || sound || scan.damages > 0) return { ...report, repaired: false };
  await mend(scan, found.leaks > 0 || found.corruptions > 0);
  return { ...report, repaired: true };
}

/** Flags that claim too much go before, those that are missing come after the counts. */
async function mend(scan: Scan, counts: boolean): Promise<void> {
  const { file, header } = scan;
  if ((await fixFlags(scan, 'clear')) > 0) await file.sync();
  if (counts) await rebuildRefcounts(scan);
  if ((await fixFlags(scan, 'set')) > 0) await file.sync();
  if (header.version === 3 && (header.dirty || header.corrupt)) await clearDamageBits(file);
}

async function compareCounts(scan: Scan): Promise<{ leaks: number; corruptions: number }> {
  const { file, header } = scan;
  const perBlock = (header.clusterBytes * 8) / header.refcountBits;
  const blocks = await refcountBlocks(scan);
  const expected = scan.users.slice();
  let corruptions = 0;
  const seen = new Set<number>();
  const use = (offset: number): boolean => {
    const sound = scan.inFile(offset) && !seen.has(offset);
    if (sound) expected[offset / header.clusterBytes]++;
    else {
      corruptions++;
      scan.note('the refcount table, or one of its blocks, lies outside the file or on top of another');
    }
    seen.add(offset);
    return sound;
  };
  for (let i = 0; i < header.refcountTableClusters; i++) use(header.refcountTableOffset + i * header.clusterBytes);
  for (const [index, offset] of blocks) if (!use(offset)) blocks.delete(index);
  let leaks = 0;
  const bytes = new Uint8Array(header.clusterBytes);
  // All that the file has clusters for, and what is counted behind its end.
  const indexes = new Set(blocks.keys());
  for (let index = 0; index * perBlock < scan.clusters; index++) indexes.add(index);
  for (const index of indexes) {
    const offset = blocks.get(index);
    bytes.fill(0);
    if (offset !== undefined) await file.read([bytes], offset);
    const view = viewOf(bytes);
    for (let slot = 0; slot < perBlock; slot++) {
      const cluster = index * perBlock + slot;
      const users = cluster < scan.clusters ? expected[cluster] : 0;
      const count = readCount(view, slot, header.refcountBits);
      if (count === users) continue;
      if (count > users) leaks++;
      else corruptions++;
      scan.note(`cluster ${cluster} has ${users} users and counts ${count}`);
    }
  }
  for (const users of scan.users)
    if (users > maxCount(header.refcountBits)) scan.damage(`a cluster has ${users} users, more than can be counted`);
  return { leaks, corruptions };
}

/** COPIED must stand where the cluster has one user, and nowhere else. Gives the number of wrong ones; writes those asked for. */
async function fixFlags(scan: Scan, fix: 'none' | 'set' | 'clear'): Promise<number> {
  const { file, header } = scan;
  const l1 = viewOf(scan.l1);
  let wrong = 0;
  const look = (view: DataView, at: number): boolean => {
    const hi = view.getUint32(at);
    const host = hostOffset(hi, view.getUint32(at + 4));
    if (host === 0 || !scan.inFile(host)) return false;
    const should = scan.users[host / header.clusterBytes] === 1;
    if (should === isCopied(hi)) return false;
    // A missing flag costs time only.
    if (fix === 'none' && should) return false;
    wrong++;
    if (fix === 'none') scan.note(`an entry for ${host} says that it has one user, which is wrong`);
    if (fix !== (should ? 'set' : 'clear')) return false;
    view.setUint32(at, (should ? hi | COPIED_HI : hi & ~COPIED_HI) >>> 0);
    return true;
  };
  await scan.eachTable(async (table, offset, index) => {
    const view = viewOf(table);
    let changed = false;
    for (let at = 0; at < table.length; at += 8) {
      const compressed = kindOf(view.getUint32(at), 0) === 'compressed';
      if (!compressed && look(view, at)) changed = true;
    }
    if (changed) await file.write([table.slice()], offset);
    if (look(l1, index * 8)) await file.write([scan.l1.slice(index * 8, index * 8 + 8)], header.l1Offset + index * 8);
  });
  return wrong;
}
