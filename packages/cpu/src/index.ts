export * from './layout';
export * from './state';
export * from './ports';
