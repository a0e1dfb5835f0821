/**
 * The snapshot, kept up to date event by event.
 *
 * Rules for whoever keeps it:
 * - Entries are values: replace an entry (`putHost`, `putVm`, …), never change one that was put.
 * - Each call costs what it touches: a VM its own hosts and rules, a host its datastores, a rule its members. Order of
 *   calls does not matter: the same entries give the same index, whatever came between.
 * - A VM may name a host, a move a VM, and a rule a group that is not there yet.
 * - The planning functions (place, planDrain, …) only read it. Between two calls of those, change it as you like.
 */
import { CompatibilityMemory } from './compatibility-memory';
import type { Baseline, HostEntry, HostGroup, Link, MoveEntry, Rule, VmEntry } from './model';
import { RuleBook } from './rule-book';
import { DEFAULT_SETTINGS, type Settings } from './settings';
import { compareText } from './text';
import { count, emptyUsage, type Usage } from './usage';
import type { BoundRule, View } from './view';

/** Everything at once; what is left out is empty, or as by default. */
export interface Snapshot {
  readonly hosts: Iterable<HostEntry>;
  readonly vms: Iterable<VmEntry>;
  readonly moves?: Iterable<MoveEntry>;
  readonly rules?: Iterable<Rule>;
  readonly groups?: Iterable<HostGroup>;
  readonly links?: Iterable<Link>;
  readonly baseline?: Baseline | null;
  readonly settings?: Settings;
}

const NOTHING: ReadonlySet<string> = new Set();
const UNUSED: Readonly<Usage> = Object.freeze(emptyUsage());

export class ClusterIndex implements View {
  settings: Settings = DEFAULT_SETTINGS;
  baseline: Baseline | null = null;
  readonly memory = new CompatibilityMemory();
  private readonly hostsById = new Map<string, HostEntry>();
  private readonly vmsById = new Map<string, VmEntry>();
  private readonly movesByVm = new Map<string, MoveEntry>();
  private readonly vmByMove = new Map<string, string>();
  private readonly links = new Map<string, Link>();
  private readonly rules = new RuleBook(this.vmsById);
  private readonly usages = new Map<string, Usage>();
  private readonly residents = new Map<string, Set<string>>();
  private readonly datastoreHosts = new Map<string, Set<string>>();
  private readonly datastoreVms = new Map<string, Set<string>>();
  /** Ids by name, and their entries. */
  private order: readonly string[] | undefined;
  private byName: readonly HostEntry[] | undefined;

  static of(snapshot: Snapshot): ClusterIndex {
    const index = new ClusterIndex();
    for (const host of snapshot.hosts) index.putHost(host);
    for (const vm of snapshot.vms) index.putVm(vm);
    for (const move of snapshot.moves ?? []) index.putMove(move);
    for (const group of snapshot.groups ?? []) index.putGroup(group);
    for (const rule of snapshot.rules ?? []) index.putRule(rule);
    for (const link of snapshot.links ?? []) index.putLink(link);
    index.baseline = snapshot.baseline ?? null;
    index.settings = snapshot.settings ?? DEFAULT_SETTINGS;
    return index;
  }

  putHost(host: HostEntry): void {
    const old = this.hostsById.get(host.id);
    if (old?.facts !== host.facts) {
      for (const id of old?.facts?.datastores ?? []) drop(this.datastoreHosts, id, host.id);
      for (const id of host.facts?.datastores ?? []) add(this.datastoreHosts, id, host.id);
    }
    this.hostsById.set(host.id, host);
    this.byName = undefined;
    if (old?.name !== host.name) this.order = undefined;
  }

  /** VMs that name it stay as they are. */
  removeHost(id: string): void {
    for (const store of this.hostsById.get(id)?.facts?.datastores ?? []) drop(this.datastoreHosts, store, id);
    this.hostsById.delete(id);
    this.order = this.byName = undefined;
  }

  putVm(vm: VmEntry): void {
    const { vmId } = vm.facts;
    const old = this.vmsById.get(vmId);
    const move = this.movesByVm.get(vmId);
    if (old) count(old, move, -1, this.usageFor);
    count(vm, move, 1, this.usageFor);
    if (old?.hostId !== vm.hostId) {
      if (old && old.hostId !== null) drop(this.residents, old.hostId, vmId);
      if (vm.hostId !== null) add(this.residents, vm.hostId, vmId);
    }
    if (old?.facts !== vm.facts) {
      for (const id of old?.facts.datastores ?? []) drop(this.datastoreVms, id, vmId);
      for (const id of vm.facts.datastores) add(this.datastoreVms, id, vmId);
    }
    this.vmsById.set(vmId, vm);
    this.rules.vmChanged(old, vm);
  }

  /** Its move goes with it. */
  removeVm(vmId: string): void {
    const vm = this.vmsById.get(vmId);
    const move = this.movesByVm.get(vmId);
    if (move) this.removeMove(move.id);
    if (!vm) return;
    count(vm, undefined, -1, this.usageFor);
    if (vm.hostId !== null) drop(this.residents, vm.hostId, vmId);
    for (const id of vm.facts.datastores) drop(this.datastoreVms, id, vmId);
    this.vmsById.delete(vmId);
    this.rules.vmChanged(vm, undefined);
  }

  /** Takes the place of any other move of that VM. */
  putMove(move: MoveEntry): void {
    const old = this.vmByMove.get(move.id);
    if (old !== undefined) this.setMove(old, undefined);
    this.setMove(move.vmId, move);
  }

  removeMove(id: string): void {
    const vmId = this.vmByMove.get(id);
    if (vmId !== undefined) this.setMove(vmId, undefined);
  }

  putRule(rule: Rule): void {
    this.rules.putRule(rule);
  }
  removeRule(name: string): void {
    this.rules.removeRule(name);
  }
  putGroup(group: HostGroup): void {
    this.rules.putGroup(group);
  }
  removeGroup(name: string): void {
    this.rules.removeGroup(name);
  }
  putLink(link: Link): void {
    this.links.set(link.id, link);
  }
  removeLink(id: string): void {
    this.links.delete(id);
  }

  hosts(): readonly HostEntry[] {
    this.order ??= [...this.hostsById.values()].sort((a, b) => compareText(a.name, b.name) || compareText(a.id, b.id)).map(({ id }) => id);
    return (this.byName ??= this.order.map((id) => this.hostsById.get(id)!));
  }
  host(id: string): HostEntry | undefined {
    return this.hostsById.get(id);
  }
  vms(): Iterable<VmEntry> {
    return this.vmsById.values();
  }
  vm(id: string): VmEntry | undefined {
    return this.vmsById.get(id);
  }
  vmsOn(hostId: string): Iterable<string> {
    return this.residents.get(hostId) ?? NOTHING;
  }
  usage(hostId: string): Readonly<Usage> {
    return this.usages.get(hostId) ?? UNUSED;
  }
  moves(): Iterable<MoveEntry> {
    return this.movesByVm.values();
  }
  moveOf(vmId: string): MoveEntry | undefined {
    return this.movesByVm.get(vmId);
  }
  rulesOf(vm: VmEntry): readonly BoundRule[] {
    return this.rules.of(vm);
  }
  /** All rules, by name. */
  allRules(): readonly BoundRule[] {
    return this.rules.all();
  }
  link(id: string): Link | undefined {
    return this.links.get(id);
  }
  hostsWith(datastoreId: string): ReadonlySet<string> {
    return this.datastoreHosts.get(datastoreId) ?? NOTHING;
  }
  vmsIn(datastoreId: string): ReadonlySet<string> {
    return this.datastoreVms.get(datastoreId) ?? NOTHING;
  }

  private setMove(vmId: string, move: MoveEntry | undefined): void {
    const vm = this.vmsById.get(vmId);
    const old = this.movesByVm.get(vmId);
    if (vm) {
      count(vm, old, -1, this.usageFor);
      count(vm, move, 1, this.usageFor);
    }
    if (old) this.vmByMove.delete(old.id);
    if (move) {
      this.movesByVm.set(vmId, move);
      this.vmByMove.set(move.id, vmId);
    } else {
      this.movesByVm.delete(vmId);
    }
  }

  private readonly usageFor = (hostId: string): Usage => {
    let usage = this.usages.get(hostId);
    if (!usage) this.usages.set(hostId, (usage = emptyUsage()));
    return usage;
  };
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  if (set) set.add(value);
  else map.set(key, new Set([value]));
}

function drop(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
