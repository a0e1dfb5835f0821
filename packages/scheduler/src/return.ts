/** Bringing VMs back to a host after its maintenance. */
import { Draft } from './draft';
import { place } from './place';
import { compareText } from './text';
import type { View } from './view';

export interface ReturnPlan {
  readonly moves: readonly { readonly vmId: string; readonly vmName: string; readonly sourceId: string; readonly line: string }[];
  /** VMs that stay where they are, each with the reason. */
  readonly stay: readonly { readonly vmId: string; readonly vmName: string; readonly line: string }[];
}

/** `vmIds`: those that a drain took away. Higher priorities first. */
export function planReturn(view: View, hostId: string, vmIds: readonly string[]): ReturnPlan {
  const draft = new Draft(view);
  const moves: ReturnPlan['moves'][number][] = [];
  const stay: ReturnPlan['stay'][number][] = [];
  const vms = [...new Set(vmIds)].flatMap((id) => view.vm(id) ?? []);
  vms.sort((a, b) => b.priority - a.priority || compareText(a.facts.name, b.facts.name) || compareText(a.facts.vmId, b.facts.vmId));
  for (const vm of vms) {
    const { vmId, name, state } = vm.facts;
    if (vm.hostId === null || (state !== 'running' && state !== 'paused')) {
      stay.push({ vmId, vmName: name, line: `${name} does not run now` });
      continue;
    }
    if (vm.hostId === hostId) continue;
    const { hostId: target, line } = place(draft, { vm, move: 'live', hostId, purpose: 'drain' });
    if (target === null || vm.manualOnly) {
      stay.push({ vmId, vmName: name, line: target === null ? line : `${name} may be moved by hand only` });
      continue;
    }
    moves.push({ vmId, vmName: name, sourceId: vm.hostId, line });
    draft.plan(vmId, hostId, 'live');
  }
  return { moves, stay };
}
