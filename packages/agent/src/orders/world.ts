/** What orders are done with. */
import type { CpuFacts } from '@godwit/migration';
import type { AgentConfig } from '../config';
import { OrderError, refusal } from '../errors';
import { VMM_END_MS } from '../limits';
import type { HostFactsReader } from '../facts/host-facts';
import type { Networks } from '../networks/networks';
import type { Consoles } from '../session/consoles';
import type { HostState } from '../state/host-state';
import type { Datastores } from '../storage/datastores';
import type { Holder } from '../storage/protocol';
import type { Supervisor, VmmPlan } from '../vmms/supervisor';
import type { Vmm } from '../vmms/vmm';
import type { VmPlace, VmSpec } from '../messages';
import type { MigrationBook } from './migration-book';

export interface World {
  readonly config: AgentConfig;
  readonly cpu: CpuFacts;
  readonly state: HostState;
  readonly supervisor: Supervisor;
  readonly datastores: Datastores;
  readonly networks: Networks;
  readonly facts: HostFactsReader;
  readonly book: MigrationBook;
  readonly consoles: Consoles;
  /** This host's folder of certificates; undefined: VMs move on the loopback address only. */
  readonly tls: string | undefined;
  /** While this agent changes a VM's folder. */
  readonly holder: () => Holder;
}

/** @throws OrderError naming the host */
export function runnerOf({ supervisor, config }: World, vmId: string): Vmm {
  const vmm = supervisor.runnerOf(vmId);
  if (!vmm) throw refusal('not-here', `the VM is not on ${config.name}`);
  return vmm;
}

/** A VM that has just left and is to come back waits for its old process to end. @throws OrderError when that takes too long */
export async function untilLeft({ supervisor, config }: World, vmId: string, name: string, signal: AbortSignal): Promise<void> {
  const enough = AbortSignal.timeout(VMM_END_MS);
  await supervisor.leftBy(vmId, AbortSignal.any([signal, enough])).catch((error) => {
    if (enough.aborted)
      throw refusal('busy', `the process on ${config.name} that VM ${name} has left does not end: is its storage hanging?`);
    throw error;
  });
}

/** Whether this host could hold it. @throws OrderError */
export function checkFits({ config, cpu, facts, networks }: World, spec: VmSpec): void {
  const missing = spec.cpuFeatures.filter((feature) => !cpu.features.includes(feature));
  if (missing.length > 0)
    throw refusal('cpu', `VM ${spec.name} needs CPU features that ${config.name} does not give: ${missing.join(', ')}`);
  const network = networks.missing(spec.networks.map((one) => one.network));
  if (network !== undefined) throw refusal('no-network', `VM ${spec.name} cannot be on ${config.name}: ${network}`);
  const needed = spec.reservedMemoryBytes || spec.memoryBytes;
  const free = facts.freeMemoryBytes;
  if (needed > free) throw refusal('no-memory', `VM ${spec.name} needs ${mib(needed)} MiB of memory, ${config.name} has ${mib(free)} free`);
}

const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);

/** @param features what VMs may have; @throws OrderError when the datastore is not here */
export function planFor(world: World, place: VmPlace, mode: VmmPlan['mode'], more: Partial<VmmPlan> = {}): VmmPlan {
  const { where } = world.datastores.ref(place);
  return {
    vm: { datastore: where, name: place.folder },
    mode,
    listen: { host: world.config.migration.host, port: 0 },
    tls: world.tls,
    networks: world.networks.forVmms,
    features: [...world.cpu.features],
    waitSeconds: 0,
    ...more,
  };
}

/** Why a VMM ended before it was where it was to be. */
export function endedEarly({ config }: World, vmm: Vmm): OrderError {
  const code = CAUSES.find(([pattern]) => pattern.test(vmm.causeCode))?.[1] ?? 'host';
  return new OrderError(code, `VM ${vmm.about.name} was not started on ${config.name}: ${vmm.status.line}`);
}

/** By the code of what the process ended with (its log). */
const CAUSES: readonly (readonly [RegExp, OrderError['code']])[] = [
  [/^ELEASE$/, 'lease-held'],
  [/^GODWIT_NETWORK$/, 'no-network'],
  [/^GODWIT_METAL$/, 'cpu'],
  [/^GODWIT_IMAGE$/, 'image'],
  [/^E[A-Z]+$/, 'storage'],
  [/^precondition$/, 'wrong-state'],
];
