// Proves the disk's first megabyte against the partition table's own layout; that GRUB
// finds itself and the kernel there is shown by booting, under test/.
import { bootSectors, PARTITION_START_SECTOR, SECTOR_BYTES } from './boot-sector';

const boot = Buffer.alloc(SECTOR_BYTES, 0x11);
const core = Buffer.from('the rest of GRUB');
const diskSectors = 4 * 1024 * 1024;

test('one active Linux partition, up to the end of the disk', () => {
  const sectors = bootSectors({ boot, core, diskSectors, signature: 0x12345678 });
  expect(sectors.length).toBe(PARTITION_START_SECTOR * SECTOR_BYTES);
  expect(sectors.subarray(0, 440).equals(boot.subarray(0, 440))).toBe(true);
  expect(sectors.readUInt32LE(440)).toBe(0x12345678);
  expect([sectors[446], sectors[450]]).toEqual([0x80, 0x83]);
  expect([sectors.readUInt32LE(454), sectors.readUInt32LE(458)]).toEqual([2048, diskSectors - 2048]);
  expect(sectors.subarray(462, 510).every((byte) => byte === 0)).toBe(true);
  expect(sectors.readUInt16LE(510)).toBe(0xaa55);
  expect(sectors.toString('latin1', 512, 512 + core.length)).toBe('the rest of GRUB');
});

test('what does not fit is refused', () => {
  const parts = { boot, core, diskSectors, signature: 1 };
  expect(() => bootSectors({ ...parts, boot: Buffer.alloc(511) })).toThrow('boot.img has 511 bytes');
  expect(() => bootSectors({ ...parts, core: Buffer.alloc(2047 * 512 + 1) })).toThrow('core.img has');
  expect(() => bootSectors({ ...parts, core: Buffer.alloc(0) })).toThrow('core.img has 0 bytes');
  expect(() => bootSectors({ ...parts, diskSectors: 2048 })).toThrow('no room for a partition');
});
