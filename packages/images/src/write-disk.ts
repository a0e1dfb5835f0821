/**
 * Writes the disk image: boot sectors, and the system's files as an ext4 file system in
 * the partition. No mount, no loop device: mke2fs fills it itself, at its offset in the
 * image. Owners are kept, so whoever is not root needs a user namespace here, too.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { bootSectors, PARTITION_START_SECTOR, SECTOR_BYTES } from './boot-sector';
import { ROOT_LABEL } from './debian-files';
import { isRoot } from './debian-root';
import { DEBIAN_DISK_BYTES, SYSTEM_TIMEOUT_MS } from './limits';
import { runTool } from './run-tool';

/** Features that GRUB 2.06 can read, spelled out: mke2fs.conf differs between hosts. */
const EXT4_FEATURES =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';

/** $1 archive, $2 scratch folder, $3 disk, $4 offset in bytes, $5 file system size in KiB. */
const FILE_SYSTEM_SCRIPT = `set -e
mkdir "$2"
trap 'rm -rf "$2"' EXIT
tar --extract --file "$1" --directory "$2" --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*'
mke2fs -q -F -t ext4 -b 4096 -m 1 -O ${EXT4_FEATURES} -L ${ROOT_LABEL} -d "$2" \\
  -E "offset=$4,lazy_itable_init=0,lazy_journal_init=0,nodiscard" "$3" "$5k"
`;

/** @param work holds root.tar, boot.img, core.img; @param signature of the partition table */
export function writeDisk(work: string, disk: string, signature: number): void {
  const offset = PARTITION_START_SECTOR * SECTOR_BYTES;
  const file = openSync(disk, 'wx');
  try {
    const parts = { boot: readFileSync(join(work, 'boot.img')), core: readFileSync(join(work, 'core.img')) };
    const diskSectors = DEBIAN_DISK_BYTES / SECTOR_BYTES;
    writeSync(file, bootSectors({ ...parts, diskSectors, signature }), 0, offset, 0);
    writeSync(file, Buffer.alloc(1), 0, 1, DEBIAN_DISK_BYTES - 1);
  } finally {
    closeSync(file);
  }
  const kibibytes = (DEBIAN_DISK_BYTES - offset) / 1024;
  const command = ['sh', '-c', FILE_SYSTEM_SCRIPT, 'sh', join(work, 'root.tar'), join(work, 'root'), disk, `${offset}`, `${kibibytes}`];
  const [program, ...args] = isRoot() ? command : ['unshare', '--map-root-user', '--map-auto', ...command];
  // mke2fs lies where users' own PATH does not lead.
  runTool(program, args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }, timeoutMs: SYSTEM_TIMEOUT_MS });
}
