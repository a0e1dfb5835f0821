/**
 * The disk's first megabyte: a master boot record with one partition, and GRUB in the
 * gap behind it. GRUB's boot.img loads the sector that follows it, which lists the rest
 * of core.img as it was laid out by grub-mkimage: from sector 1 on, in one piece. That
 * is where it is put, so nothing in either needs to be changed (GRUB manual, "BIOS
 * installation").
 */
import { ImageError } from './run-tool';

export const SECTOR_BYTES = 512;
/** 1 MiB, as every partitioning tool has it. */
export const PARTITION_START_SECTOR = 2048;

const PARTITION_TABLE = 446;
const DISK_SIGNATURE = 440;
const TYPE_LINUX = 0x83;
const ACTIVE = 0x80;
/** Cylinder, head, sector as "too large to say": whoever reads them is told to use the sector numbers. */
const NO_CHS = [0xfe, 0xff, 0xff];

export interface BootParts {
  /** GRUB's boot.img: one sector. */
  boot: Buffer;
  /** GRUB's core.img. */
  core: Buffer;
  /** Sectors of the whole disk. */
  diskSectors: number;
  /** Tells disks apart; Linux makes the partition's PARTUUID from it. */
  signature: number;
}

/** Sectors 0 up to the partition. */
export function bootSectors({ boot, core, diskSectors, signature }: BootParts): Buffer {
  const gap = Buffer.alloc(PARTITION_START_SECTOR * SECTOR_BYTES);
  if (boot.length !== SECTOR_BYTES) throw new ImageError(`GRUB's boot.img has ${boot.length} bytes and not ${SECTOR_BYTES}`);
  if (core.length === 0 || core.length > gap.length - SECTOR_BYTES) {
    throw new ImageError(`GRUB's core.img has ${core.length} bytes; ${gap.length - SECTOR_BYTES} fit before the partition`);
  }
  const sectors = diskSectors - PARTITION_START_SECTOR;
  if (sectors <= 0 || diskSectors > 0xffffffff) throw new ImageError(`a disk of ${diskSectors} sectors has no room for a partition`);
  boot.copy(gap, 0, 0, DISK_SIGNATURE);
  core.copy(gap, SECTOR_BYTES);
  gap.writeUInt32LE(signature, DISK_SIGNATURE);
  const entry = [ACTIVE, ...NO_CHS, TYPE_LINUX, ...NO_CHS];
  gap.set(entry, PARTITION_TABLE);
  gap.writeUInt32LE(PARTITION_START_SECTOR, PARTITION_TABLE + 8);
  gap.writeUInt32LE(sectors, PARTITION_TABLE + 12);
  gap.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return gap;
}
