export * from './virtio-blk';
export * from './virtio-net';
export type { VirtioOptions } from './virtio-device';
export type { Offloads as NetOffloads } from './net-header';
