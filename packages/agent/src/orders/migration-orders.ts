/** Orders about VMs on their way: the VMMs do it themselves, memory never passes an agent. */
import { WireError } from '@godwit/wire';
import { refusal } from '../errors';
import { VMM_END_MS } from '../limits';
import type { MigrationRecord, OrderAnswer } from '../messages';
import type { Vmm } from '../vmms/vmm';
import type { Handlers } from './orders';
import { checkFits, endedEarly, planFor, runnerOf, untilLeft, type World } from './world';

type MigrationHandlers = Pick<Handlers, 'prepareIncoming' | 'dropIncoming' | 'migrateOut' | 'changeMigration' | 'cancelMigration'>;

export function migrationOrders(world: World): MigrationHandlers {
  const { supervisor, book, config } = world;
  return {
    prepareIncoming: async ({ orderId, vmId, body: { migrationId, place, spec, waitMs } }, { signal }) => {
      if (book.isDropped(migrationId)) throw refusal('cancelled', `migration ${migrationId} was called off`);
      const before = supervisor.waiterFor(migrationId);
      if (before) return expect(before, migrationId, vmId, signal);
      await untilLeft(world, vmId, spec.name, signal);
      if (supervisor.runnerOf(vmId)) throw refusal('wrong-state', `VM ${spec.name} runs on ${config.name} already`);
      if (world.state.maintenance) throw refusal('host', `${config.name} is in maintenance`);
      checkFits(world, spec);
      const about = { vmId, name: spec.name, place, orderId, migrationId, memoryBytes: spec.memoryBytes };
      // What it is given where it runs: the process makes itself ready for that before the source calls.
      const expects = spec.cpuFeatures.length > 0 ? { features: [...spec.cpuFeatures] } : undefined;
      const plan = planFor(world, place, 'incoming', { waitSeconds: waitMs > 0 ? waitMs / 1000 : 60, ...(expects ? { expects } : {}) });
      const vmm = await supervisor.start(about, plan);
      try {
        await vmm.until(() => vmm.up && vmm.arriving, signal);
        if (vmm.over) throw endedEarly(world, vmm);
        return await expect(vmm, migrationId, vmId, signal);
      } catch (error) {
        // Nobody knows its address yet.
        vmm.kill();
        throw error;
      }
    },

    dropIncoming: async ({ body: { migrationId } }, { signal }) => {
      book.drop(migrationId);
      const vmm = supervisor.waiterFor(migrationId);
      if (!vmm?.arriving) return {};
      await endWaiter(vmm, signal);
      return { vmm: vmm.report() };
    },

    migrateOut: async ({ vmId, body: { migrationId, ...order } }, { signal }) => {
      const known = book.find(migrationId)?.record;
      if (known) return { migration: known };
      const vmm = runnerOf(world, vmId);
      const begun = vmm.migrate({ migrationId, ...order });
      begun.catch(() => undefined);
      const migration = await Promise.race([begun, aborted(signal)]).catch((error) => {
        if (signal.aborted) vmm.call('CancelMigration', { migrationId, why: (error as Error).message }).catch(() => undefined);
        throw error;
      });
      return { migration };
    },

    changeMigration: async ({ vmId, body: { migrationId, settings } }, { signal }) =>
      steer(world, vmId, migrationId, 'ChangeMigration', { settings }, signal),
    cancelMigration: async ({ vmId, body: { migrationId, why } }, { signal }) =>
      steer(world, vmId, migrationId, 'CancelMigration', { why }, signal),
  };
}

async function expect(vmm: Vmm, migrationId: string, vmId: string, signal: AbortSignal): Promise<OrderAnswer> {
  const { address, token } = await vmm.call<{ address: string; token: string }>('Expect', { migrationId, vmId }, undefined, signal);
  return { waiting: { vmm: vmm.report(), address, token } };
}

/**
 * One that nobody has called ends at once. One with a migration under way calls that off, or runs the VM in the
 * end: then it is left alone. Its process is not ended by force while a VM may be passing to it.
 */
async function endWaiter(vmm: Vmm, signal: AbortSignal): Promise<void> {
  await vmm.call('PowerOff', {}, undefined, signal).catch((error) => {
    if (!(error instanceof WireError) || error.code === 'deadline') throw error;
  });
  const enough = AbortSignal.any([signal, AbortSignal.timeout(VMM_END_MS)]);
  await vmm
    .until(() => !vmm.arriving, enough)
    .catch(() => {
      if (vmm.status.migrationId === '') vmm.kill();
      else
        throw refusal(
          'busy',
          `migration ${vmm.status.migrationId} is past being called off: the lease decides where VM ${vmm.about.name} runs`,
        );
    });
}

async function steer(
  world: World,
  vmId: string,
  migrationId: string,
  method: string,
  request: object,
  signal: AbortSignal,
): Promise<OrderAnswer> {
  const vmm = world.supervisor.runnerOf(vmId);
  const known = vmm?.record?.migrationId === migrationId ? vmm.record : world.book.find(migrationId)?.record;
  if (!vmm || known?.outcome) {
    if (known) return { migration: known };
    throw refusal('not-here', `migration ${migrationId} does not start from ${world.config.name}`);
  }
  const record = await vmm.call<MigrationRecord>(method, { migrationId, ...request }, undefined, signal);
  // One that was only being connected has no record.
  return record.migrationId ? { migration: record } : known ? { migration: known } : {};
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
