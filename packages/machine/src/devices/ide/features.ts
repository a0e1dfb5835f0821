/** SET FEATURES. Source: ATA/ATAPI-6, 8.46. */
import type { IdeChannel } from './channel';
import { Fault, Opcode } from './registers';

const WRITE_CACHE_OFF = 0x82;

/** Transfer modes by their upper five bits: the highest mode of each kind. */
const HIGHEST_MODE: Readonly<Record<number, number>> = { 0x00: 1, 0x08: 4, 0x20: 2, 0x40: 5 };

/** False: the value is refused. */
const SUBCOMMANDS: Readonly<Record<number, (channel: IdeChannel) => boolean>> = {
  0x02: ({ driveState }) => {
    driveState.writeCache = true;
    return true;
  },
  [WRITE_CACHE_OFF]: ({ driveState }) => {
    driveState.writeCache = false;
    return true;
  },
  0x03: ({ driveState }) => {
    const mode = driveState.count[0];
    const highest = HIGHEST_MODE[mode & 0xf8];
    if (highest === undefined || (mode & 7) > highest) return false;
    driveState.transferMode = mode;
    return true;
  },
  // Read look-ahead on and off, defaults kept or not after a reset: nothing to do.
  0xaa: () => true,
  0x55: () => true,
  0xcc: () => true,
  0x66: () => true,
};

export function setFeatures(channel: IdeChannel): void {
  const { state, driveState, drive } = channel;
  const subcommand = driveState.features[0];
  if (!SUBCOMMANDS[subcommand]?.(channel)) return channel.fail(Fault.ABRT);
  if (subcommand !== WRITE_CACHE_OFF || drive!.kind !== 'disk') return channel.finish();
  // What is in the cache goes out first.
  state.command.opcode = Opcode.FLUSH_CACHE;
  channel.askDisk();
}
