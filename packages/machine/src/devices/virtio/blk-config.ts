/** What virtio-blk offers and shows: feature bits and device configuration (VIRTIO 1.1, 5.2.3, 5.2.4). */
import { type BlockPort, SECTOR_BYTES } from '../../ports/block';
import { set32, set64 } from './bytes';
import { BLK_DISCARD_SECTORS, BLK_SEGMENTS } from './limits';

export const BlkFeature = {
  segMax: 2,
  readOnly: 5,
  blockSize: 6,
  flush: 9,
  topology: 10,
  configWce: 11,
  discard: 13,
  writeZeroes: 14,
} as const;

/** Offset of the byte that turns the write cache on and off. */
export const WRITEBACK = 32;
const CONFIG_BYTES = 60;
/** Images and file systems work in 4 KiB: 2^3 sectors. */
const PHYSICAL_BLOCK_EXPONENT = 3;

export function blkFeatures({ readOnly }: BlockPort): number[] {
  const { segMax, blockSize, flush, topology, configWce, discard, writeZeroes } = BlkFeature;
  return [segMax, blockSize, flush, topology, configWce, ...(readOnly ? [BlkFeature.readOnly] : [discard, writeZeroes])];
}

export function blkConfig({ sectors, readOnly }: BlockPort): Uint8Array {
  const config = new Uint8Array(CONFIG_BYTES);
  set64(config, 0, sectors);
  set32(config, 12, BLK_SEGMENTS);
  set32(config, 20, SECTOR_BYTES);
  config[24] = PHYSICAL_BLOCK_EXPONENT;
  config[WRITEBACK] = 1;
  if (readOnly) return config;
  const oneRange = 1;
  set32(config, 36, BLK_DISCARD_SECTORS);
  set32(config, 40, oneRange);
  set32(config, 44, 1 << PHYSICAL_BLOCK_EXPONENT);
  set32(config, 48, BLK_DISCARD_SECTORS);
  set32(config, 52, oneRange);
  config[56] = 1;
  return config;
}
