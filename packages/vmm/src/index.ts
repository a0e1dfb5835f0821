export * from './config';
export * from './vm';
export { hostCpuidQuery } from './host-cpuid';
export { Engine, type EnginePorts } from './engine';
