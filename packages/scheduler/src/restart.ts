/**
 * After hosts have died: which of their VMs start where, in which order, and what finds no room.
 *
 * Whether a VM still runs is not for the scheduler to say: its lease decides. A VM is given a place at once; it may
 * start there from the moment on at which its lease can be taken over. One whose lease is another host's runs there.
 */
import { Draft } from './draft';
import { MAX_EXPLAINED } from './limits';
import type { HostEntry, VmEntry } from './model';
import { choose, place, type Verdict } from './place';
import { compareText, count, mib, names } from './text';
import { capacityBytes, promisedBytes } from './usage';
import type { View } from './view';

export interface Restart {
  readonly vmId: string;
  readonly vmName: string;
  readonly deadHostId: string;
  readonly targetId: string;
  /**
   * free: released. run-out: nobody renews it. running-out: can be taken at `notBeforeMs`. unseen: nobody has watched
   * it; the start takes it over, and waits for that as long as it must.
   */
  readonly lease: 'free' | 'run-out' | 'running-out' | 'unseen';
  /** On the view's clock; of the past, or 0: at once. */
  readonly notBeforeMs: number;
  readonly line: string;
}

export interface Stranded {
  readonly vmId: string;
  readonly vmName: string;
  /** Every host with its reasons; of the first few only. */
  readonly hosts: readonly Verdict[];
  readonly line: string;
}

export interface RestartPlan {
  /** Higher priorities first. */
  readonly restarts: readonly Restart[];
  readonly stranded: readonly Stranded[];
  /** VMs of the dead hosts that are not restarted, each with the reason. */
  readonly left: readonly { readonly vmId: string; readonly vmName: string; readonly line: string }[];
  /** Null: all found room. */
  readonly shortage: { readonly neededBytes: number; readonly freeBytes: number; readonly line: string } | null;
  readonly line: string;
}

/** Of all hosts that are dead, or only of those. */
export function planRestart(view: View, nowMs: number, hostIds?: readonly string[]): RestartPlan {
  const only = hostIds && new Set(hostIds);
  const dead = view.hosts().filter(({ id, state }) => state === 'dead' && (!only || only.has(id)));
  return planFor(view, dead, (vm) => leaseOf(vm, nowMs));
}

/** What if these hosts died now? `stranded` and `shortage` say what would be lost. Leases are taken to run out. */
export function checkFailover(view: View, hostIds: readonly string[]): RestartPlan {
  const draft = new Draft(view);
  for (const id of hostIds) draft.suppose(id, 'dead');
  const dead = hostIds.flatMap((id) => draft.host(id) ?? []);
  return planFor(draft, dead, () => ({ lease: 'run-out', notBeforeMs: 0 }));
}

type LeaseState = Pick<Restart, 'lease' | 'notBeforeMs'>;

function leaseOf({ lease }: VmEntry, nowMs: number): LeaseState {
  if (lease === null || (lease.hostId !== null && lease.takeableAtMs === null)) return { lease: 'unseen', notBeforeMs: 0 };
  if (lease.hostId === null || lease.takeableAtMs === null) return { lease: 'free', notBeforeMs: 0 };
  return { lease: lease.takeableAtMs <= nowMs ? 'run-out' : 'running-out', notBeforeMs: lease.takeableAtMs };
}

function planFor(view: View, dead: readonly HostEntry[], leaseNow: (vm: VmEntry) => LeaseState): RestartPlan {
  const draft = new Draft(view);
  const restarts: Restart[] = [];
  const stranded: Stranded[] = [];
  const left: RestartPlan['left'][number][] = [];
  let neededBytes = 0;
  const vms = dead.flatMap((host) => [...view.vmsOn(host.id)].map((id) => ({ host, vm: view.vm(id)! })));
  vms.sort((a, b) => byPriority(a.vm, b.vm));
  for (const { host, vm } of vms) {
    const { vmId, name } = vm.facts;
    const why = stays(view, vm);
    if (why) {
      left.push({ vmId, vmName: name, line: why });
      continue;
    }
    const request = { vm, move: 'start', purpose: 'restart' } as const;
    const choice = choose(draft, request);
    if (choice) {
      const lease = leaseNow(vm);
      restarts.push({
        vmId,
        vmName: name,
        deadHostId: host.id,
        targetId: choice.host.id,
        ...lease,
        line: `${name} starts on ${choice.host.name}: ${LEASE_LINES[lease.lease]}`,
      });
      draft.plan(vmId, choice.host.id, 'start');
      continue;
    }
    neededBytes += promisedBytes(vm);
    if (stranded.length < MAX_EXPLAINED) {
      const { hosts, line } = place(draft, request);
      stranded.push({ vmId, vmName: name, hosts, line });
    } else stranded.push({ vmId, vmName: name, hosts: [], line: `no host can take ${name}` });
  }
  return {
    restarts,
    stranded,
    left,
    shortage: stranded.length > 0 ? shortageOf(draft, stranded, neededBytes) : null,
    line: restartLine(dead, restarts, stranded),
  };
}

const LEASE_LINES: Readonly<Record<Restart['lease'], string>> = {
  free: 'its lease is free',
  'run-out': 'its lease has run out',
  'running-out': 'as soon as its lease has run out',
  unseen: 'as soon as its lease can be taken over',
};

/** The larger first among equals: they find room while there is some. */
const byPriority = (a: VmEntry, b: VmEntry): number =>
  b.priority - a.priority ||
  promisedBytes(b) - promisedBytes(a) ||
  compareText(a.facts.name, b.facts.name) ||
  compareText(a.facts.vmId, b.facts.vmId);

function stays(view: View, vm: VmEntry): string | undefined {
  const { name, vmId } = vm.facts;
  const holder = vm.lease?.hostId ?? null;
  const move = view.moveOf(vmId);
  if (holder !== null && holder !== vm.hostId)
    return `${name} is not restarted: its lease is held by ${view.host(holder)?.name ?? holder}, so it runs there`;
  if (move)
    return `${name} is not restarted yet: it was on its way to ${view.host(move.targetId)?.name ?? move.targetId}, and that has not been settled`;
  if (vm.wanted !== 'running' && vm.wanted !== 'paused') return `${name} is not restarted: it is wanted ${vm.wanted}`;
  if (vm.restart === 'never') return `${name} is not restarted: its restart policy is never`;
  return undefined;
}

function shortageOf(view: View, stranded: readonly Stranded[], neededBytes: number): NonNullable<RestartPlan['shortage']> {
  let freeBytes = 0;
  let largest = 0;
  for (const host of view.hosts()) {
    if (host.state !== 'ready') continue;
    const free = Math.max(0, capacityBytes(host, view.settings) - view.usage(host.id).promisedBytes);
    freeBytes += free;
    largest = Math.max(largest, free);
  }
  const who = `${names(stranded.map(({ vmName }) => vmName))} ${stranded.length === 1 ? 'needs' : 'need'}`;
  const line =
    neededBytes > freeBytes
      ? `${who} ${mib(neededBytes)} of memory and ${mib(freeBytes)} is left: ${mib(neededBytes - freeBytes)} is missing`
      : `${who} ${mib(neededBytes)} of memory; ${mib(freeBytes)} is left, at most ${mib(largest)} on one host, but not where these VMs can run`;
  return { neededBytes, freeBytes, line };
}

function restartLine(dead: readonly HostEntry[], restarts: readonly Restart[], stranded: readonly Stranded[]): string {
  if (dead.length === 0) return 'no host is dead';
  const later = restarts.filter(({ lease }) => lease === 'running-out');
  const wait = later.length > 0 ? `, ${later.length} of them once their leases have run out` : '';
  const none = stranded.length > 0 ? `; ${count(stranded.length, 'VM')} found no host` : '';
  return `${names(dead.map(({ name }) => name))}: ${count(restarts.length, 'VM')} to be started elsewhere${wait}${none}`;
}
