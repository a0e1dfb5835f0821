/**
 * SMART without attributes or logs: a virtual disk has nothing to measure, and
 * the store below it reports its own failures. Source: ATA/ATAPI-6, 8.41.
 */
import type { IdeChannel } from './channel';
import { Fault, SECTOR_BYTES } from './registers';

const KEY = { middle: 0x4f, high: 0xc2 };
const REVISION = 0x10;
const ENABLE = 0xd8;

const SUBCOMMANDS: Readonly<Record<number, (channel: IdeChannel) => void>> = {
  0xd0: (channel) => channel.give(table()), // READ DATA
  0xd1: (channel) => channel.give(table()), // READ ATTRIBUTE THRESHOLDS
  0xd2: (channel) => channel.finish(), // attribute autosave
  [ENABLE]: (channel) => enable(channel, true),
  0xd9: (channel) => enable(channel, false),
  0xda: (channel) => channel.finish(), // RETURN STATUS: the key unchanged says that no threshold is exceeded
};

export function smart(channel: IdeChannel): void {
  const { features, middle, high, smart: enabled } = channel.driveState;
  const run = SUBCOMMANDS[features[0]];
  const keyed = middle[0] === KEY.middle && high[0] === KEY.high;
  if (!run || !keyed || (!enabled && features[0] !== ENABLE)) return channel.fail(Fault.ABRT);
  run(channel);
}

function enable(channel: IdeChannel, value: boolean): void {
  channel.driveState.smart = value;
  channel.finish();
}

/** No entries; the last byte makes the sum of all 0. */
function table(): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  bytes[0] = REVISION;
  bytes[SECTOR_BYTES - 1] = 0x100 - REVISION;
  return bytes;
}
