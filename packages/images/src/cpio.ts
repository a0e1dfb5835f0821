/**
 * Writes cpio archives in the "new ASCII" format, the one Linux unpacks as initramfs
 * (kernel documentation, driver-api/early-userspace/buffer-format).
 *
 *   header: "070701", then 13 numbers of 8 hexadecimal digits each
 *   path, NUL, padding to 4 bytes; data, padding to 4 bytes
 *   … the entry TRAILER!!! ends it
 *
 * The same entries always give the same bytes: times are zero, owners are root, and
 * inode numbers count up, so an image can be cached and compared by its hash.
 */

export type CpioEntry =
  | { kind: 'directory'; path: string; mode?: number }
  | { kind: 'file'; path: string; data: Buffer; mode?: number }
  | { kind: 'link'; path: string; target: string }
  | { kind: 'device'; path: string; type: 'character' | 'block'; major: number; minor: number; mode?: number };

const ALIGNMENT = 4;

/** File type bits of `st_mode` (inode(7)). */
const TYPE = { directory: 0o040000, file: 0o100000, link: 0o120000, character: 0o020000, block: 0o060000 };

/** @param entries with paths relative to the root ("dev/console"); parents come before their children. */
export function writeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  entries.forEach((entry, index) => parts.push(...member(entry, index + 1)));
  parts.push(...record('TRAILER!!!', { inode: 0, mode: 0, links: 1, data: Buffer.alloc(0) }));
  return Buffer.concat(parts);
}

function member(entry: CpioEntry, inode: number): Buffer[] {
  const none = Buffer.alloc(0);
  switch (entry.kind) {
    case 'directory':
      return record(entry.path, { inode, mode: TYPE.directory | (entry.mode ?? 0o755), links: 2, data: none });
    case 'file':
      return record(entry.path, { inode, mode: TYPE.file | (entry.mode ?? 0o644), links: 1, data: entry.data });
    case 'link':
      return record(entry.path, { inode, mode: TYPE.link | 0o777, links: 1, data: Buffer.from(entry.target) });
    case 'device': {
      const mode = TYPE[entry.type] | (entry.mode ?? 0o600);
      return record(entry.path, { inode, mode, links: 1, data: none, major: entry.major, minor: entry.minor });
    }
  }
}

interface Fields {
  inode: number;
  mode: number;
  links: number;
  data: Buffer;
  major?: number;
  minor?: number;
}

function record(path: string, fields: Fields): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const numbers = [
    fields.inode,
    fields.mode,
    0, // user
    0, // group
    fields.links,
    0, // time of last change
    fields.data.length,
    0, // device the entry lies on, major
    0, // and minor
    fields.major ?? 0,
    fields.minor ?? 0,
    name.length,
    0, // checksum: only of format 070702
  ];
  const header = Buffer.from(`070701${numbers.map(hexadecimal).join('')}`);
  return [header, name, padding(header.length + name.length), fields.data, padding(fields.data.length)];
}

function hexadecimal(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}

function padding(length: number): Buffer {
  return Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);
}
