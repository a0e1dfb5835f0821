export * from './config';
export * from './vm';
export * from './state-file';
export { DiskError, type DiskMark, type ImageSpec } from './block/disk-host';
export { Engine, type EnginePorts, type SavedVm } from './engine';
export { hostCpuidQuery } from './host-cpuid';
