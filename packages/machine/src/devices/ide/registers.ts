/** Names of the task file's bits and of the commands. Source: ATA/ATAPI-6 (T13/1410D), chapters 7 and 8. */

export const Status = { ERR: 0x01, DRQ: 0x08, DSC: 0x10, DF: 0x20, DRDY: 0x40, BSY: 0x80 } as const;
export const READY = Status.DRDY | Status.DSC;
export const Fault = { ABRT: 0x04, IDNF: 0x10, UNC: 0x40, WP: 0x40 } as const;
export const Control = { NIEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;
export const Device = { DEV: 0x10, LBA: 0x40 } as const;
/** Interrupt reason (the count register) of a packet command. */
export const Reason = { COMMAND: 1, TO_HOST: 2 } as const;
/** Bus master status and command: Programming Interface for Bus Master IDE Controller 1.0. */
export const BusMasterStatus = { ACTIVE: 1, ERROR: 2, INTERRUPT: 4, DRIVES: 0x60 } as const;
export const BusMasterCommand = { START: 1, TO_MEMORY: 8 } as const;

/** Commands that are treated apart from the tables. */
export const Opcode = { DATA_SET_MANAGEMENT: 0x06, DEVICE_RESET: 0x08, DIAGNOSTIC: 0x90, PACKET: 0xa0, FLUSH_CACHE: 0xe7 } as const;

/** What the task file holds after a reset, by which drives are told apart. */
export const SIGNATURE = { disk: { middle: 0, high: 0, status: READY }, cdrom: { middle: 0x14, high: 0xeb, status: 0 } } as const;
/** What is read where no drive is: only the data bus's line 7 is pulled down. */
export const FLOATING = 0x7f;
export const PACKET_BYTES = 12;
export const SECTOR_BYTES = 512;
