import type { DriveState } from './drive-state';

const WRITES = new Set([0x30, 0x31, 0x34, 0xc5, 0x39, 0xca, 0xcb, 0x35, 0x3d, 0xce]);
const FLUSHES = new Set([0xe7, 0xea, 0xe0, 0xe2, 0x94, 0x96]);
const MULTIPLES = new Set([0xc4, 0x29, 0xc5, 0x39, 0xce]);

/** What a command asks of the disk. A packet command only ever reads. */
export const requestShape = (opcode: number): 'read' | 'write' | 'flush' => (WRITES.has(opcode) ? 'write' : FLUSHES.has(opcode) ? 'flush' : 'read');

/** Sectors between two interrupts of a PIO command. */
export const blockSectors = (opcode: number, drive: DriveState): number => (MULTIPLES.has(opcode) ? Math.max(1, drive.multiple) : 1);
