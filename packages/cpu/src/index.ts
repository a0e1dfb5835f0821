export * from './layout';
export * from './state';
export * from './ports';
export * from './features';
export * from './cpuid';
export * from './facts';
