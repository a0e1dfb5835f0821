/**
 * How unevenly ready hosts are loaded, and what a move would do about it.
 *
 * For each resource, with x a host's use, C its capacity and U the cluster's mean load (sum of x by sum of C, which no
 * move changes), the unevenness is the sum over hosts of C·(x/C − U)². A move of d from a to b lowers it by
 *
 *     d · ( 2·(u_a − u_b) − d/C_a − d/C_b )
 *
 * The resources' sums are added, each by its weight and divided by the mean capacity of a host. Every move that is
 * taken lowers that one figure by more than a margin; so a row of moves ends, and none comes back to where it was.
 */
import type { HostEntry, VmEntry } from './model';
import { capacityBytes, capacityMilliCpus, expectedMilliCpus, milliCpus, promisedBytes } from './usage';
import type { View } from './view';

export const RESOURCES = ['memory', 'cpu'] as const;

/** By RESOURCES. */
type Amounts = readonly [number, number];

export interface HostLoads {
  readonly host: HostEntry;
  readonly capacity: Amounts;
  /** Use by capacity, 0 to 1 and above. */
  readonly load: Amounts;
}

export interface Gain {
  readonly gain: number;
  /** What a gain must be above for each unit of margin. */
  readonly perMargin: number;
}

export class Imbalance {
  readonly hosts: HostLoads[];
  private readonly place = new Map<string, number>();
  private readonly weights: Amounts;
  private readonly mean: Amounts;
  private readonly meanCapacity: Amounts;

  constructor(private readonly view: View) {
    this.hosts = view.hosts().flatMap((host) => (host.state === 'ready' && host.facts ? [this.measure(host)] : []));
    for (const [place, { host }] of this.hosts.entries()) this.place.set(host.id, place);
    const { memory, cpu } = view.settings.weights;
    this.weights = [memory, cpu].map((weight) => (memory + cpu > 0 ? weight / (memory + cpu) : 0)) as unknown as Amounts;
    const total = (of: (loads: HostLoads) => number): number => this.hosts.reduce((sum, loads) => sum + of(loads), 0);
    const capacities = RESOURCES.map((_, r) => total(({ capacity }) => capacity[r]));
    this.meanCapacity = capacities.map((sum) => sum / Math.max(1, this.hosts.length)) as unknown as Amounts;
    this.mean = capacities.map((sum, r) =>
      sum > 0 ? total(({ load, capacity }) => load[r] * capacity[r]) / sum : 0,
    ) as unknown as Amounts;
  }

  /** 0: all are loaded alike. Root of the mean square by which hosts differ from the mean load. */
  figure(): number {
    let sum = 0;
    for (const { load, capacity } of this.hosts) {
      for (let r = 0; r < RESOURCES.length; r++) {
        if (this.meanCapacity[r] > 0) sum += this.weights[r] * (capacity[r] / this.meanCapacity[r]) * (load[r] - this.mean[r]) ** 2;
      }
    }
    return Math.sqrt(sum / Math.max(1, this.hosts.length));
  }

  /** By how much the host is above the mean load, of the resource where that is most. */
  above({ load }: HostLoads): number {
    let most = -Infinity;
    for (let r = 0; r < RESOURCES.length; r++) if (this.weights[r] > 0) most = Math.max(most, load[r] - this.mean[r]);
    return most;
  }

  /** Of the most loaded; undefined without hosts. */
  peak(): HostLoads | undefined {
    return this.hosts.reduce<HostLoads | undefined>(
      (peak, host) => (!peak || this.above(host) > this.above(peak) ? host : peak),
      undefined,
    );
  }

  amounts(vm: VmEntry): Amounts {
    return [promisedBytes(vm), milliCpus(vm.cpuUsed)];
  }

  gain(amounts: Amounts, source: HostLoads, target: HostLoads): Gain {
    let gain = 0;
    let perMargin = 0;
    for (let r = 0; r < RESOURCES.length; r++) {
      if (this.meanCapacity[r] <= 0 || this.weights[r] <= 0 || amounts[r] === 0) continue;
      if (target.capacity[r] <= 0) return { gain: -Infinity, perMargin: 1 };
      const part = (this.weights[r] * amounts[r]) / this.meanCapacity[r];
      gain += part * (2 * (source.load[r] - target.load[r]) - amounts[r] / source.capacity[r] - amounts[r] / target.capacity[r]);
      perMargin += 2 * part;
    }
    return { gain, perMargin };
  }

  /** After the view has changed for that host. */
  update(hostId: string): void {
    const place = this.place.get(hostId);
    if (place !== undefined) this.hosts[place] = this.measure(this.hosts[place].host);
  }

  private measure(host: HostEntry): HostLoads {
    const usage = this.view.usage(host.id);
    const capacity: Amounts = [capacityBytes(host, this.view.settings), capacityMilliCpus(host)];
    const used: Amounts = [usage.loadBytes, expectedMilliCpus(host, usage)];
    const load = capacity.map((all, r) => (all > 0 ? used[r] / all : used[r] > 0 ? 1 : 0)) as unknown as Amounts;
    return { host, capacity, load };
  }
}
