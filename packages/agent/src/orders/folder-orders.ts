/** Orders about a VM's folder, and about the host: done by storage processes, which hold the VM's lease meanwhile. */
import { OrderError, refusal } from '../errors';
import { MAX_ORDER_MS } from '../limits';
import type { VmPlace } from '../messages';
import { askOnce } from '../storage/storage-process';
import { cleanUp } from './interrupted';
import type { Handlers } from './orders';
import { runnerOf, untilLeft, type World } from './world';

type FolderHandlers = Pick<Handlers, 'create' | 'change' | 'remove' | 'openConsole' | 'setMaintenance'>;

export function folderOrders(world: World): FolderHandlers {
  const { config, datastores, supervisor } = world;
  const job = (place: VmPlace) => ({ store: datastores.ref(place), folder: place.folder, owner: world.holder() });
  return {
    create: async ({ body: { place, spec } }, { signal, progress }) => {
      const request = { ...job(place), spec, stores: datastores.places, images: config.images };
      try {
        return { folder: await askOnce('create', request, { timeoutMs: MAX_ORDER_MS, signal, onProgress: progress }) };
      } catch (error) {
        // It was ended in the midst of its work: whatever is left goes when its lease has run out.
        if (signal.aborted) void cleanUp(world, { place, vmId: spec.vmId });
        throw error;
      }
    },

    change: async ({ vmId, body: { place, spec, growDisks } }, { signal }) => {
      await untilLeft(world, vmId, spec.name, signal);
      if (supervisor.runnerOf(vmId)) throw refusal('wrong-state', `VM ${spec.name} runs on ${config.name}: stop it first`);
      return { folder: await askOnce('change', { ...job(place), spec, growDisks }, { timeoutMs: MAX_ORDER_MS, signal }) };
    },

    remove: async ({ vmId, body: { place } }, { signal }) => {
      await untilLeft(world, vmId, place.folder, signal);
      const vmm = supervisor.runnerOf(vmId);
      if (vmm) throw refusal('lease-held', `VM ${vmm.about.name} runs on ${config.name}: stop it first`);
      await askOnce('remove', { ...job(place), vmId }, { timeoutMs: MAX_ORDER_MS, signal });
      return {};
    },

    openConsole: async ({ vmId, body }, { signal }) => {
      const vmm = runnerOf(world, vmId);
      if (body.console === 'CONSOLE_KIND_SCREEN')
        throw new OrderError('unsupported', `VM ${vmm.about.name} has no screen: open its serial console`, true);
      signal.throwIfAborted();
      world.consoles.open(body.consoleId, vmm);
      return {};
    },

    setMaintenance: async ({ body: { maintenance } }) => {
      world.state.setMaintenance(maintenance);
      return {};
    },
  };
}
