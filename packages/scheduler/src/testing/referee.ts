/** Judges placements without the scheduler's own means: everything is added up anew from the entries. */
import type { Snapshot } from '../cluster-index';
import type { MoveEntry, VmEntry } from '../model';
import { DEFAULT_SETTINGS } from '../settings';

interface Placed {
  readonly vmId: string;
  readonly targetId: string;
}

/** What is wrong with these moves if they all begin at once, on top of those under way; none: nothing. */
export function judge(snapshot: Snapshot, placed: readonly Placed[]): string[] {
  const { settings = DEFAULT_SETTINGS, rules = [], groups = [] } = snapshot;
  const vms = [...snapshot.vms];
  const hosts = [...snapshot.hosts];
  const under = new Map<string, MoveEntry>([...(snapshot.moves ?? [])].map((move) => [move.vmId, move]));
  const planned = new Map(placed.map(({ vmId, targetId }) => [vmId, targetId]));
  const endOf = (vm: VmEntry): string | null => planned.get(vm.facts.vmId) ?? under.get(vm.facts.vmId)?.targetId ?? vm.hostId;
  const onOf = (vm: VmEntry): Set<string> => new Set([vm.hostId, endOf(vm)].filter((id) => id !== null));
  const wrong: string[] = [];
  for (const targetId of new Set(planned.values())) {
    const host = hosts.find(({ id }) => id === targetId);
    if (host?.state !== 'ready' || !host.facts) {
      wrong.push(`${targetId} is not ready`);
      continue;
    }
    const there = vms.filter((vm) => onOf(vm).has(targetId));
    const sum = (of: (vm: VmEntry) => number): number => there.reduce((total, vm) => total + of(vm), 0);
    const reserved = (vm: VmEntry): number => Math.min(vm.facts.memoryBytes, vm.reservedMemoryBytes || vm.facts.memoryBytes);
    if (sum(reserved) > host.memoryBytes - settings.hostReserveBytes) wrong.push(`${host.name} promises more memory than it has`);
    if (sum((vm) => vm.facts.memoryBytes) > (host.memoryBytes - settings.hostReserveBytes) * settings.overcommit.memory)
      wrong.push(`${host.name}: memory overcommit`);
    if (sum((vm) => vm.facts.vcpus) > Math.floor(host.facts.cpus * settings.overcommit.cpu)) wrong.push(`${host.name}: vCPU overcommit`);
    // A host that promised too much before is no fault of a VM that is promised nothing.
    const asks = there.some((vm) => planned.get(vm.facts.vmId) === targetId && vm.reservedCpus > 0);
    if (asks && sum((vm) => vm.reservedCpus) > host.facts.cpus) wrong.push(`${host.name} promises more CPUs than it has`);
    const arriving = there.filter((vm) => vm.hostId !== targetId);
    if (arriving.reduce((total, vm) => total + reserved(vm), 0) > host.facts.freeMemoryBytes)
      wrong.push(`${host.name} has measured less free memory`);
  }
  for (const rule of rules) {
    if (rule.soft) continue;
    const bound = vms.filter(
      ({ facts, labels }) =>
        rule.vms.includes(facts.vmId) ||
        rule.vms.includes(facts.name) ||
        rule.labels.some((label) => Object.entries(labels).some(([key, value]) => label === key || label === `${key}=${value}`)),
    );
    const group = [...groups].find(({ name }) => name === rule.group)?.hosts ?? [];
    for (const vm of bound) {
      const targetId = planned.get(vm.facts.vmId);
      if (targetId === undefined) continue;
      const host = hosts.find(({ id }) => id === targetId)!;
      const inGroup = group.includes(host.id) || group.includes(host.name);
      const others = bound.filter((other) => other !== vm);
      if (rule.kind === 'on' && !inGroup) wrong.push(`${vm.facts.name} is outside its group`);
      if (rule.kind === 'off' && inGroup) wrong.push(`${vm.facts.name} is in a group that it should avoid`);
      if (rule.kind === 'apart' && others.some((other) => onOf(other).has(targetId))) wrong.push(`${vm.facts.name} is not apart`);
      if (rule.kind === 'together') {
        const ends = others.map(endOf).filter((id) => hosts.find((host) => host.id === id)?.state === 'ready');
        const there = ends.filter((id) => id === targetId).length;
        if (ends.some((id) => ends.filter((other) => other === id).length > there)) wrong.push(`${vm.facts.name} is not with its mates`);
      }
    }
  }
  return wrong;
}
