export { allowedFeatures, hostFactsOf, type HostDescription, type VmDescription, vmFactsOf } from './facts';
export { type MigrationLink, openLink } from './link';
export type { KeptRecord } from './outgoing';
export { hostNetwork, type HostNetwork, type VmSettings, vmSettings } from './plan';
export { runVmm } from './run-vmm';
export { SUSPENDED_STATE, suspendToFile } from './state-store';
export { parseVmmConfig, vmmConfig, type VmmConfig } from './vmm-config';
export { type EndReason, type ProcessEnd, VmmProcess } from './vmm-process';
export { serveVmm } from './vmm-service';
