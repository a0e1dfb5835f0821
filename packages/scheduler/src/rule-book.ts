/** Which VMs and hosts each rule binds, kept up to date as VMs, rules and groups come and go. */
import type { HostGroup, Rule, VmEntry } from './model';
import { compareText } from './text';
import type { BoundRule } from './view';

interface Bound extends BoundRule {
  readonly vmIds: Set<string>;
  hosts: ReadonlySet<string>;
}

const NO_HOSTS: ReadonlySet<string> = new Set();
const NO_RULES: readonly Bound[] = [];

export class RuleBook {
  private readonly rules = new Map<string, Bound>();
  private readonly groups = new Map<string, ReadonlySet<string>>();
  /** Rules by each id, name or label that they speak of. */
  private readonly byKey = new Map<string, Set<Bound>>();
  private readonly ofVm = new Map<string, readonly Bound[]>();
  /** VMs by name and label; an id is looked up in `vms`. */
  private readonly vmsByKey = new Map<string, Set<string>>();

  constructor(private readonly vms: ReadonlyMap<string, VmEntry>) {}

  putRule(rule: Rule): void {
    this.removeRule(rule.name);
    const bound: Bound = { rule, vmIds: new Set(), hosts: this.groups.get(rule.group) ?? NO_HOSTS };
    this.rules.set(rule.name, bound);
    const keys = keysOfRule(rule);
    for (const key of keys) this.byKey.set(key, (this.byKey.get(key) ?? new Set()).add(bound));
    for (const vmId of this.members(keys)) {
      bound.vmIds.add(vmId);
      this.ofVm.set(vmId, inOrder([...(this.ofVm.get(vmId) ?? NO_RULES), bound]));
    }
  }

  removeRule(name: string): void {
    const bound = this.rules.get(name);
    if (!bound) return;
    this.rules.delete(name);
    for (const key of keysOfRule(bound.rule)) {
      drop(this.byKey, key, bound);
    }
    for (const vmId of bound.vmIds) this.setRules(vmId, this.ofVm.get(vmId)?.filter((other) => other !== bound) ?? NO_RULES);
  }

  putGroup({ name, hosts }: HostGroup): void {
    this.setGroup(name, new Set(hosts));
  }

  removeGroup(name: string): void {
    this.setGroup(name, undefined);
  }

  vmChanged(old: VmEntry | undefined, vm: VmEntry | undefined): void {
    if (old && vm && old.facts.name === vm.facts.name && old.labels === vm.labels) return;
    const vmId = (vm ?? old)!.facts.vmId;
    for (const bound of this.ofVm.get(vmId) ?? NO_RULES) bound.vmIds.delete(vmId);
    if (old) for (const key of namesOfVm(old)) drop(this.vmsByKey, key, vmId);
    if (vm) for (const key of namesOfVm(vm)) this.vmsByKey.set(key, (this.vmsByKey.get(key) ?? new Set()).add(vmId));
    const rules = vm ? this.matching(vm) : NO_RULES;
    for (const bound of rules) bound.vmIds.add(vmId);
    this.setRules(vmId, rules);
  }

  of(vm: VmEntry): readonly BoundRule[] {
    return this.vms.get(vm.facts.vmId) === vm ? (this.ofVm.get(vm.facts.vmId) ?? NO_RULES) : this.matching(vm);
  }

  all(): readonly BoundRule[] {
    return inOrder([...this.rules.values()]);
  }

  private members(keys: ReadonlySet<string>): Set<string> {
    const found = new Set<string>();
    for (const key of keys) {
      if (this.vms.has(key)) found.add(key);
      for (const vmId of this.vmsByKey.get(key) ?? []) found.add(vmId);
    }
    return found;
  }

  private matching(vm: VmEntry): readonly Bound[] {
    if (this.byKey.size === 0) return NO_RULES;
    const found = new Set<Bound>();
    for (const key of [vm.facts.vmId, ...namesOfVm(vm)]) for (const bound of this.byKey.get(key) ?? NO_RULES) found.add(bound);
    return inOrder([...found]);
  }

  private setRules(vmId: string, rules: readonly Bound[]): void {
    if (rules.length > 0) this.ofVm.set(vmId, rules);
    else this.ofVm.delete(vmId);
  }

  private setGroup(name: string, hosts: ReadonlySet<string> | undefined): void {
    if (hosts) this.groups.set(name, hosts);
    else this.groups.delete(name);
    for (const bound of this.rules.values()) if (bound.rule.group === name) bound.hosts = hosts ?? NO_HOSTS;
  }
}

const inOrder = (rules: Bound[]): readonly Bound[] => rules.sort((a, b) => compareText(a.rule.name, b.rule.name));

/** Labels stand under a key of their own, so that none can be taken for a VM's name. */
const keysOfRule = ({ vms, labels }: Rule): Set<string> => new Set([...vms, ...labels.map((label) => `label ${label}`)]);
const namesOfVm = ({ facts, labels }: VmEntry): string[] => {
  const keys = [facts.name];
  for (const [key, value] of Object.entries(labels)) keys.push(`label ${key}`, `label ${key}=${value}`);
  return keys;
};

function drop<T>(map: Map<string, Set<T>>, key: string, value: T): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
