// Made by packages/wire/scripts/generate.mjs from proto/godwit/v1: change it there.
export type * from './agent';
export type * from './controller';
export type * from './event';
export type * from './migration';
export type * from './services';
export type * from './spec';
export type * from './types';
export type * from './vmm';
