/**
 * What VMs take of a host, added up. Whole numbers only (bytes, thousandths of a CPU), so that the sum
 * is the same in whatever order VMs came and went.
 *
 * Capacity counts wherever a VM may be: while it moves, at both ends. Load counts where it will be.
 */
import type { HostEntry, MoveEntry, VmEntry } from './model';
import type { Settings } from './settings';

export interface Usage {
  /** VMs here or on their way here, and what they are promised and may use at most. */
  vms: number;
  promisedBytes: number;
  fullBytes: number;
  vcpus: number;
  reservedMilliCpus: number;
  /** Promised to those on their way here: the host's own measurement may not show them yet. */
  arrivingBytes: number;
  /** CPU used by those that run here now: part of what the host measures. */
  residentMilliCpus: number;
  /** Of those that will be here once all moves have ended. */
  loadBytes: number;
  loadMilliCpus: number;
  /** Of those, what must be restarted elsewhere if the host dies. */
  restartBytes: number;
  movesIn: number;
  movesOut: number;
}

export const emptyUsage = (): Usage => ({
  vms: 0,
  promisedBytes: 0,
  fullBytes: 0,
  vcpus: 0,
  reservedMilliCpus: 0,
  arrivingBytes: 0,
  residentMilliCpus: 0,
  loadBytes: 0,
  loadMilliCpus: 0,
  restartBytes: 0,
  movesIn: 0,
  movesOut: 0,
});

export const promisedBytes = (vm: VmEntry): number => Math.min(vm.facts.memoryBytes, vm.reservedMemoryBytes || vm.facts.memoryBytes);
export const milliCpus = (cpus: number): number => Math.round(cpus * 1000);

/** Hosts that a VM takes memory of: where it is and where it goes. */
export function occupied(vm: VmEntry, move: MoveEntry | undefined): readonly string[] {
  const { hostId } = vm;
  const target = move?.targetId;
  if (hostId === null) return target === undefined ? [] : [target];
  return target === undefined || target === hostId ? [hostId] : [hostId, target];
}

/** Where a VM will be once its move has ended. */
export const destination = (vm: VmEntry, move: MoveEntry | undefined): string | null => move?.targetId ?? vm.hostId;

/** Adds a VM and its move to the usage of the hosts that they touch, or with sign -1 takes them away. */
export function count(vm: VmEntry, move: MoveEntry | undefined, sign: 1 | -1, usageOf: (hostId: string) => Usage): void {
  const promised = promisedBytes(vm);
  const milli = milliCpus(vm.cpuUsed);
  for (const hostId of occupied(vm, move)) {
    const usage = usageOf(hostId);
    usage.vms += sign;
    usage.promisedBytes += sign * promised;
    usage.fullBytes += sign * vm.facts.memoryBytes;
    usage.vcpus += sign * vm.facts.vcpus;
    usage.reservedMilliCpus += sign * milliCpus(vm.reservedCpus);
    const isHere = hostId === vm.hostId;
    if (isHere && vm.cpuMeasured) usage.residentMilliCpus += sign * milli;
    if (!isHere) usage.arrivingBytes += sign * promised;
  }
  const end = destination(vm, move);
  if (end !== null) {
    const usage = usageOf(end);
    usage.loadBytes += sign * promised;
    usage.loadMilliCpus += sign * milli;
    if (vm.restart === 'always') usage.restartBytes += sign * promised;
  }
  if (move && move.sourceId !== null && move.sourceId !== move.targetId) {
    usageOf(move.targetId).movesIn += sign;
    usageOf(move.sourceId).movesOut += sign;
  }
}

/** What a host may promise to VMs. */
export const capacityBytes = (host: HostEntry, { hostReserveBytes }: Settings): number => Math.max(0, host.memoryBytes - hostReserveBytes);

export const capacityMilliCpus = (host: HostEntry): number => (host.facts?.cpus ?? 0) * 1000;

/** CPU use that is to be expected: what the host measures beside its VMs stays, its VMs count where they will be. */
export function expectedMilliCpus(host: HostEntry, usage: Readonly<Usage>): number {
  const measured = Math.round((host.load?.cpuUsed ?? 0) * capacityMilliCpus(host));
  return Math.max(0, measured - usage.residentMilliCpus) + usage.loadMilliCpus;
}
