/** `godwit vmm`: puts one VM of a datastore together, serves its control socket, ends with the VM. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { loadNative } from '@godwit/metal';
import { Datastore, LeaseHolder, type VmDirectory } from '@godwit/storage';
import { Vm, type VmSpec } from '../vm';
import { WireError } from '@godwit/wire';
import { allowedFeatures } from './facts';
import { openLink } from './link';
import { type OpenNics, openNics, type Plan, readPlan, specOf } from './plan';
import { resumeFrom, suspendedFeatures, suspendTo } from './state-store';
import { serveVmm } from './vmm-service';
import type { VmmConfig } from './vmm-config';
import { type ProcessEnd, VmmProcess } from './vmm-process';

/** Runs until the VM has ended or moved away; how it went. @throws Error, one line, when it could not begin */
export async function runVmm(config: VmmConfig, log: (line: string, fields?: Readonly<Record<string, unknown>>) => void): Promise<ProcessEnd> {
  const native = loadNative();
  const early = { clockSample: { tsc: native.hostTsc(), ns: native.monotonicNs() }, processStartMs: performance.timeOrigin };
  const store = await Datastore.open(config.vm.datastore);
  const closers: (() => void | Promise<void>)[] = [() => store.close()];
  try {
    const directory = await store.vm(config.vm.name);
    const plan = await readPlan(directory);
    const holder = new LeaseHolder(await directory.leasePlace(), { hostId: config.hostId, hostName: config.hostName, vmmId: config.vmmId });
    const allowed = allowedFeatures(config.features);
    const process = new VmmProcess({
      vm: { vmId: plan.config.vmId, name: plan.config.name, datastores: [store.id], networks: [...new Set(plan.config.networks.map(({ network }) => network))] },
      host: { hostId: config.hostId, hostName: config.hostName, features: allowed, datastores: [store.id], networks: Object.keys(config.networks) },
      vmmId: config.vmmId,
      holder,
      openLink: (vmm) => openLink({ listen: config.listen ?? { host: '127.0.0.1', port: 0 }, tls: config.tls, incoming: () => vmm.waiting, log }),
      suspend: (vm) => suspendTo(directory, vm),
      log,
    });
    const service = await serveVmm(process, config.control);
    closers.unshift(() => service.close());
    const networks = openNics(plan.config, config.networks);
    closers.unshift(() => networks.close());
    const spec = (features: readonly string[]): VmSpec => specOf(plan, { where: store.where, disks: directory.path('disks'), features, nics: networks.nics, lease: holder.deadline.shared, early });
    await begin[config.mode]({ config, process, directory, plan, holder, allowed, spec, networks });
    const end = await process.ended;
    writeFileSync(path.join(path.dirname(config.control), 'ended.json'), JSON.stringify({ ...end, stats: undefined, vmmId: config.vmmId, endedAtMs: Date.now(), leaseLosses: holder.counters().lease_losses, migrations: kept(process) }));
    return end;
  } finally {
    for (const close of closers) await close();
  }
}

interface Beginning {
  readonly config: VmmConfig;
  readonly process: VmmProcess;
  readonly directory: VmDirectory;
  readonly plan: Plan;
  readonly holder: LeaseHolder;
  /** What VMs may have here. */
  readonly allowed: readonly string[];
  readonly spec: (features: readonly string[]) => VmSpec;
  readonly networks: OpenNics;
}

const begin: Readonly<Record<VmmConfig['mode'], (beginning: Beginning) => Promise<void>>> = {
  start: async ({ config, process, plan, holder, allowed, spec }) => {
    const features = plan.settings.features ?? allowed;
    checkFeatures(plan.config.name, features, allowed, 'it can be started where they are, or with another CPU type');
    await holder.acquire();
    const vm = new Vm(spec(features));
    process.adopt(vm);
    if (config.startPaused) vm.pause('operator');
    await vm.start();
  },
  resume: async ({ config, process, directory, plan, holder, allowed, spec }) => {
    const features = await suspendedFeatures(directory);
    checkFeatures(plan.config.name, features, allowed, 'a suspended VM goes on only where they are; it can be started anew here, without its state');
    await holder.acquire();
    const vm = new Vm({ ...spec(features), waitForState: true });
    process.adopt(vm);
    if (config.startPaused) vm.pause('operator');
    try {
      await vm.start();
      await resumeFrom(directory, vm);
    } catch (error) {
      vm.stop();
      await vm.ended.catch(() => {});
      throw error;
    }
  },
  incoming: async ({ config, process, plan, allowed, spec }) => {
    process.wait(spec);
    const features = plan.settings.features ?? config.expects?.features;
    if (features) {
      checkFeatures(plan.config.name, features, allowed, 'it can move only where they are');
      await process.waiting.prepare(features);
    }
    await process.openLink();
    if (config.waitSeconds > 0) setTimeout(() => process.giveUpWaiting(`no migration began within ${config.waitSeconds} s`), config.waitSeconds * 1000).unref();
  },
};

function checkFeatures(name: string, wanted: readonly string[], allowed: readonly string[], instead: string): void {
  const missing = wanted.filter((feature) => !allowed.includes(feature));
  if (missing.length > 0) throw new WireError('precondition', `VM ${name} needs CPU features that it cannot have on this host: ${missing.join(', ')}: ${instead}`);
}

function kept(process: VmmProcess): unknown[] {
  try {
    return process.migrations.records;
  } catch {
    return [];
  }
}
