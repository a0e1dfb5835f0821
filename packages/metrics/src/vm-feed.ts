/**
 * From what VMs' processes push to series. Counters of a process begin at 0; a VM's series outlive it and never go back:
 * what each process counted is added up. Another process of the VM, or a counter that is lower than before, is a new
 * beginning for all of its counters.
 */
import type { CATALOGUE } from './catalogue';
import { PAUSE_REASONS } from './catalogue/values';
import { counterMap, deviceOf, type HistogramTarget, type Target } from './counter-map';
import type { LabelValues, Metrics } from './handles';
import type { ProcessUsage } from './process-readings';
import type { Registry } from './registry';

export interface VmKey {
  readonly vmId: string;
  readonly name: string;
  /** Of the process that has it now. */
  readonly vmmId: string;
}

/** What a VmmStatus says, as far as metrics tell it. */
export interface VmReading {
  readonly running: boolean;
  readonly pauses: readonly string[];
  readonly silent: boolean;
  readonly memoryBytes: number;
  readonly vcpus: number;
  readonly leaseEpoch: number;
}

type VmLabels = { readonly vm: string; readonly vm_id: string };
type PauseReason = LabelValues<(typeof CATALOGUE)['godwit_vm_paused']['labels']>['reason'];

interface Known {
  readonly labels: VmLabels;
  vmmId: string;
  /** As last pushed, and added up over all processes; by the source's name. */
  last: Map<string, number>;
  cpu: Map<string, number>;
  readonly totals: Map<string, number>;
  readonly pausedSince: Map<PauseReason, number>;
}

export const vmLabels = ({ name, vmId }: VmKey): VmLabels => ({ vm: name, vm_id: vmId });

export class VmFeed {
  private readonly metrics: Metrics<'agent'>;
  private readonly map = counterMap();
  private readonly vms = new Map<string, Known>();

  constructor(private readonly registry: Registry<'agent'>) {
    this.metrics = registry.metrics;
  }

  /** VmmStats.counters; unknown names are ignored, and what is no number. */
  counters(key: VmKey, counters: Readonly<Record<string, number>>, nowMs: number): void {
    const vm = this.known(key);
    const given = Object.entries(counters).filter(([name, value]) => this.map.knows(name) && Number.isFinite(value) && value >= 0);
    if (given.some(([name, value]) => this.map.counts(name) && value < (vm.last.get(name) ?? 0))) vm.last = new Map();
    for (const [name, value] of given)
      if (this.map.counts(name)) vm.totals.set(name, (vm.totals.get(name) ?? 0) + value - (vm.last.get(name) ?? 0));
    this.histograms(vm, given);
    vm.last = new Map([...vm.last, ...given]);
    for (const [name, value] of given) this.publish(vm, name, value);
    this.metrics.vmCountersTimestampSeconds.set(vm.labels, nowMs / 1e3);
  }

  status(key: VmKey, reading: VmReading, nowMs: number): void {
    const vm = this.known(key);
    const { labels } = vm;
    const { metrics } = this;
    metrics.vmRunning.set(labels, reading.running ? 1 : 0);
    metrics.vmSilent.set(labels, reading.silent ? 1 : 0);
    metrics.vmMemoryBytes.set(labels, reading.memoryBytes || undefined);
    metrics.vmVcpus.set(labels, reading.vcpus || undefined);
    metrics.vmLeaseEpoch.set(labels, reading.leaseEpoch || undefined);
    for (const reason of PAUSE_REASONS) this.paused(vm, reason, reading.pauses.includes(reason), nowMs);
  }

  /** As `processUsage` reads it. */
  usage(key: VmKey, { userSeconds, systemSeconds, residentBytes }: ProcessUsage): void {
    const vm = this.known(key);
    for (const [mode, value] of [
      ['user', userSeconds],
      ['system', systemSeconds],
    ] as const) {
      const before = vm.cpu.get(mode) ?? 0;
      this.metrics.vmProcessCpuSecondsTotal.inc({ ...vm.labels, mode }, value < before ? value : value - before);
      vm.cpu.set(mode, value);
    }
    this.metrics.vmProcessResidentMemoryBytes.set(vm.labels, residentBytes);
  }

  /** The VM has left the host or ended: none of its series remain. */
  forget(vmId: string): void {
    this.vms.delete(vmId);
    this.registry.forget({ vm_id: vmId });
  }

  /** Forgets every VM but these: after an agent has listed its processes anew. */
  keepOnly(vmIds: ReadonlySet<string>): void {
    for (const vmId of [...this.vms.keys()]) if (!vmIds.has(vmId)) this.forget(vmId);
  }

  private known(key: VmKey): Known {
    const { vmId, name, vmmId } = key;
    let vm = this.vms.get(vmId);
    // Renamed: the old name's series would stay for ever.
    if (vm && vm.labels.vm !== name) this.forget(vmId);
    vm = this.vms.get(vmId);
    if (!vm) {
      vm = { labels: vmLabels(key), vmmId: '', last: new Map(), cpu: new Map(), totals: new Map(), pausedSince: new Map() };
      this.vms.set(vmId, vm);
    }
    if (vm.vmmId !== vmmId) {
      if (vm.vmmId !== '') this.metrics.vmInfo.set({ ...vm.labels, vmm_id: vm.vmmId }, undefined);
      this.metrics.vmInfo.set({ ...vm.labels, vmm_id: vmmId }, 1);
      vm.vmmId = vmmId;
      vm.last = new Map();
      vm.cpu = new Map();
    }
    return vm;
  }

  private publish(vm: Known, name: string, raw: number): void {
    const { total, device } = deviceOf(name);
    for (const target of this.map.targets(total)) {
      const labels = { ...vm.labels, ...target.labels, ...(device && { [device.kind]: String(device.number) }) };
      const family = this.registry.family(target.metric);
      if (target.type === 'gauge') family.set(labels, raw * target.scale);
      else family.raise(labels, this.totalOf(vm, name, target) * target.scale);
    }
  }

  private totalOf(vm: Known, name: string, { less }: Target): number {
    const of = (one: string): number => vm.totals.get(one) ?? 0;
    return less.reduce((rest, other) => rest - of(other), of(name));
  }

  /** Cumulative counts `NAME_le_BOUND`, `NAME_count`, and `NAME_sum`: what is new since the last push goes to our own buckets. */
  private histograms(vm: Known, given: readonly (readonly [string, number])[]): void {
    for (const { prefix, metric } of this.map.histograms) this.histogram(vm, { prefix, metric }, given);
  }

  private histogram(vm: Known, { prefix, metric }: HistogramTarget, given: readonly (readonly [string, number])[]): void {
    const added = (name: string): number => {
      const now = given.find(([one]) => one === name)?.[1];
      return now === undefined ? 0 : now - (vm.last.get(name) ?? 0);
    };
    const count = added(`${prefix}_count`);
    if (count <= 0) return;
    const mean = added(`${prefix}_sum`) / count;
    const bounds = given
      .filter(([name]) => name.startsWith(`${prefix}_le_`))
      .map(([name]) => ({ name, bound: Number(name.slice(prefix.length + 4)) }));
    bounds.sort((a, b) => a.bound - b.bound);
    const family = this.registry.family(metric);
    let below = 0;
    for (const { name, bound } of bounds) {
      const upTo = added(name);
      family.observe({}, bound, upTo - below, (upTo - below) * mean);
      below = Math.max(below, upTo);
    }
    family.observe({}, Infinity, count - below, (count - below) * mean);
  }

  private paused(vm: Known, reason: PauseReason, is: boolean, nowMs: number): void {
    const labels = { ...vm.labels, reason };
    const since = vm.pausedSince.get(reason);
    this.metrics.vmPaused.set(labels, is ? 1 : 0);
    // Also to begin at 0, or the first pause would not be seen as an increase.
    this.metrics.vmPausesTotal.inc(labels, is && since === undefined ? 1 : 0);
    this.metrics.vmPausedSecondsTotal.inc(labels, since === undefined ? 0 : Math.max(0, nowMs - since) / 1e3);
    if (is) vm.pausedSince.set(reason, nowMs);
    else vm.pausedSince.delete(reason);
  }
}
