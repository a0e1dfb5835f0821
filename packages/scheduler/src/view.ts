/** What the scheduler's functions read: the index as it is, or with planned moves on top (`Draft`). */
import type { CompatibilityMemory } from './compatibility-memory';
import type { Baseline, HostEntry, Link, MoveEntry, Rule, VmEntry } from './model';
import type { Settings } from './settings';
import type { Usage } from './usage';

/** A rule with those that it binds at present. */
export interface BoundRule {
  readonly rule: Rule;
  readonly vmIds: ReadonlySet<string>;
  /** Of the group, by id or name, as given. */
  readonly hosts: ReadonlySet<string>;
}

export interface View {
  readonly settings: Settings;
  /** Null: none is applied. */
  readonly baseline: Baseline | null;
  readonly memory: CompatibilityMemory;
  /** By name. */
  hosts(): readonly HostEntry[];
  host(id: string): HostEntry | undefined;
  vms(): Iterable<VmEntry>;
  vm(id: string): VmEntry | undefined;
  /** Ids of VMs whose `hostId` it is, in any order. */
  vmsOn(hostId: string): Iterable<string>;
  usage(hostId: string): Readonly<Usage>;
  moves(): Iterable<MoveEntry>;
  moveOf(vmId: string): MoveEntry | undefined;
  /** By name; also of a VM that is not in the index. */
  rulesOf(vm: VmEntry): readonly BoundRule[];
  link(id: string): Link | undefined;
  /** Hosts that see a datastore, and VMs with disks in it. */
  hostsWith(datastoreId: string): ReadonlySet<string>;
  vmsIn(datastoreId: string): ReadonlySet<string>;
}
