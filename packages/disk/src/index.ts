export { resolveBackingName } from './backing-name';
export { convertImage, type ConvertOptions } from './convert';
export { DiskImage, type Extent, type ImageFormat, type ImageStats, type Pending, type WriteOptions, type ZeroOptions } from './disk-image';
export { ImageFormatError, ImageRequestError } from './errors';
export {
  checkImage,
  createImage,
  imageInfo,
  openImage,
  type CreateImageOptions,
  type ImageInfo,
  type OpenImageOptions,
} from './open';
export type { BackingFile, FilePort, InflateRaw, OpenBacking } from './ports';
export type { CheckReport } from './qcow2/check';
