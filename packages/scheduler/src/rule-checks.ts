/**
 * Placement rules, looked at for one VM.
 *
 * apart counts a member wherever it may be, at both ends while it moves. together counts where it will be, and only
 * on ready hosts: members that must leave their host bind nobody, the first to arrive binds the others. If members
 * are spread already, a host with the most of them is right: each move then mends the rule.
 */
import type { HostEntry, VmEntry } from './model';
import { compareText } from './text';
import { destination, occupied } from './usage';
import type { BoundRule, View } from './view';

export type RuleCode = 'rule-together' | 'rule-apart' | 'rule-on' | 'rule-off';

export interface RuleCheck {
  readonly code: RuleCode;
  readonly name: string;
  readonly soft: boolean;
  /** Undefined: the host is right. */
  against(host: HostEntry): string | undefined;
}

export function checksOf(view: View, vm: VmEntry, along?: ReadonlySet<string>): RuleCheck[] {
  return view.rulesOf(vm).map((bound) => ({
    code: `rule-${bound.rule.kind}` as const,
    name: bound.rule.name,
    soft: bound.rule.soft,
    against: CHECKS[bound.rule.kind](view, vm, bound, along),
  }));
}

type Check = (view: View, vm: VmEntry, bound: BoundRule, along: ReadonlySet<string> | undefined) => RuleCheck['against'];

const CHECKS: Readonly<Record<BoundRule['rule']['kind'], Check>> = {
  together: (view, vm, bound, along) => {
    const mates = new Mates(view, vm, bound, (mate) => {
      if (along?.has(mate.facts.vmId)) return [];
      const hostId = destination(mate, view.moveOf(mate.facts.vmId));
      return hostId !== null && view.host(hostId)?.state === 'ready' ? [hostId] : [];
    });
    const most = mates.most();
    return (host) =>
      most === 0 || mates.on(host.id) === most
        ? undefined
        : `${vm.facts.name} is to be on one host with ${mates.oneElsewhere(host.id)} (rule ${bound.rule.name})`;
  },
  apart: (view, vm, bound) => {
    const mates = new Mates(view, vm, bound, (mate) => occupied(mate, view.moveOf(mate.facts.vmId)));
    return (host) =>
      mates.on(host.id) === 0
        ? undefined
        : `${vm.facts.name} is to be apart from ${mates.name(host.id)}, which is on ${host.name} (rule ${bound.rule.name})`;
  },
  on:
    (_, vm, { rule, hosts }) =>
    (host) =>
      hosts.has(host.id) || hosts.has(host.name)
        ? undefined
        : `${vm.facts.name} is to be on the hosts of the group ${rule.group}, and ${host.name} is none of them (rule ${rule.name})`,
  off:
    (_, vm, { rule, hosts }) =>
    (host) =>
      hosts.has(host.id) || hosts.has(host.name)
        ? `${vm.facts.name} is not to be on the hosts of the group ${rule.group}, and ${host.name} is one of them (rule ${rule.name})`
        : undefined,
};

/** The other members by the hosts that they count on. */
class Mates {
  private readonly byHost = new Map<string, { number: number; first: string }>();

  constructor(
    private readonly view: View,
    vm: VmEntry,
    { vmIds }: BoundRule,
    placesOf: (mate: VmEntry) => readonly string[],
  ) {
    for (const vmId of vmIds) {
      const mate = vmId === vm.facts.vmId ? undefined : view.vm(vmId);
      if (!mate) continue;
      for (const hostId of placesOf(mate)) {
        const there = this.byHost.get(hostId);
        if (!there) this.byHost.set(hostId, { number: 1, first: mate.facts.name });
        else {
          there.number++;
          if (compareText(mate.facts.name, there.first) < 0) there.first = mate.facts.name;
        }
      }
    }
  }

  on(hostId: string): number {
    return this.byHost.get(hostId)?.number ?? 0;
  }

  most(): number {
    let most = 0;
    for (const { number } of this.byHost.values()) most = Math.max(most, number);
    return most;
  }

  name(hostId: string): string {
    return this.byHost.get(hostId)?.first ?? '';
  }

  /** `db-1, which is on host-a`: of the host with the most. */
  oneElsewhere(hostId: string): string {
    const most = this.most();
    const [best] = [...this.byHost]
      .filter(([id, { number }]) => id !== hostId && number === most)
      .map(([id, { first }]) => ({ first, host: this.view.host(id)?.name ?? id }))
      .sort((a, b) => compareText(a.first, b.first) || compareText(a.host, b.host));
    return best ? `${best.first}, which is on ${best.host}` : '';
  }
}
