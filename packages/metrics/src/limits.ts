/** Limits of this package, each with its unit and reason. */

/** Series of one metric: a thousand VMs with every kind of exit, and room. More are dropped and counted. */
export const MAX_SERIES_PER_METRIC = 20_000;

/** Longest label value, UTF-16 units: names of VMs and hosts are at most 63. */
export const MAX_LABEL_VALUE = 128;

/** Ended migrations that are remembered, so that one reported twice counts once. */
export const MAX_ENDED_MIGRATIONS = 1_000;

/** Disks or adapters of one VM: slots of its PCI bus. */
export const MAX_DEVICES = 32;

/** Bytes of an Accept header that are looked at. */
export const MAX_ACCEPT = 1_024;

/** Series that are written before other work of the process gets its turn: some milliseconds. */
export const SERIES_AT_ONCE = 5_000;

/** Until a client has sent its request, or is cut off, ms. */
export const REQUEST_MS = 10_000;

/** Scrapers at a time, with room for a person with a browser. */
export const MAX_CONNECTIONS = 32;
