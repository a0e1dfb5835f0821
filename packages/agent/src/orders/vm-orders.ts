/** Orders about a VM's life on this host. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OrderError, refusal } from '../errors';
import { RESUMED_LOOK_MS, SUSPEND_MS, VMM_END_MS } from '../limits';
import type { OrderAnswer, VmmStatus, VmPlace, VmSpec } from '../messages';
import { askOnce } from '../storage/storage-process';
import type { Vmm } from '../vmms/vmm';
import type { Handlers, OrderContext } from './orders';
import { checkFits, endedEarly, planFor, runnerOf, untilLeft, type World } from './world';

type VmHandlers = Pick<Handlers, 'start' | 'resumeSuspended' | 'stop' | 'reset' | 'pause' | 'resume' | 'suspend'>;

export function vmOrders(world: World): VmHandlers {
  const { config } = world;
  const tell =
    (method: string, done: (vmm: Vmm) => boolean) =>
    async ({ vmId }: { vmId: string }, { signal }: OrderContext): Promise<OrderAnswer> => {
      const vmm = runnerOf(world, vmId);
      vmm.hear(await vmm.call<VmmStatus>(method, {}, undefined, signal));
      // The vCPU's thread does it a moment later.
      await vmm.until(() => done(vmm), signal);
      return { vmm: vmm.report() };
    };
  return {
    start: async ({ orderId, vmId, body: { place, spec, takeOver, paused, discardSavedState } }, context) => {
      const suspended = await lookBefore(world, vmId, place, spec, takeOver, context);
      if (suspended && !discardSavedState)
        throw refusal('wrong-state', `VM ${spec.name} is suspended: resume it, or start it without its saved state`);
      if (suspended) {
        const request = { store: world.datastores.ref(place), folder: place.folder, owner: world.holder() };
        await askOnce('discardState', request, { timeoutMs: SUSPEND_MS, signal: context.signal });
      }
      return begin(world, { orderId, vmId, place, spec, mode: 'start', paused }, context);
    },

    resumeSuspended: async ({ orderId, vmId, body: { place, spec, takeOver } }, context) => {
      const suspended = await lookBefore(world, vmId, place, spec, takeOver, context);
      if (!suspended) throw refusal('wrong-state', `VM ${spec.name} is not suspended: start it instead`);
      return begin(world, { orderId, vmId, place, spec, mode: 'resume', paused: false }, context);
    },

    stop: async ({ vmId, body: { how } }, { signal }) => {
      const vmm = runnerOf(world, vmId);
      if (how === 'KILL') {
        await pullPlug(vmm);
        return { vmm: vmm.report() };
      }
      try {
        await vmm.call('PowerButton', {}, undefined, signal);
        await vmm.until(() => false, signal);
      } catch (error) {
        if (error instanceof OrderError && error.code === 'time')
          throw new OrderError('time', `the guest of VM ${vmm.about.name} has not powered off in its time: it runs on ${config.name}`);
        throw error;
      }
      return { vmm: vmm.report() };
    },

    reset: tell('Reset', () => true),
    pause: tell('Pause', ({ status }) => status.pauses.includes('operator')),
    resume: tell('Resume', ({ status }) => !status.pauses.includes('operator')),

    suspend: async ({ vmId }, { signal }) => {
      const vmm = runnerOf(world, vmId);
      const saved = await vmm.call<{ stateBytes: number; pauseMs: number }>('Suspend', {}, SUSPEND_MS, signal);
      // The state is durable: the VM is suspended even if its process should linger.
      await vmm.until(() => false, AbortSignal.any([signal, AbortSignal.timeout(VMM_END_MS)])).catch(() => vmm.kill());
      return { saved };
    },
  };
}

/** Whether it has a saved state. @throws OrderError for what stands against starting it here */
async function lookBefore(
  world: World,
  vmId: string,
  place: VmPlace,
  spec: VmSpec,
  takeOver: boolean,
  { signal }: OrderContext,
): Promise<boolean> {
  const { supervisor, config, datastores } = world;
  await untilLeft(world, vmId, spec.name, signal);
  if (supervisor.runnerOf(vmId)) throw refusal('wrong-state', `VM ${spec.name} runs on ${config.name} already`);
  checkFits(world, spec);
  const { spec: found, suspended, lease } = await datastores.look(place, signal);
  if (found?.vmId !== vmId) throw refusal('not-here', `${place.folder} is VM ${found?.vmId}, not ${vmId}`);
  if (lease?.ownerVmmId && !takeOver)
    throw refusal('lease-held', `VM ${spec.name} runs, or may run, on ${lease.ownerHostName}: its lease is held there`);
  return suspended;
}

interface Beginning {
  readonly orderId: string;
  readonly vmId: string;
  readonly place: VmPlace;
  readonly spec: VmSpec;
  readonly mode: 'start' | 'resume';
  readonly paused: boolean;
}

async function begin(
  world: World,
  { orderId, vmId, place, spec, mode, paused }: Beginning,
  { signal }: OrderContext,
): Promise<OrderAnswer> {
  const { config, supervisor } = world;
  // A new VM gets what it was asked to have; one with a saved state has its CPU already.
  const features = mode === 'start' && spec.cpuFeatures.length > 0 ? [...spec.cpuFeatures] : [...world.cpu.features];
  const about = { vmId, name: spec.name, place, orderId, migrationId: '', memoryBytes: spec.memoryBytes };
  const vmm = await supervisor.start(about, planFor(world, place, mode, { features, startPaused: paused }));
  try {
    await vmm.until(() => vmm.hasVm, signal);
    // The saved state is removed once it is loaded: before that the VM has not gone on.
    while (mode === 'resume' && !vmm.over && (await world.datastores.look(place, signal)).suspended)
      await sleep(RESUMED_LOOK_MS, undefined, { signal });
    await vmm.until(() => !vmm.status.pauses.includes('restore'), signal);
  } catch (error) {
    // One that has the lease may be running in a moment, or have used up its saved state: it is left to it.
    if (vmm.status.leaseEpoch > 0 || mode === 'resume')
      throw new OrderError('time', `VM ${spec.name} is still being started on ${config.name}`);
    vmm.kill();
    throw error;
  }
  if (vmm.over) throw endedEarly(world, vmm);
  return { vmm: vmm.report() };
}

/** Its lease is given back if the process still can; else it runs out by itself. */
export async function pullPlug(vmm: Vmm): Promise<void> {
  const enough = AbortSignal.timeout(VMM_END_MS);
  await vmm.call('PowerOff', {}, VMM_END_MS).catch(() => undefined);
  await vmm.until(() => false, enough).catch(() => vmm.kill());
  await vmm
    .until(() => false, AbortSignal.timeout(VMM_END_MS))
    .catch(() => {
      throw new OrderError('host', `the process of VM ${vmm.about.name} cannot be ended: is its storage hanging?`);
    });
}

/** For the VM's lease while its folder is changed. */
export const newHolder = (hostId: string, hostName: string) => () => ({ hostId, hostName, vmmId: randomUUID() });
