/** A reader of newc archives for tests: strict, and independent of the writer. */

export interface ReadEntry {
  path: string;
  mode: number;
  /** Bytes as latin1, so that a failed comparison can be read. */
  data: string;
  major: number;
  minor: number;
}

const HEADER_BYTES = 110;
const align = (offset: number) => (offset + 3) & ~3;

export function readCpio(archive: Buffer): ReadEntry[] {
  const entries: ReadEntry[] = [];
  const inodes = new Set<number>();
  for (let offset = 0; ; ) {
    const header = archive.toString('latin1', offset, offset + HEADER_BYTES);
    if (!/^070701[0-9A-F]{104}$/.test(header)) throw new Error(`no header at ${offset}: ${header}`);
    const field = (index: number) => parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16);
    const nameEnd = offset + HEADER_BYTES + field(11);
    if (archive[nameEnd - 1] !== 0) throw new Error(`the name at ${offset} is not closed by NUL`);
    const path = archive.toString('utf8', offset + HEADER_BYTES, nameEnd - 1);
    const dataStart = align(nameEnd);
    const dataEnd = dataStart + field(6);
    offset = align(dataEnd);
    if (path === 'TRAILER!!!') {
      if (offset !== archive.length) throw new Error('bytes after the trailer');
      return entries;
    }
    if (inodes.has(field(0))) throw new Error(`inode ${field(0)} twice: Linux would take ${path} for a hard link`);
    inodes.add(field(0));
    entries.push({ path, mode: field(1), data: archive.toString('latin1', dataStart, dataEnd), major: field(9), minor: field(10) });
  }
}
