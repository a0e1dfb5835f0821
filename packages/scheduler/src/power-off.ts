/** Whether a host can be switched off, and what would be out of reach meanwhile. */
import { compareText, names } from './text';
import type { View } from './view';

export interface PowerOff {
  readonly safe: boolean;
  /** Why not, one line each. */
  readonly against: readonly string[];
  /** What is out of reach while it is off, one line each: no reason against it. */
  readonly notes: readonly string[];
}

/** Safe: in maintenance, no VM here, none on its way, and no saved state that only this host can reach. */
export function safeToPowerOff(view: View, hostId: string): PowerOff {
  const host = view.host(hostId);
  if (!host) return { safe: false, against: [`there is no host ${hostId}`], notes: [] };
  const name = (vmId: string): string => view.vm(vmId)?.facts.name ?? vmId;
  const list = (vmIds: Iterable<string>): string => names([...vmIds].map(name).sort(compareText));
  const here = [...view.vmsOn(hostId)];
  const moves = [...view.moves()];
  const coming = moves.filter((move) => move.targetId === hostId).map(({ vmId }) => vmId);
  const leaving = moves.filter((move) => move.sourceId === hostId && move.targetId !== hostId).map(({ vmId }) => vmId);
  const against = [
    ...(host.state === 'maintenance' ? [] : [NOT_IN_MAINTENANCE[host.state](host.name)]),
    ...(here.length > 0 ? [`on ${host.name}: ${list(here)}`] : []),
    ...(leaving.length > 0 ? [`not gone from ${host.name} yet: ${list(leaving)}`] : []),
    ...(coming.length > 0 ? [`on the way to ${host.name}: ${list(coming)}`] : []),
  ];
  const notes: string[] = [];
  for (const datastore of [...(host.facts?.datastores ?? [])].sort(compareText)) {
    if (view.hostsWith(datastore).size > 1) continue;
    const vms = [...view.vmsIn(datastore)].map((id) => view.vm(id)!);
    const suspended = vms.filter(({ facts }) => facts.state === 'suspended').map(({ facts }) => facts.vmId);
    const stopped = vms.filter(({ facts }) => facts.state === 'stopped').map(({ facts }) => facts.vmId);
    if (suspended.length > 0)
      against.push(`the saved state of ${list(suspended)} is in the datastore ${datastore}, which only ${host.name} sees`);
    if (stopped.length > 0)
      notes.push(
        `cannot start while ${host.name} is off, since their disks are in the datastore ${datastore}, which only it sees: ${list(stopped)}`,
      );
  }
  return { safe: against.length === 0, against, notes };
}

const NOT_IN_MAINTENANCE = {
  ready: (name: string) => `${name} is not in maintenance: drain it first`,
  draining: (name: string) => `${name} is still being drained`,
  unreachable: (name: string) => `${name} is silent: nobody knows what runs there`,
  dead: (name: string) => `${name} counts as dead, but nobody has seen that it is off`,
} as const;
