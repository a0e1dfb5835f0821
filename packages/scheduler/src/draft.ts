/**
 * A view with planned moves and supposed host states on top of another: what each step of a plan is chosen by. The view below stays as it is.
 *
 * A planned move takes memory at both ends, as one under way does: nothing that a plan does relies on another of
 * its steps having ended, so its steps may run in any order, at once, or only in part.
 */
import type { HostEntry, HostState, MoveEntry, MoveKind, VmEntry } from './model';
import { count, type Usage } from './usage';
import type { BoundRule, View } from './view';

export class Draft implements View {
  private readonly changedUsage = new Map<string, Usage>();
  private readonly planned = new Map<string, MoveEntry>();
  private readonly supposed = new Map<string, HostEntry>();
  private allHosts: readonly HostEntry[] | undefined;

  constructor(private readonly below: View) {}

  /** @throws RangeError if the VM is not known or already moves. */
  plan(vmId: string, targetId: string, kind: MoveKind): void {
    const vm = this.vm(vmId);
    if (!vm || this.moveOf(vmId)) throw new RangeError(`${vmId} cannot be planned`);
    const move: MoveEntry = { id: `planned ${vmId}`, vmId, kind, sourceId: vm.hostId, targetId, owner: '', bytesPerSecond: null };
    count(vm, undefined, -1, this.changing);
    count(vm, move, 1, this.changing);
    this.planned.set(vmId, move);
  }

  /** What if the host were in that state? Unknown hosts are passed over. */
  suppose(hostId: string, state: HostState): void {
    const host = this.host(hostId);
    if (host) this.supposed.set(hostId, { ...host, state });
    this.allHosts = undefined;
  }

  private readonly changing = (hostId: string): Usage => {
    let usage = this.changedUsage.get(hostId);
    if (!usage) this.changedUsage.set(hostId, (usage = { ...this.below.usage(hostId) }));
    return usage;
  };

  usage(hostId: string): Readonly<Usage> {
    return this.changedUsage.get(hostId) ?? this.below.usage(hostId);
  }

  moveOf(vmId: string): MoveEntry | undefined {
    return this.planned.get(vmId) ?? this.below.moveOf(vmId);
  }

  *moves(): Iterable<MoveEntry> {
    yield* this.below.moves();
    yield* this.planned.values();
  }

  get settings() {
    return this.below.settings;
  }
  get baseline() {
    return this.below.baseline;
  }
  get memory() {
    return this.below.memory;
  }
  hosts(): readonly HostEntry[] {
    if (this.supposed.size === 0) return this.below.hosts();
    return (this.allHosts ??= this.below.hosts().map((host) => this.supposed.get(host.id) ?? host));
  }
  host(id: string) {
    return this.supposed.get(id) ?? this.below.host(id);
  }
  vms() {
    return this.below.vms();
  }
  vm(id: string) {
    return this.below.vm(id);
  }
  vmsOn(hostId: string) {
    return this.below.vmsOn(hostId);
  }
  rulesOf(vm: VmEntry): readonly BoundRule[] {
    return this.below.rulesOf(vm);
  }
  link(id: string) {
    return this.below.link(id);
  }
  hostsWith(datastoreId: string) {
    return this.below.hostsWith(datastoreId);
  }
  vmsIn(datastoreId: string) {
    return this.below.vmsIn(datastoreId);
  }
}
