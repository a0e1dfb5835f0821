export * from './config';
export * from './vm';
export * from './state-file';
export { DiskError, type DiskMark, type ImageSpec } from './block/disk-host';
export { Engine, type EnginePorts, type SavedVm } from './engine';
export { hostCpuidQuery } from './host-cpuid';
export { clockPort, codecPort, sourceLease, targetLease } from './migration/ports';
export { SourceVmm } from './migration/source-vmm';
export { type TargetPorts as TargetHost, TargetVmm } from './migration/target-vmm';
