/** Orders that the last agent was at when it died: what became of them as far as it can be told, and what they left. */
import type { Logger } from 'pino';
import { lineOf } from '../errors';
import { START_MS } from '../limits';
import { askOnce } from '../storage/storage-process';
import type { OrderJournal, Taken } from './journal';
import type { World } from './world';

export function settleInterrupted(world: World, journal: OrderJournal, log: Logger): void {
  for (const taken of journal.interrupted) {
    const { orderId, kind } = taken;
    const vmm = world.supervisor.all.find(({ about }) => about.orderId === orderId);
    // Its VMM is here, and says itself how it is.
    const done = vmm?.hasVm === true;
    const line = done ? '' : `the agent of ${world.config.name} was restarted while it was at it`;
    journal.finish(
      {
        orderId,
        state: done ? 'ORDER_STATE_DONE' : 'ORDER_STATE_UNKNOWN',
        code: '',
        line,
        progress: done ? 1 : 0,
        ...(vmm ? { vmm: vmm.report() } : {}),
      },
      Date.now(),
    );
    log.info({ orderId, order: kind, vmId: taken.vmId, done }, 'an order was interrupted by the restart of this agent');
    if (kind === 'create') void cleanUp(world, taken, log);
  }
}

/** What a creation that was cut short left is no VM; it goes as soon as the lease of the one who made it has run out. */
export async function cleanUp(world: World, { place, vmId }: Pick<Taken, 'place' | 'vmId'>, log?: Logger): Promise<void> {
  if (!place) return;
  try {
    await askOnce(
      'clean',
      { store: world.datastores.ref(place), folder: place.folder, owner: world.holder(), vmId },
      { timeoutMs: START_MS },
    );
  } catch (error) {
    log?.warn(
      { folder: place.folder, error: lineOf(error) },
      'what a creation left that was cut short could not be removed: the next creation of that name does it',
    );
  }
}
