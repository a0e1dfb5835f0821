/** The command line of a cluster: loaded when one of its commands is run. */
export { complete } from './completion/complete';
export { runTable } from './core/run';
export { processIo } from './output/io';
export { commandTable } from './table';
