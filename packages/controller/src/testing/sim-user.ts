/** What users of the simulated cluster ask, at random; refusals are part of the game. */
import { askCancelMigration, drainHost, migrate, resumeHost } from '../core/cluster-requests';
import type { Context } from '../core/context';
import { Refusal } from '../core/errors';
import type { VmSpec } from '../core/spec';
import { cloneVm, createVm, pauseVm, removeVm, resumeVm, startVm, stopVm, suspendVm } from '../core/vm-requests';
import { cancelOperation } from '../core/cluster-requests';
import type { SimController } from './sim-controller';
import type { World } from './world';

const OPERATION_MS = 8 * 60_000;

export function act(world: World, leader: SimController): void {
  const { random } = world;
  const maxVms = world.size.vms;
  leader.ask((ctx) => {
    const names = [...ctx.state.vms.values()].map(({ record }) => record.spec.name);
    const vm = random.pick(names) ?? 'none';
    const host = random.pick(world.hosts).id;
    const asked = { actor: 'user', key: random.chance(0.3) ? `key-${Math.floor(random.next() * 5)}` : '', timeMs: OPERATION_MS };
    const acts: Record<string, () => unknown> = {
      create: () =>
        names.length < maxVms &&
        createVm(ctx, { ...asked, spec: spec(`vm-${world.newId().slice(0, 8)}`), datastore: '', host: '', start: random.chance(0.7) }),
      start: () =>
        startVm(ctx, {
          ...asked,
          vm,
          host: random.chance(0.3) ? host : '',
          paused: random.chance(0.1),
          discardSavedState: random.chance(0.2),
        }),
      stop: () => stopVm(ctx, { ...asked, vm, kill: random.chance(0.4), killAfterMs: random.chance(0.5) ? 20_000 : undefined }),
      suspend: () => suspendVm(ctx, { ...asked, vm }),
      resume: () => resumeVm(ctx, { ...asked, vm }),
      pause: () => pauseVm(ctx, { ...asked, vm }),
      migrate: () => migrate(ctx, { ...asked, vm, toHost: random.chance(0.4) ? host : '', settings: {}, dryRun: false, force: false }),
      cancel: () => cancelSomething(ctx, world),
      drain: () =>
        drainHost(ctx, {
          ...asked,
          host,
          dryRun: false,
          otherwise: random.pick(['suspend', 'stop', 'leave']),
          settings: {},
          concurrent: 0,
        }),
      'end maintenance': () => resumeHost(ctx, host, 'user'),
      remove: () => random.chance(0.4) && removeVm(ctx, { ...asked, vm, force: random.chance(0.5) }),
      clone: () =>
        names.length < maxVms &&
        cloneVm(ctx, { ...asked, vm, name: `vm-${world.newId().slice(0, 8)}`, datastore: '', linked: false, start: random.chance(0.5) }),
    };
    const kind = random.pick([
      'create',
      'create',
      'create',
      'start',
      'start',
      'stop',
      'suspend',
      'resume',
      'pause',
      'migrate',
      'migrate',
      'migrate',
      'migrate',
      'cancel',
      'drain',
      'end maintenance',
      'end maintenance',
      'remove',
      'clone',
    ]);
    try {
      acts[kind]();
      world.count(`asked ${kind}`);
      world.tell(`user: ${kind} ${vm} ${host}`);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      world.count(`refused ${error.code}`);
    }
  });
}

/** So many VMs at once; the number that could not be made now: no host is there yet, or none any more. */
export function populate(leader: SimController, count: number, newId: () => string): number {
  for (let left = count; left > 0; left--) {
    const refused = leader.ask((ctx) => {
      try {
        createVm(ctx, {
          actor: 'user',
          key: '',
          timeMs: OPERATION_MS,
          spec: spec(`vm-${newId().slice(0, 8)}`),
          datastore: '',
          host: '',
          start: true,
        });
        return false;
      } catch (error) {
        if (error instanceof Refusal) return true;
        throw error;
      }
    });
    if (refused !== false) return left;
  }
  return 0;
}

function cancelSomething(ctx: Context, world: World): void {
  const moving = [...ctx.state.moving, ...ctx.state.queue];
  const id = world.random.pick([...moving, ...ctx.state.running]);
  if (!id) return;
  if (ctx.state.migrations.has(id)) askCancelMigration(ctx, id, 'the user changed their mind');
  else cancelOperation(ctx, id, 'the user changed their mind');
}

function spec(name: string): VmSpec {
  return {
    vmId: '',
    name,
    memoryBytes: 512 * 2 ** 20,
    vcpus: 1,
    cpuFeatures: ['cmov'],
    disks: [{ file: 'disk0', bus: 'virtio', readOnly: false, sizeBytes: 1e9, format: 'raw' }],
    networks: [],
    labels: {},
    restart: 'always',
    migration: { manualOnly: false },
    reservedMemoryBytes: 0,
    machineVersion: 0,
    priority: 0,
  };
}
