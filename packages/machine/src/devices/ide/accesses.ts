/** What each disk command asks of the disk. Source: ATA/ATAPI-6, chapter 8; ATA-7 for FUA; ATA8-ACS, 7.10, for TRIM. */
import type { BlockRequest } from '../../ports/block';
import { Opcode } from './registers';

/** A command that moves, or looks at, a range of sectors. */
export interface Access {
  readonly write?: boolean;
  readonly dma?: boolean;
  /** 48-bit addresses. */
  readonly ext?: boolean;
  /** Several sectors between two interrupts. */
  readonly multiple?: boolean;
  /** Done only once it is on stable storage. */
  readonly fua?: boolean;
  /** The data is read, and kept from the guest. */
  readonly verify?: boolean;
}

export const ACCESSES: Readonly<Record<number, Access>> = {
  0x20: {}, // READ SECTORS, with and without retries
  0x21: {},
  0x24: { ext: true },
  0xc4: { multiple: true },
  0x29: { multiple: true, ext: true },
  0xc8: { dma: true },
  0xc9: { dma: true },
  0x25: { dma: true, ext: true },
  0x30: { write: true },
  0x31: { write: true },
  0x34: { write: true, ext: true },
  0xc5: { write: true, multiple: true },
  0x39: { write: true, multiple: true, ext: true },
  0xce: { write: true, multiple: true, ext: true, fua: true },
  0xca: { write: true, dma: true },
  0xcb: { write: true, dma: true },
  0x35: { write: true, dma: true, ext: true },
  0x3d: { write: true, dma: true, ext: true, fua: true },
  0x40: { verify: true },
  0x41: { verify: true },
  0x42: { verify: true, ext: true },
};

/** FLUSH CACHE (EXT), and STANDBY and SLEEP: what is cached goes out first. */
export const FLUSHES: ReadonlySet<number> = new Set([0xe7, 0xea, 0xe0, 0xe2, 0xe6, 0x94, 0x96, 0x99]);

/** A packet command only ever reads. */
export function requestKind(opcode: number): BlockRequest['kind'] {
  if (ACCESSES[opcode]?.write) return 'write';
  if (FLUSHES.has(opcode)) return 'flush';
  return opcode === Opcode.DATA_SET_MANAGEMENT ? 'discard' : 'read';
}
