/** What a channel moves by its bus master: regions of guest RAM for the disk, or bytes of the channel's own buffer. */
import type { IdeChannel } from './channel';
import { type Regions, readRegions } from './region-table';
import { BusMasterStatus } from './registers';

/** The regions that the guest has for so many bytes; undefined: there are none, the command has failed. */
export function takeRegions(channel: IdeChannel, bytes: number): Regions | undefined {
  const { bus, mayMaster } = channel.wiring;
  const { busMaster } = channel.state;
  const regions = mayMaster() ? readRegions(bus, busMaster.table, bytes) : undefined;
  if (regions) return regions;
  busMaster.status = (busMaster.status & ~BusMasterStatus.ACTIVE) | BusMasterStatus.ERROR;
  channel.busFault();
  return undefined;
}

/** A bus master that has regions left stays active until the guest stops it (Bus Master IDE 1.0, 3.2). */
export function regionsMoved({ state: { busMaster } }: IdeChannel, { exhausted }: Regions): void {
  if (exhausted) busMaster.status &= ~BusMasterStatus.ACTIVE;
}

/** Between the buffer and memory; false: there is no such memory, the command has failed. */
export function moveBuffer(channel: IdeChannel, bytes: number, toMemory: boolean): boolean {
  const { bus } = channel.wiring;
  const regions = takeRegions(channel, bytes);
  if (!regions) return false;
  let at = 0;
  for (const { gpa, length } of regions.segments) {
    const part = channel.buffer.subarray(at, at + length);
    if (toMemory) bus.writable(gpa, length)?.set(part);
    else part.set(bus.view(gpa, length) ?? []);
    at += length;
  }
  regionsMoved(channel, regions);
  return true;
}
